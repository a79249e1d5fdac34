"""What Kubernetes defines of `isolation`: tolerations, affinity, sources of volumes.

The CRD takes them as objects without schema. These models refuse what the API server would refuse
in a Job, or would drop without a word.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import Model

_Text = Annotated[str, StringConstraints(min_length=1, max_length=253)]
_Relative = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Mode = Annotated[int, Field(ge=0, le=0o777)]
_Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
_LabelOperator = Literal["In", "NotIn", "Exists", "DoesNotExist"]
_Weight = Annotated[int, Field(ge=1, le=100)]


class Toleration(Model):
    """A taint that the pod tolerates."""

    key: _Text | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class _Requirement(Model):
    key: _Text
    operator: _Operator
    values: list[str] | None = None


class _NodeTerm(Model):
    match_expressions: list[_Requirement] | None = None
    match_fields: list[_Requirement] | None = None


class _NodeSelector(Model):
    node_selector_terms: list[_NodeTerm] = Field(min_length=1)


class _PreferredNode(Model):
    weight: _Weight
    preference: _NodeTerm


class _NodeAffinity(Model):
    required_during_scheduling_ignored_during_execution: _NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: list[_PreferredNode] | None = None


class _LabelRequirement(Model):
    key: _Text
    operator: _LabelOperator
    values: list[str] | None = None


class _LabelSelector(Model):
    match_labels: dict[str, str] | None = None
    match_expressions: list[_LabelRequirement] | None = None


class _PodTerm(Model):
    topology_key: _Text
    label_selector: _LabelSelector | None = None
    namespaces: list[_Text] | None = None
    namespace_selector: _LabelSelector | None = None
    match_label_keys: list[_Text] | None = None
    mismatch_label_keys: list[_Text] | None = None


class _PreferredPod(Model):
    weight: _Weight
    pod_affinity_term: _PodTerm


class _PodAffinity(Model):
    required_during_scheduling_ignored_during_execution: list[_PodTerm] | None = None
    preferred_during_scheduling_ignored_during_execution: list[_PreferredPod] | None = None


class Affinity(Model):
    """Which machines the pod requires or prefers."""

    node_affinity: _NodeAffinity | None = None
    pod_affinity: _PodAffinity | None = None
    pod_anti_affinity: _PodAffinity | None = None


class _KeyToPath(Model):
    key: _Text
    path: _Relative
    mode: _Mode | None = None


class _Claim(Model):
    claim_name: _Text
    read_only: bool | None = None


class _ConfigMap(Model):
    name: _Text
    items: list[_KeyToPath] | None = None
    default_mode: _Mode | None = None
    optional: bool | None = None


class _Secret(Model):
    secret_name: _Text
    items: list[_KeyToPath] | None = None
    default_mode: _Mode | None = None
    optional: bool | None = None


class _Image(Model):
    reference: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None


class _LocalReference(Model):
    name: _Text


class _Csi(Model):
    driver: _Text
    fs_type: str | None = None
    read_only: bool | None = None
    volume_attributes: dict[str, str] | None = None
    node_publish_secret_ref: _LocalReference | None = None


class _ClaimResources(Model):
    requests: dict[str, str | int]
    limits: dict[str, str | int] | None = None


class ClaimSpec(Model):
    """A claim for a volume."""

    access_modes: list[
        Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]
    ] = Field(min_length=1)
    resources: _ClaimResources
    storage_class_name: str | None = None
    volume_mode: Literal["Filesystem"] | None = None
    volume_attributes_class_name: _Text | None = None
    selector: _LabelSelector | None = None


class _ClaimMetadata(Model):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _ClaimTemplate(Model):
    metadata: _ClaimMetadata | None = None
    spec: ClaimSpec


class _Ephemeral(Model):
    volume_claim_template: _ClaimTemplate


SOURCE_MODELS: Final[Mapping[str, type[Model]]] = {
    "persistentVolumeClaim": _Claim,
    "configMap": _ConfigMap,
    "secret": _Secret,
    "image": _Image,
    "csi": _Csi,
    "ephemeral": _Ephemeral,
}


def secrets_of(source: str, value: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the Secrets that a source of a volume reads."""
    if source == "secret":
        return (value["secretName"],)
    reference = value.get("nodePublishSecretRef") if source == "csi" else None
    return (reference["name"],) if reference else ()
