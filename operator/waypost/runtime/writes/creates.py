"""Creates children of a run: a name that is taken may be what an earlier pass has created."""

from collections.abc import Iterable

from waypost.api import meta
from waypost.kube import objects
from waypost.ports.cluster import (
    AlreadyExists,
    Cluster,
    ClusterError,
    Kind,
    Obj,
    RefusedForNow,
    Rejected,
)
from waypost.runtime.cache.runs import Key


class Foreign(ClusterError):
    """The name of a child is taken by an object of another owner."""


async def create_once(cluster: Cluster, kind: Kind, key: Key, body: Obj, *, expected: str) -> Obj:
    """Create; a name that is taken is success if the object is ours, of the same request.

    Args:
        cluster: Where.
        kind: The kind of the child.
        key: The run.
        body: The manifest.
        expected: What the object with that name has to be, for messages: `the child run`.

    Raises:
        Foreign: The name is taken by another object.
        ClusterError: It could not be created, or what has its name could not be read.
    """
    try:
        return await cluster.create(kind, namespace=key.namespace, body=body)
    except AlreadyExists:
        name = body["metadata"]["name"]
        found = await standing(cluster, kind, key, name)
    owner = objects.controller_uid(found)
    if owner == key.uid and _request_digest(found) == _request_digest(body):
        return found
    text = f"{kind.kind} {name} exists and is not {expected}; {advice(owner)}"
    raise Foreign(text, code=409, reason="AlreadyExists")


async def create_all(
    cluster: Cluster, kind: Kind, key: Key, bodies: Iterable[Obj], *, expected: str
) -> None:
    """Create each of them, in order, as `create_once` does. The first refusal ends it."""
    for body in bodies:
        await create_once(cluster, kind, key, body, expected=expected)


async def standing(cluster: Cluster, kind: Kind, key: Key, name: str) -> Obj:
    """The object whose name is taken. A refusal to read it says nothing about the object, so it
    never counts as permanent."""
    try:
        return await cluster.get(kind, namespace=key.namespace, name=name)
    except Rejected as error:
        text = f"{kind.kind} {name} may exist already and cannot be read: {error.message}"
        raise RefusedForNow(text, code=error.code, reason=error.reason) from error


def advice(owner_uid: str) -> str:
    """What to do about an object that stands in our place."""
    if owner_uid:
        return f"it belongs to the object with uid {owner_uid}: leave it alone"
    return "delete or rename it"


def _request_digest(body: Obj) -> str:
    """The digest of the request that an object was created from, or ""."""
    notes = objects.section(body, "metadata", "annotations")
    return objects.text(notes, meta.ANNOTATION_REQUEST_DIGEST)
