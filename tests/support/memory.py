"""Runs with memory, and their MemoryEntries, in a World."""

from datetime import datetime
from typing import Any, Final

from waypost.api.base import JsonObject
from waypost.api.meta import API_VERSION
from waypost.kube.memory.names import entry_labels, forgotten_name
from waypost.kube.objects import section
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import Kind, Obj, PatchType

from tests.fakes.nodes.programs import Program
from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, World
from tests.support.templates import REVIEW, create_template

ENTRY: Final = Kind.MEMORY_ENTRY
LABELS: Final = {"waypost.dev/workflow": "triage"}
CAUSE: Final = {
    "type": "object",
    "properties": {"cause": {"type": "string"}},
    "required": ["cause"],
}


def block(key: str = "customer-7", **fields: Any) -> JsonObject:
    """A memory block that remembers the output of node a, unless `fields` say otherwise."""
    return {"key": key, "remember": {"cause": "${nodes.a.output.cause}"}, **fields}


def reader(**fields: Any) -> JsonObject:
    """A node that reads what the last run found."""
    seen = {"before": "${memory.?last.?outputs.?cause.orValue('nothing')}"}
    return python("a", inputs=seen, outputSchema=CAUSE, **fields)


def triage(*nodes: JsonObject, memory: JsonObject | None = None, **fields: Any) -> JsonObject:
    """The spec of a run with memory. Its first node reads what the last run found."""
    return spec(*(nodes or (reader(),)), memory=memory or block(), **fields)


async def triage_template(world: World, body: JsonObject | None = None) -> None:
    """Create the template of these runs."""
    await create_template(world, body or triage(), REVIEW)


def entries(world: World, type_: str = "Episode") -> list[Obj]:
    """The MemoryEntries of a type, the oldest first."""
    found = [body for body in world.all(ENTRY) if body["spec"]["type"] == type_]
    return sorted(found, key=lambda body: body["spec"]["source"]["at"])


def values(world: World) -> list[Any]:
    """What the Episodes remember, the oldest first."""
    return [body["spec"]["value"] for body in entries(world)]


def memory_of(world: World, name: str) -> Obj:
    """`status.memory` of a run."""
    return section(world.status(name), "memory")


def snapshot_of(world: World, name: str) -> Any:
    """What a run has read of its memory."""
    record = memory_of(world, name)["record"]
    found = [r for r in world.all(Kind.NODE_RECORD) if r["metadata"]["name"] == record]
    return found[0]["spec"]["data"] if found else None


async def forget(world: World, *, scope: str, key: str, at: datetime) -> None:
    """What `waypost memory forget` writes first."""
    manifest = {
        "apiVersion": API_VERSION,
        "kind": ENTRY.kind,
        "metadata": {
            "name": forgotten_name(scope=scope, key=key, at=at),
            "labels": entry_labels(scope=scope, key=key, type_="Forgotten"),
        },
        "spec": {
            "scope": scope,
            "key": key,
            "type": "Forgotten",
            "source": {"at": timestamp(at)},
            "expiresAt": timestamp(at.replace(year=at.year + 1)),
        },
    }
    await world.user.create(ENTRY, namespace=NAMESPACE, body=manifest)


def finds(cause: str, **how: Any) -> Program:
    """The program of `reader`: it gives a cause, and what it was given of the last one."""
    return lambda pod: pod.succeeds({"cause": cause, "before": pod.inputs.get("before")}, **how)


def saw(world: World, name: str) -> Any:
    """What node a of a run was given of the last run."""
    return world.node("a", name)["output"]["before"]


async def ran(world: World, name: str, body: JsonObject | None = None, **metadata: Any) -> Obj:
    """The status of a run with the label of its workflow, once it has finished."""
    await world.submit(body or triage(), name=name, **{"labels": LABELS, **metadata})
    return await world.finished(name)


async def decide(world: World, entry: Obj, decision: str) -> None:
    """What `waypost memory review` writes."""
    await world.user.patch(
        ENTRY,
        namespace=NAMESPACE,
        name=entry["metadata"]["name"],
        body={"spec": {"decision": decision, "decidedBy": "ann"}},
        patch_type=PatchType.MERGE,
    )


async def create(world: World, kind: Kind, name: str, spec_: Obj) -> None:
    """Create an object that runs refer to."""
    body = {
        "apiVersion": API_VERSION,
        "kind": kind.kind,
        "metadata": {"name": name},
        "spec": spec_,
    }
    await world.user.create(kind, namespace=NAMESPACE, body=body)
