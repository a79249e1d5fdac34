"""`isolation.egress`: which connections the pod of a node may open."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import Model

Egress = Literal["None", "Gateway", "AllowList", "Inherit"]
Verify = Literal["Required", "Report", "Off"]
MOST_DESTINATIONS: Final = 16
MOST_EXCEPTIONS: Final = 16

_Cidr = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Namespace = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
]
_LabelValue = Annotated[str, StringConstraints(max_length=63)]


class Destination(Model):
    """Where a pod may connect to: exactly one of cidr and pods, and the port there."""

    cidr: _Cidr | None = Field(
        default=None,
        description="Addresses, such as 203.0.113.0/24. Addresses of the cluster, of metadata "
        "services and private ones are taken out.",
    )
    except_: list[_Cidr] | None = Field(
        alias="except",
        default=None,
        max_length=MOST_EXCEPTIONS,
        description="Parts of cidr that are not allowed.",
    )
    pods: dict[str, _LabelValue] | None = Field(
        default=None,
        max_length=8,
        description="Labels of the pods behind a Service: its selector.",
    )
    namespace: _Namespace | None = Field(
        default=None, description="Namespace of the pods. Default: that of the run."
    )
    port: int = Field(
        ge=1,
        le=65535,
        description="TCP port. Of pods: the port of the container (targetPort of the Service).",
    )


class Allow(Model):
    """What egress: AllowList permits besides the gateway."""

    to: list[Destination] | None = Field(
        default=None, max_length=MOST_DESTINATIONS, description="Destinations."
    )
    dns: bool | None = Field(
        default=None,
        description="true: the pod may ask the DNS of the cluster, which also lets it send data to "
        "any name server.",
    )
