"""`isolation`: where the pod of a node runs, with which account, and which volumes it has.

The CRD describes the shape. What Kubernetes defines (tolerations, affinity, sources of volumes) has
no schema there: it would be larger than all the rest. The compiler checks it completely.
"""

from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from waypost.api.base import JsonObject, Model, keyed_by
from waypost.api.isolation.claims import ClaimName
from waypost.api.isolation.egress import Allow, Egress, Verify
from waypost.api.pod import Quantity

MOST_VOLUMES: Final = 16
VOLUME_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$"
# The fields of a volume that name its source; exactly one of them is set.
SOURCES: Final = ("persistentVolumeClaim", "configMap", "secret", "image", "csi", "ephemeral")
# Their content cannot be written, whatever readOnly says.
READ_ONLY_SOURCES: Final = ("configMap", "secret", "image")

_Text = Annotated[str, StringConstraints(min_length=1, max_length=253)]
_Path = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Label = Annotated[str, StringConstraints(max_length=63)]
_Source = JsonObject | None


class Volume(Model):
    """A volume of the pod, mounted into the container of the node. Exactly one source."""

    name: Annotated[str, StringConstraints(pattern=VOLUME_NAME_PATTERN, max_length=40)] = Field(
        description="Name of the volume, unique in the list."
    )
    mount_path: _Path = Field(description="Absolute path in the container, such as /data/models.")
    sub_path: _Path | None = Field(
        default=None, description="Path in the volume that is mounted. Default: all of it."
    )
    read_only: bool | None = Field(
        default=None,
        description="true: the node cannot write to it. Always so for configMap, secret, image.",
    )
    persistent_volume_claim: _Source = Field(default=None, description="As in core/v1.")
    config_map: _Source = Field(default=None, description="As in core/v1.")
    secret: _Source = Field(default=None, description="As in core/v1.")
    image: _Source = Field(default=None, description="As in core/v1.")
    csi: _Source = Field(default=None, description="As in core/v1.")
    ephemeral: _Source = Field(default=None, description="As in core/v1.")
    volume_claim: ClaimName | None = Field(
        default=None, description="A claim of the run, by its name in volumeClaims."
    )

    @property
    def sources(self) -> JsonObject:
        """Each source that is set, by its name in core/v1."""
        given = self.model_dump(by_alias=True, exclude_none=True, include=_SOURCE_FIELDS)
        return {name: given[name] for name in SOURCES if name in given}


_SOURCE_FIELDS: Final = {
    "persistent_volume_claim",
    "config_map",
    "secret",
    "image",
    "csi",
    "ephemeral",
}


class Isolation(Model):
    """Where the pod of a node runs, with which account, and which volumes it has. Only for nodes
    with a pod."""

    service_account_name: _Text | None = Field(
        default=None,
        description="ServiceAccount of the pod, for example to pull private images. Its API token "
        "is never mounted. Default: waypost-node, which may do nothing. Others need a policy.",
    )
    runtime_class_name: _Text | None = Field(
        default=None, description="RuntimeClass of the pod, such as one with a separate kernel."
    )
    host_users: bool | None = Field(
        default=None,
        description="false: the pod has a user namespace, so that its users are not those of the "
        "machine. Requires support by the cluster.",
    )
    tmp: Quantity | None = Field(
        default=None,
        description="Size of /tmp. Default: limits.ephemeral-storage of the resources, which it "
        "raises if they do not set it.",
    )
    shm: Quantity | None = Field(
        default=None,
        description="Size of /dev/shm. It is memory, and counts against limits.memory. Default: "
        "the 64Mi of the container runtime.",
    )
    node_selector: dict[str, _Label] | None = Field(
        default=None, max_length=16, description="Labels of the machines that may run the pod."
    )
    tolerations: list[JsonObject] | None = Field(
        default=None, max_length=16, description="Taints that the pod tolerates, as in core/v1."
    )
    affinity: JsonObject | None = Field(default=None, description="As in core/v1.")
    priority_class_name: _Text | None = Field(default=None, description="PriorityClass of the pod.")
    pod_labels: dict[str, _Label] | None = Field(
        default=None,
        max_length=16,
        description="Labels of the pod. Those of Waypost, Kubernetes, Argo and Kueue are refused.",
    )
    queue: _Label | None = Field(
        default=None, description="LocalQueue of Kueue that admits the Jobs of the node."
    )
    egress: Egress | None = Field(
        default=None,
        description="Connections of the pod. None: none at all. Gateway: the gateway of Waypost. "
        "AllowList: also what allow says. Inherit (default): what the namespace allows. The "
        "network plugin of the cluster has to enforce NetworkPolicies.",
    )
    allow: Allow | None = Field(default=None, description=Allow.__doc__)
    verify: Verify | None = Field(
        default=None,
        description="Required (default): the program starts only once a probe in the pod has seen "
        "that its limited egress holds. Report: it starts in any case, and status.isolation says "
        "what the probe saw. Off: without this probe.",
    )
    volumes: list[Volume] | None = Field(
        default=None,
        max_length=MOST_VOLUMES,
        description=f"Volumes: exactly one of {', '.join(SOURCES)}, volumeClaim each.",
        json_schema_extra=keyed_by("name"),
    )


_MERGED_BY_KEY: Final = ("node_selector", "pod_labels")


def merged(base: Isolation | None, own: Isolation | None) -> Isolation:
    """The isolation of a node: its own fields over those of `spec.defaults` (S370).

    nodeSelector and podLabels are merged by key, volumes by name; each other field of the node
    replaces the one of the defaults.
    """
    if base is None or own is None:
        return own or base or Isolation()
    fields: dict[str, Any] = {name: getattr(base, name) for name in base.model_fields_set}
    fields |= {
        name: getattr(own, name) for name in own.model_fields_set if getattr(own, name) is not None
    }
    for name in _MERGED_BY_KEY:
        if name in fields:
            fields[name] = {**(getattr(base, name) or {}), **(getattr(own, name) or {})}
    if own.egress is not None:  # what may be reached belongs to the mode
        fields["allow"] = own.allow
    if base.volumes and own.volumes:
        named = {volume.name: volume for volume in (*base.volumes, *own.volumes)}
        fields["volumes"] = list(named.values())
    return Isolation.model_construct(**fields)
