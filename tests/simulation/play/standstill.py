"""Runs that cannot continue: what they must say and do within a minute."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from waypost.kube.objects import items
from waypost.ports.cluster import Obj

from tests.fakes.nodes.programs import node_of
from tests.simulation.scenario.plan import Trouble
from tests.simulation.watching.evidence import FINAL, AttemptStory

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

_SILENCE: Final = 60.0  # seconds after which a run that cannot continue must have said why
_TO_CANCEL: Final = 90.0
# With one of these it is not known by when an operator should have done something.
EXCUSES: Final = frozenset(
    {"kill", "freeze", "freeze_fence", "second", "shutdown", "faults", "outage", "deaf", "lose"}
    | {"remove", "suspend", "twice", "lose_answer", "delete_run"}
)


async def outlast(
    stage: "Stage", trouble: Trouble, *, says: bool = True, ends: bool = True
) -> None:
    """Wait while requests are refused; with `number` 2 a person cancels the run then.

    Args:
        stage: Where it happens.
        trouble: The refusal, which lasts for its `seconds`.
        says: Whether the run can say what is refused.
        ends: Whether a cancel ends the run all the same.
    """
    began = stage.watcher.now
    await asyncio.sleep(trouble.seconds)
    if says:
        blame(stage, since=began)
    if trouble.number == 2 and not stage.has_ended:
        await stage.patch_run(cancel=True)
        await stage.until(lambda: stage.has_ended, _TO_CANCEL)
        if ends:
            _blame_late_end(stage)


def is_calm(stage: "Stage") -> bool:
    """Whether it is known by when an operator should have done something."""
    kinds = {trouble.kind for trouble in stage.scenario.troubles}
    return not kinds & EXCUSES and stage.seen.deleted_at is None


def _blame_late_end(stage: "Stage") -> None:
    """A cancelled run ends, but for finally."""
    last = any(node.last for node in stage.scenario.nodes)  # which a cancel does not stop
    if is_calm(stage) and stage.seen.finished_at is None and not last:
        stage.watcher.blame("K1", f"no end {_TO_CANCEL:.0f} s after a cancel")


def blame(stage: "Stage", *, since: float) -> None:
    """A run that cannot continue says why within a minute, and everything else in it continues."""
    if is_calm(stage) and not stage.has_ended:
        found = (*_silent(stage, since), *_idle(stage, since), *_unstopped(stage, since))
        for invariant, text in found:
            stage.watcher.blame(invariant, text)


def _silent(stage: "Stage", since: float) -> Iterator[tuple[str, str]]:
    """Nodes that nothing moves, and that say nothing."""
    seen, due = stage.seen, stage.watcher.now - _SILENCE
    for path, entry in seen.nodes.items():
        if entry.get("reason") or max(since, seen.ended.get(path, 0.0)) > due:
            continue
        if entry["phase"] == "Running":
            if any(_stands_still(stage, story, due) for story in _open(stage, path, entry)):
                yield "said", f"{path} has stood still for a minute, and says nothing"
        elif entry["phase"] == "Waiting" and stage.scenario.by_name[path].kind == "approval":
            asked = [gate for gate in seen.gates.values() if gate.path == path]
            if not any(gate.gone_at is None for gate in asked):
                yield "said", f"{path} was not asked for a minute, and says nothing"
    troubled = [p for p, e in seen.nodes.items() if e.get("reason") and e["phase"] == "Running"]
    conditions = items(seen.run, "status", "conditions")
    messages = [c.get("message") for c in conditions if c.get("type") == "Reconciling"]
    if troubled and not any(messages):
        yield "said", f"the run says nothing of {troubled[0]}"


def _open(stage: "Stage", path: str, entry: Obj) -> list[AttemptStory]:
    """The attempts of a node, or of the items of a map, that have not ended."""
    seen, number = stage.seen, entry.get("attempt", 1)
    if not stage.scenario.by_name[path].is_map:
        return [seen.attempts[path, number]]
    stories = [s for (name, _), s in seen.attempts.items() if node_of(name) == path]
    return [story for story in stories if story.finished_at is None]


def _stands_still(stage: "Stage", story: AttemptStory, due: float) -> bool:
    """Whether an attempt has no program that runs, and had none a minute ago."""
    pods = stage.seen.pods_of(story.path, story.number)
    ends = [pod.over_at for pod in pods if pod.over_at is not None]
    return len(ends) == len(pods) and max((story.recorded_at, *ends)) < due


def _unstopped(stage: "Stage", since: float) -> Iterator[tuple[str, str]]:
    """Programs that had to stop a minute ago and still run, of which their nodes say nothing."""
    seen, due = stage.seen, stage.watcher.now - _SILENCE
    for path, entry in seen.nodes.items():
        if entry["phase"] != "Running" or entry.get("reason"):
            continue
        for story in _open(stage, path, entry):
            stopped = story.stopped_at
            if stopped is None or max(since, stopped) > due:
                continue
            pods = seen.pods_of(story.path, story.number)
            if any(pod.over_at is None and pod.deleting_at is None for pod in pods):
                yield "said", f"{story.path} does not stop, and says nothing"


def _idle(stage: "Stage", since: float) -> Iterator[tuple[str, str]]:
    """Nodes that nothing keeps, and that do not begin."""
    seen, plan, due = stage.seen, stage.scenario, stage.watcher.now - _SILENCE
    phases = {path: entry["phase"] for path, entry in seen.nodes.items()}
    running = ((path, entry) for path, entry in seen.nodes.items() if entry["phase"] == "Running")
    busy = sum(max(1, len(_open(stage, path, entry))) for path, entry in running)  # items count
    main = {node.name for node in plan.nodes if not node.last}
    failed = [path for path, phase in phases.items() if phase == "Failed" and path in main]
    if busy >= plan.parallelism or any(not plan.by_name[path].tolerated for path in failed):
        return
    for node in plan.nodes:
        entry = seen.nodes.get(node.name)
        if entry is None or entry["phase"] != "Pending" or node.kind == "agent" or node.last:
            continue
        if any(phases.get(name) not in FINAL for name in node.upstream):
            continue
        ready = max((since, *(seen.ended[name] for name in node.upstream)))
        if ready < due and not entry.get("reason"):
            yield "K1", f"{node.name} can start, and has not for a minute"
