"""Builders of event nodes and WorkflowEvents, and worlds that have some."""

from typing import Any, Final

from waypost.api.base import JsonObject
from waypost.api.meta import API_VERSION
from waypost.ports.cluster import Kind, Obj

from tests.support.harness import NAMESPACE, World

EVENT: Final = Kind.WORKFLOW_EVENT


def waits(name: str, *names: str, **fields: Any) -> JsonObject:
    """A node of kind event; `fields` of its block."""
    return {"name": name, "event": {"names": list(names or ("paid",)), **fields}}


def event(id_: str = "", *, name: str = "paid", **spec: Any) -> Obj:
    """The manifest of an event, with the key 42 unless `spec` says otherwise."""
    for_ = {} if {"key", "workflow", "start"} & set(spec) else {"key": "42"}
    return {
        "apiVersion": API_VERSION,
        "kind": EVENT.kind,
        "metadata": {"name": id_ or "e1", "namespace": NAMESPACE},
        "spec": {"name": name, **for_, **spec},
    }


async def send(world: World, *args: Any, **spec: Any) -> Obj:
    """Create an event."""
    return await world.user.create(EVENT, namespace=NAMESPACE, body=event(*args, **spec))


def phases(world: World) -> dict[str, str]:
    """The phases of all events, by id."""
    return {
        body["metadata"]["name"]: body.get("status", {}).get("phase", "Pending")
        for body in world.all(EVENT)
    }
