"""Shared by the kinds with a pod: environment, resources, keys of Secrets and ConfigMaps."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import Model, keyed_by

# As in the API server: text that matches the pattern, or an integer.
QUANTITY_PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
Quantity = Annotated[
    str | int,
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY_PATTERN,
            "maxLength": 40,
        }
    ),
]
Template = Annotated[str, StringConstraints(max_length=16384)]
Image = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
KeepLogs = Literal["All", "Failed", "None"]


class SecretKeyRef(Model):
    """One key of a Secret in the run's namespace."""

    name: str = Field(min_length=1, max_length=253, description="Name of the Secret.")
    key: str = Field(min_length=1, max_length=253, description="Key inside the Secret.")
    optional: bool | None = Field(
        default=None, description="true: start the container even if the key is missing."
    )


class ConfigMapKeyRef(Model):
    """One key of a ConfigMap in the run's namespace."""

    name: str = Field(min_length=1, max_length=253, description="Name of the ConfigMap.")
    key: str = Field(min_length=1, max_length=253, description="Key inside the ConfigMap.")
    optional: bool | None = Field(
        default=None, description="true: start the container even if the key is missing."
    )


class EnvSource(Model):
    """Source of the value of an environment variable: exactly one of secretKeyRef and
    configMapKeyRef."""

    secret_key_ref: SecretKeyRef | None = Field(default=None, description="From a Secret.")
    config_map_key_ref: ConfigMapKeyRef | None = Field(
        default=None, description="From a ConfigMap."
    )


class EnvVar(Model):
    """One environment variable of the node's container, as in core/v1."""

    name: str = Field(
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name. Names that start with WAYPOST_ are reserved.",
    )
    value: Template | None = Field(
        default=None, description="Value. ${...} is evaluated. Do not put a secret here."
    )
    value_from: EnvSource | None = Field(
        default=None, description="Source of the value: a Secret or ConfigMap."
    )


class Resources(Model):
    """Compute resources of the node's container, as in core/v1."""

    requests: dict[str, Quantity] | None = Field(
        default=None,
        max_length=10,
        description="Resources that the scheduler reserves, for example cpu: 100m.",
    )
    limits: dict[str, Quantity] | None = Field(
        default=None,
        max_length=10,
        description="Maximum resources that the container may use. ephemeral-storage is also "
        "the size of /tmp.",
    )


class LogPolicy(Model):
    """What is kept of the logs of the pods, in NodeRecords that exist as long as the run."""

    keep: KeepLogs | None = Field(
        default=None,
        description="All: the log of each attempt. Failed: the logs of attempts whose program "
        "ended with an exit code other than 0. None: no log. Default: logs.keep of the "
        "installation.",
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1024,
        le=1048576,
        description="Maximum bytes that are kept of one log, counted from its end. "
        "logs.maxBytes of the installation is the upper limit and the default.",
    )


# Fields of the kinds with a container. A kind may give another description.
ImagePullPolicy = Annotated[
    PullPolicy | None,
    Field(description="Image pull policy, as in core/v1. Default: the default of the cluster."),
]
Env = Annotated[
    list[EnvVar] | None,
    Field(
        max_length=50,
        description="Environment variables.",
        json_schema_extra=keyed_by("name"),
    ),
]
ContainerResources = Annotated[Resources | None, Field(description="Compute resources.")]
