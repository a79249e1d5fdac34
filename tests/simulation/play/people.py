"""The person who looks after a run: raises `spec.rerun.round` as planned and when it is paused, and
does not rest until the round has begun or the run is cancelled."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.simulation.scenario.manifest import node_of
from tests.simulation.scenario.plan import Round

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

_PATIENCE: Final = 30.0  # seconds until the person looks whether the round was refused


async def look_after(stage: "Stage") -> None:
    """Begin the rounds of the plan, one after the other; then see to the run when it is paused."""
    for planned in stage.scenario.rounds:
        if planned.moment == "ended":
            await stage.until(lambda: stage.has_ended or stage.is_paused)
        await asyncio.sleep(planned.pause)
        if not await _begin(stage, planned):
            return
    visits = 0
    while any(node.pauses for node in stage.scenario.nodes):
        await stage.until(lambda: stage.has_ended or stage.is_paused)
        await asyncio.sleep(_PATIENCE)
        if stage.has_ended:
            return
        if stage.is_paused:
            visits += 1
            await _resume(stage, again=visits == 1)


async def _resume(stage: "Stage", *, again: bool) -> None:
    """What paused the run is tried again; the second time it is left out, or all is given up."""
    nodes = stage.scenario.by_name
    held = [
        path
        for path, entry in stage.seen.nodes.items()
        if entry["phase"] == "Failed" and nodes[path].pauses
    ]
    if again:
        await _begin(stage, Round("begun", 0.0))
    elif any(nodes[path].kind == "approval" for path in held):
        await stage.patch_run(cancel=True)
    else:
        # A gate before both would be asked again if what was left out before were not named.
        before = [p for p, e in stage.seen.nodes.items() if e.get("reason") == "SkippedByUser"]
        await _begin(stage, Round("begun", 0.0, skip=(*held, *before)))


async def _begin(stage: "Stage", planned: Round) -> bool:
    """Whether the round has begun."""
    blocked: list[str] = []
    while (run := stage.world.run()) and not _is_final(run):
        asked = section(run, "spec", "rerun")
        number = max(int(asked.get("round", 1)), int(section(run, "status").get("round", 1))) + 1
        rerun = _rerun(stage, planned, number=number, blocked=blocked)
        nodes = stage.scenario.by_name
        lists = {nodes[name].list_input: list(values) for name, values in planned.lists}
        inputs = {**section(run, "spec", "inputs"), **lists}
        edited = _edited(stage, run, planned)
        await stage.replace_in_run(rerun=rerun, nodes=edited, inputs=inputs)
        stage.tell_of_round(planned, rerun)
        while (run := stage.world.run()) and not _is_final(run):
            if section(run, "status").get("round", 1) >= number:
                return True
            await stage.until(partial(_has_begun, stage, number), _PATIENCE)
            found = _unsure(stage, run, planned)
            if found and found != blocked:
                blocked = found
                break
    return False


def _has_begun(stage: "Stage", number: int) -> bool:
    return stage.seen.round >= number or stage.is_gone


def _is_final(run: Obj) -> bool:
    return bool(section(run, "spec").get("cancel")) or "deletionTimestamp" in run["metadata"]


def _rerun(stage: "Stage", planned: Round, *, number: int, blocked: list[str]) -> Obj:
    """spec.rerun, with nodes that nobody but a person can decide on named in it."""
    again, skip = list(planned.again), list(planned.skip)
    if stage.scenario.seed % 2:
        skip += blocked
    else:
        again += blocked
    outputs = {name: given(stage, name) for name in planned.given}
    again += _items(stage, planned, {*again, *skip, *outputs})
    named = {"from": again, "skip": skip, "outputs": outputs}
    return {"round": number} | {key: value for key, value in named.items() if value}


def _items(stage: "Stage", planned: Round, named: set[str]) -> list[str]:
    """The items that the person names: those that the last list has, and the next one before this
    round would have."""
    nodes = {entry["path"]: entry for entry in items(stage.seen.run, "status", "nodes")}
    inputs = section(stage.seen.run, "spec", "inputs")
    found = []
    for name, index in planned.again_items:
        stored = section(nodes.get(name, {}), "items")
        listed = bool(stored.get("sealed") or stored.get("listRecord"))
        values = inputs.get(stage.scenario.by_name[name].list_input, ())
        known = min(stored.get("total", 0), len(values))
        if listed and index < known and name not in {*named, planned.drop, planned.edit}:
            found.append(f"{name}/{index}")
    return found


def given(stage: "Stage", name: str) -> Any:
    """The result that the person puts in a node's place."""
    node = stage.scenario.by_name[name]
    one = {"n": 7, node.field: 7}
    if not node.is_map:
        return one
    return [one] if node.collects else {"total": 1, "succeeded": 1, "failed": 0}


def _edited(stage: "Stage", run: Obj, planned: Round) -> list[Obj]:
    """The nodes as the round has them."""
    nodes = []
    for node in items(run, "spec", "nodes"):
        if node["name"] in (planned.add, planned.drop):
            continue
        if node["name"] == planned.edit:
            asked = len(node.get("inputs", {}))
            if "approval" in node:
                message = node["approval"]["message"] + "?"
                node = {**node, "approval": {**node["approval"], "message": message}}
            else:
                node = {**node, "inputs": {**node.get("inputs", {}), f"edit{asked}": asked}}
        nodes.append(node)
    if planned.add:
        by_name = stage.scenario.by_name
        nodes.append(node_of(by_name[planned.add], by_name))
    return nodes


def _unsure(stage: "Stage", run: Obj, planned: Round) -> list[str]:
    """Nodes with effect: once that broke off: no round begins before a person decides on them."""
    named = {*planned.again, *planned.skip, *planned.given, planned.drop}
    nodes = stage.scenario.by_name
    return [
        entry["path"]
        for entry in items(run, "status", "nodes")
        if (entry["phase"] in ("Failed", "Cancelled") or _is_undone(entry) or _is_overdue(entry))
        and nodes[entry["path"]].never_twice
        and not nodes[entry["path"]].last
        and entry["path"] not in named
    ]


def _is_undone(entry: Obj) -> bool:
    """Whether a round before was to leave the node out, or to give its result, and did not."""
    decided = entry.get("disposition") in ("Given", "SkippedByUser")
    return decided and entry["phase"] in ("Pending", "Superseding")


def _is_overdue(entry: Obj) -> bool:
    """Whether the node is being stopped for a deadline of the round before."""
    latest = (items(entry, "attempts") or [{}])[-1]
    return entry["phase"] == "Running" and latest.get("stopping") == "DeadlineExceeded"
