"""Claims of a run: the objects for `spec.volumeClaims`, and volumes that name them."""

from collections.abc import Sequence

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.isolation.claims import VolumeClaim
from waypost.api.isolation.model import Isolation, Volume
from waypost.kube import names
from waypost.kube.manifests.attempt_job import Owner
from waypost.protocol import ijson


def claims_of(
    isolation: Isolation, claims: Sequence[VolumeClaim], owner: Owner
) -> tuple[JsonObject, ...]:
    """The claims that the pod of a node mounts, each once."""
    mounted = {volume.volume_claim for volume in isolation.volumes or ()}
    return tuple(_manifest(claim, owner) for claim in claims if claim.name in mounted)


def with_claims(isolation: Isolation, claims: Sequence[VolumeClaim], owner: Owner) -> Isolation:
    """The isolation with the names that claims have in the cluster, as sources of core/v1."""
    named = {claim.name: _name(claim, owner) for claim in claims}
    if not any(volume.volume_claim for volume in isolation.volumes or ()):
        return isolation
    volumes = [_resolved(volume, named) for volume in isolation.volumes or ()]
    return isolation.model_copy(update={"volumes": volumes})


def _resolved(volume: Volume, named: dict[str, str]) -> Volume:
    if volume.volume_claim is None:
        return volume
    source = {"claimName": named[volume.volume_claim]}
    return volume.model_copy(update={"volume_claim": None, "persistent_volume_claim": source})


def _name(claim: VolumeClaim, owner: Owner) -> str:
    """A claim that is declared differently is another one: what exists cannot be changed."""
    digest = ijson.digest(claim.model_dump(by_alias=True, exclude_none=True))
    return names.claim_name(run=owner.name, run_uid=owner.uid, claim=claim.name, digest=digest)


def _manifest(claim: VolumeClaim, owner: Owner) -> JsonObject:
    spec: JsonObject = {
        "accessModes": list(claim.access_modes or ["ReadWriteOnce"]),
        "resources": {"requests": {"storage": claim.storage}},
    }
    if claim.storage_class_name is not None:
        spec["storageClassName"] = claim.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": _name(claim, owner),
            "namespace": owner.namespace,
            "labels": {meta.LABEL_RUN: owner.uid},
            "ownerReferences": [owner.reference()],
        },
        "spec": spec,
    }
