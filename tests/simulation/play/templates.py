"""Runs of templates: how the template comes about, what becomes of it, and what must hold (VT1).

The watcher keeps each version of the template that the API server stored. A run must be pinned to
one of them, whole, which no switch held back; the record must be there before a status names it;
and nothing but a round changes the pin.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import ClusterError, Kind, NotFound, Obj, PatchType

from tests.simulation.scenario.template_plan import TemplatePlan
from tests.simulation.watching.evidence import Violation
from tests.support.harness import NAMESPACE

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

TEMPLATE: Final = "shared"
OF_RUN: Final = ("inputs",)  # what the run itself has; all else of a drawn spec is the template's


def run_spec(whole: Obj) -> Obj:
    """spec of the run, of the spec that it would have with its nodes in it."""
    return {"templateRef": {"name": TEMPLATE}, **{key: whole[key] for key in OF_RUN}}


def body_of(whole: Obj) -> Obj:
    """The template's part of it."""
    return {key: value for key, value in whole.items() if key not in OF_RUN}


def other(body: Obj) -> Obj:
    """Another definition, which would show in the inputs of each program."""
    nodes = [
        node
        if {"approval", "wait"} & node.keys()
        else {**node, "inputs": {**node.get("inputs", {}), "other": 1}}
        for node in body["nodes"]
    ]
    added = {"name": "other", "python": {"source": "def run():\n    return 1\n"}}
    return {**body, "nodes": [*nodes, added]}


async def submit(stage: "Stage", whole: Obj) -> None:
    """Create the run, and begin what becomes of its template."""
    plan = stage.scenario.template
    await stage.world.submit(whole if plan is None else run_spec(whole))
    if plan is not None:
        stage.do(follow(stage, plan, body_of(whole)))


async def follow(stage: "Stage", plan: TemplatePlan, body: Obj) -> None:
    """Do with the template what the plan says."""
    if plan.other_first:
        await _create(stage, {**other(body), "suspend": True})
    await asyncio.sleep(plan.comes)
    if plan.other_first:
        await _change(stage, {**body, "suspend": False})
    else:
        await _create(stage, body)
    await stage.until(lambda: bool(_pin(stage)) or stage.has_ended, step=5.0)
    later = sorted(
        (at, name) for name in ("edit", "delete", "lose") if (at := getattr(plan, name)) is not None
    )
    passed = 0.0
    for at, name in later:
        await asyncio.sleep(at - passed)
        passed = at
        await _later(stage, name, body)
    if plan.may_be_lost:
        await _give_up_when_lost(stage)


async def _later(stage: "Stage", name: str, body: Obj) -> None:
    stage.watcher.tell(f"!! template: {name}")
    with contextlib.suppress(ClusterError):
        if name == "edit":
            await _change(stage, other(body))
        elif name == "delete":
            await stage.world.delete(Kind.AGENT_WORKFLOW_TEMPLATE, TEMPLATE)
        elif pin := _pin(stage):
            await stage.world.delete(Kind.NODE_RECORD, pin["record"])


async def _give_up_when_lost(stage: "Stage") -> None:
    """A person cancels a run whose definition is lost."""

    def lost() -> bool:
        found = items(stage.seen.run, "status", "conditions")
        return any(c["type"] == "Stalled" and c["reason"] == "DefinitionLost" for c in found)

    await stage.until(lambda: lost() or stage.has_ended, step=5.0)
    if lost():
        stage.watcher.tell("!! template: the definition is lost, and a person cancels the run")
        await stage.patch_run(cancel=True)


async def _create(stage: "Stage", body: Obj) -> None:
    manifest = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflowTemplate",
        "metadata": {"name": TEMPLATE},
        "spec": body,
    }
    await stage.world.user.create(Kind.AGENT_WORKFLOW_TEMPLATE, namespace=NAMESPACE, body=manifest)


async def _change(stage: "Stage", body: Obj) -> None:
    with contextlib.suppress(NotFound):
        await stage.world.user.patch(
            Kind.AGENT_WORKFLOW_TEMPLATE,
            namespace=NAMESPACE,
            name=TEMPLATE,
            body=[{"op": "replace", "path": "/spec", "value": body}],
            patch_type=PatchType.JSON,
        )


def _pin(stage: "Stage") -> Obj:
    return section(stage.seen.run, "status", "template")


class Pins:
    """Follows the versions of the template, the records, and what the run is pinned to."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], Obj] = {}  # by uid and generation
        self._records: dict[str, Obj] = {}  # definitions that exist, by name
        self._pinned: Obj = {}  # the definition of the run, once it is accepted

    def see(self, kind: Kind, change: str, body: Obj) -> None:
        """Note a version of the template, and which definitions are stored."""
        metadata = body["metadata"]
        if kind is Kind.AGENT_WORKFLOW_TEMPLATE:
            self._versions[metadata["uid"], metadata["generation"]] = body["spec"]
        elif kind is Kind.NODE_RECORD and change == "DELETED":
            self._records.pop(metadata["name"], None)
        elif kind is Kind.NODE_RECORD and body["spec"]["type"] == "Definition":
            self._records[metadata["name"]] = body["spec"]

    def note(self, spec: Obj, old: Obj, new: Obj, found: list[Violation]) -> Obj:
        """Add what is wrong with a status write to `found`.

        Returns:
            The spec of the run as if its definition stood in it; {} until it is pinned.
        """
        if "templateRef" not in spec:
            return spec
        begins = new.get("round", 1) > old.get("round", 1)
        found += self._judged(old, new, begins=begins)
        return {**self._pinned, **spec} if self._pinned else {}

    def _judged(self, old: Obj, new: Obj, *, begins: bool) -> Iterator[Violation]:
        was, pin = section(old, "template"), section(new, "template")
        if items(new, "nodes") and not pin:
            yield Violation("VT1", "the run is accepted, and its status names no definition")
        if was and pin != was and not begins:
            yield Violation("VT1", f"the pin changed from {was} to {pin}")
        if pin and pin != was:
            yield from self._taken(pin)
        names = {node["path"] for node in items(new, "nodes")}
        nodes = [*items(self._pinned, "nodes"), *items(self._pinned, "finally")]
        if pin and names != {node["name"] for node in nodes}:
            yield Violation("VT1", f"the status has the nodes {sorted(names)}, not the pinned ones")

    def _taken(self, pin: Obj) -> Iterator[Violation]:
        record = self._records.get(pin["record"])
        if record is None:
            yield Violation("VT1", f"the status names {pin['record']}, which does not exist")
            return
        content: Any = record.get("data")
        if content is None:
            return  # compressed: no drawn definition is so large
        digest = hashlib.sha256(_canonical(content).encode()).hexdigest()
        if pin["digest"] != record["digest"] or pin["digest"] != f"sha256:{digest}":
            yield Violation("VT1", f"the definition in {pin['record']} has another digest")
        version = self._versions.get((pin["uid"], pin["generation"]))
        if version is None:
            yield Violation("VT1", f"there never was a generation {pin['generation']}")
            return
        if version.get("suspend"):
            yield Violation("VT1", "a run was accepted although its template is suspended")
        taken = {key: value for key, value in version.items() if key != "suspend"}
        if taken != content:
            yield Violation("VT1", "the definition is not that of the template at its generation")
        self._pinned = content


def _canonical(value: Any) -> str:
    """RFC 8785 of what is drawn: no number in it is a fraction."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
