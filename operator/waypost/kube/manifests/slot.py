"""The manifest of a slot: a Lease that belongs to the run whose attempt holds it."""

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.kube.facts.slots import Holder
from waypost.kube.manifests.attempt_job import Owner
from waypost.kube.names import slot_key_digest
from waypost.kube.timestamps import parse_timestamp


def _micro(moment: str) -> str:
    """A time with microseconds, as a Lease has it."""
    parsed = parse_timestamp(moment)
    return parsed.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if parsed is not None else moment


def slot_manifest(
    *, name: str, owner: Owner, holder: Holder, key: str, limit: int, since: str
) -> JsonObject:
    """The Lease of a slot.

    Args:
        name: Its name, from `names.slot_name`.
        owner: The run: the Lease is deleted with it.
        holder: What holds the slot.
        key: The key.
        limit: The limit under which the slot is taken.
        since: Time when the attempt was recorded.
    """
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {meta.LABEL_SLOTS: slot_key_digest(name), meta.LABEL_RUN: owner.uid},
            "annotations": {
                meta.ANNOTATION_RUN_NAME: owner.name,
                meta.ANNOTATION_SLOT_KEY: key,
                meta.ANNOTATION_SLOT_LIMIT: str(limit),
            },
            "ownerReferences": [owner.reference()],
        },
        "spec": {"holderIdentity": str(holder), "acquireTime": _micro(since)},
    }
