"""How a map ends: the list of outputs in one result, all else of its items in one NodeRecord."""

from collections.abc import Iterable, Mapping
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.items.states import FAILED
from waypost.api.items.status import ItemsStatus
from waypost.api.modifiers.repeat import Iterations
from waypost.api.paths import parse_path
from waypost.engine.items import records
from waypost.engine.items.working import person
from waypost.engine.scheduling import deadlines
from waypost.engine.scheduling.unread import unread_records
from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import INLINE_ITEMS, Transition
from waypost.expressions.values import Unavailable
from waypost.kube.facts.jobs import WriteProblem, lasts_long
from waypost.kube.facts.read_problems import ReadProblem
from waypost.kube.items import artifacts as item_artifacts
from waypost.kube.items.artifacts import makes_lists
from waypost.kube.items.open_map import OpenMap
from waypost.kube.items.stored import all_blocks
from waypost.kube.node_records import EVALUATED
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_SUCCEEDED: Final = frozenset("S")


def finish(transition: Transition, opened: OpenMap) -> None:
    """End a map whose items have all ended.

    It stays Running while a NodeRecord that its end needs was not read or cannot be written.
    """
    path = opened.place.path
    if all(state.letter == "S" for state in opened.states):
        opened.doomed = None  # what stopped it came too late
    elif opened.doomed is None and _undoes(transition, path):
        opened.doomed = str(Reason.ITEMS_FAILED)  # each was tried
    output: JsonValue = None
    if opened.doomed is None:
        needed = records_with_results(opened.blocks, opened.fresh, transition.payloads)
        if opened.keeps_outputs and not needed <= transition.payloads.keys():
            transition.requeue_at(transition.now)  # the next pass reads them
            return
        unread = unread_records(transition, needed) if opened.keeps_outputs else None
        if unread is not None and not _cut(transition, opened, unread):
            transition.wait_to_read(path, unread)
            return
        output = _output(transition, opened) if unread is None else None
        if unread is None:
            _doom_by_output(opened, output)
    if (sealed := _seal(transition, opened)) is None:
        return
    if opened.doomed is None and not sealed and makes_lists(transition.node(path)):
        _without_artifacts(transition, opened)
    elif opened.doomed is None:
        outcome = checkpoint(output)
        problem = transition.result_problem(path, outcome)
        opened.held = problem is not None and _is_held(transition, opened, problem)
        if problem is not None and not problem.permanent and not opened.held:
            opened.doomed = str(_ending(transition, opened))
            _fail(transition, opened, output)
            text = f"{transition.statuses[path].message}; its output could not be stored"
            transition.update(path, message=shorten(f"{text}: {problem.message}", 1024))
        else:
            transition.succeed(path, outcome)
        if opened.held:
            return
    else:
        _fail(transition, opened, output)
    transition.update(path, items=_summary(opened, sealed), attempt=opened.latest or None)


def _without_artifacts(transition: Transition, opened: OpenMap) -> None:
    """End a map whose artifacts nobody could find: the NodeRecord that lists them is refused."""
    path, ending = opened.place.path, _ending(transition, opened)
    problem = transition.items_problem(path)
    if ending is not None or problem is None:
        opened.doomed = str(ending or Reason.RECORD_REJECTED)
        _fail(transition, opened, None)
        return
    transition.without_record(path, problem, what="the list of its artifacts")


def _cut(transition: Transition, opened: OpenMap, problem: ReadProblem) -> bool:
    """Whether the map ends without its results, because it has to end now and the problem lasts."""
    reason = _ending(transition, opened)
    if reason is None or not problem.lasts_long(transition.now):
        return False
    opened.doomed = str(reason)
    return True


def _ending(transition: Transition, opened: OpenMap) -> Reason | None:
    """Why the map has to end now; None if it may wait."""
    path = opened.place.path
    if deadlines.node_over(transition, path) or deadlines.run_over(transition):
        return Reason.DEADLINE_EXCEEDED
    return Reason.CANCELLED if transition.is_cancelled else None


def _is_held(transition: Transition, opened: OpenMap, problem: WriteProblem) -> bool:
    """Whether the map waits for a NodeRecord that the API server refuses: not if it always will,
    and not for long if the map has to end now (S69)."""
    ending = _ending(transition, opened) is not None
    return not problem.permanent and not (ending and lasts_long(problem, transition.now))


def records_with_results(
    blocks: Iterable[str], fresh: Mapping[int, JsonObject], payloads: Mapping[str, JsonValue]
) -> set[str]:
    """The names of the NodeRecords with results of items, as far as they are known.

    Args:
        blocks: The blocks that the status of the map names.
        fresh: Its results that are in no block.
        payloads: The NodeRecords that were loaded, by name.
    """
    ends = list(fresh.values())
    known = all_blocks(blocks, payloads)
    for name in known:
        block = payloads.get(name)
        if isinstance(block, dict):
            ends += block["results"].values()
    return {*known, *(str(end["r"]) for end in ends if "r" in end)}


def _output(transition: Transition, opened: OpenMap) -> JsonValue:
    """The output of a map; an Unavailable if a result cannot be read."""
    if not opened.keeps_outputs:
        failed, succeeded = opened.count(FAILED), opened.count(_SUCCEEDED)
        return {"total": opened.total, "succeeded": succeeded, "failed": failed}
    results = _results(transition, opened)
    if isinstance(results, Unavailable):
        return results
    outputs: list[JsonValue] = []
    for index, state in enumerate(opened.states):
        end = results.get(index, {}) if state.letter == "S" else {}
        value = transition.payloads[end["r"]] if "r" in end else end.get("o")
        if isinstance(value, Unavailable):
            return value
        outputs.append(value)
    return outputs


def _results(transition: Transition, opened: OpenMap) -> dict[int, JsonObject] | Unavailable:
    """The results of the items, by index; an Unavailable if a block of them cannot be read."""
    results: dict[int, JsonObject] = {}
    for name in all_blocks(opened.blocks, transition.payloads):
        block = transition.payloads[name]
        if isinstance(block, Unavailable):
            return block
        results |= {int(index): end for index, end in block["results"].items()}
    return results | opened.fresh


def _doom_by_output(opened: OpenMap, output: JsonValue) -> None:
    if isinstance(output, Unavailable):
        opened.doomed = str(Reason.RESULT_LOST if output.lost else Reason.OUTPUT_TOO_LARGE)
    elif opened.keeps_outputs and len(ijson.canonical(output)) > EVALUATED:
        opened.doomed = str(Reason.OUTPUT_TOO_LARGE)


def _fail(transition: Transition, opened: OpenMap, output: JsonValue) -> None:
    path, reason = opened.place.path, opened.doomed
    if isinstance(output, Unavailable):
        transition.end(path, "Failed", Reason(reason or ""), f"an output of an item: {output.why}")
    elif reason == Reason.OUTPUT_TOO_LARGE:
        text = (
            f"the outputs of the items have more than {EVALUATED} bytes together; set "
            "forEach.collect: None, or return references"
        )
        transition.end(path, "Failed", Reason.OUTPUT_TOO_LARGE, text)
    elif reason == Reason.DEADLINE_EXCEEDED:
        deadlines.end(transition, path, detail=_counts(opened))
    elif reason == Reason.CANCELLED:
        text = f"{_why_cancelled(transition)}; {_counts(opened)}"
        transition.end(path, "Cancelled", Reason.CANCELLED, text)
    elif reason == Reason.NOT_CHOSEN:
        text = f"another candidate was chosen; {_counts(opened)}"
        transition.end(path, "Cancelled", Reason.NOT_CHOSEN, text)
    else:
        transition.end(path, "Failed", Reason.ITEMS_FAILED, _failures(transition, opened))


def _why_cancelled(transition: Transition) -> str:
    if transition.cleans_up:
        return "skipFinally is true"
    cancelled = transition.spec.cancel or transition.observed.status.cancelled_at
    return "the run was cancelled" if cancelled else "another node failed the run"


def _counts(opened: OpenMap) -> str:
    succeeded, failed = opened.count(_SUCCEEDED), opened.count(FAILED)
    return f"{succeeded} of {opened.total} items succeeded, {failed} failed"


def _failures(transition: Transition, opened: OpenMap) -> str:
    if _undoes(transition, opened.place.path):
        loop = isinstance(transition.node(opened.place.path).for_each, Iterations)
        return _not_undone(opened, "iterations" if loop else "items")
    for_each = transition.node(opened.place.path).for_each
    allowed = for_each.allowed_failures(opened.total) if for_each else 0
    text = f"{opened.failed} of {opened.total} items failed, forEach.tolerate allows {allowed}"
    for failure in opened.failures:
        text += f"; {person(failure.index, opened)}: {failure.reason}: {failure.message or ''}"
    return shorten(text, 1024)


def _undoes(transition: Transition, path: str) -> bool:
    """Whether this map is the compensation of one."""
    return path in transition.graph.compensations


def _not_undone(opened: OpenMap, parts: str) -> str:
    """Which items of a map, or iterations of a loop, were not undone, by their paths."""
    content = opened.content if isinstance(opened.content, dict) else {}
    indexes, name = content.get("items") or (), parse_path(opened.place.path).node
    text = f"{opened.failed} of {opened.total} {parts} were not undone"
    for failure in opened.failures:
        known = failure.index < len(indexes)
        which = f"{name}/{indexes[failure.index]}" if known else person(failure.index, opened)
        text += f"; {which}: {failure.reason}: {failure.message or ''}"
    return shorten(text, 1024)


def _summary(opened: OpenMap, sealed: str) -> ItemsStatus:
    return ItemsStatus(
        round=opened.items.round,
        total=opened.total,
        succeeded=opened.count(_SUCCEEDED),
        failed=opened.count(FAILED),
        source=opened.items.source,
        reasons=opened.reasons or None,
        failures=opened.failures or None,
        repeated=opened.items.repeated,
        sealed=sealed or None,
    )


def _seal(transition: Transition, opened: OpenMap) -> str | None:
    """Store what a later round needs of the items.

    Returns:
        The name of the NodeRecord; "" if the map ends without it, because the API server refuses it
        permanently or the map has to end now; None if the map has to wait for it.
    """
    path = opened.place.path
    problem = transition.items_problem(path)
    if problem is not None:
        opened.held = _is_held(transition, opened, problem)
        if opened.held:
            transition.hold(path, problem)
        return None if opened.held else ""
    made = _made(transition, opened)
    if opened.fresh_size > INLINE_ITEMS:
        opened.blocks = records.add_blocks(transition, path, opened.blocks, opened.fresh)
        opened.fresh = {}
    stored = opened.status()
    content: JsonObject = {
        "total": opened.total,
        "states": stored.states or "",
        "list": opened.items.list_record,
        "blocks": list(opened.blocks),
        "results": stored.fresh or {},
    }
    content |= made
    name = records.put(transition, path, content)
    if made:
        transition.payloads[name] = content  # nodes that start in this pass read it
    return name


def _made(transition: Transition, opened: OpenMap) -> JsonObject:
    """The artifacts of the items of a map that succeeds; empty for another one."""
    node = transition.node(opened.place.path)
    if opened.doomed is not None or not makes_lists(node):
        return {}
    results = _results(transition, opened)
    return (
        {}
        if isinstance(results, Unavailable)
        else item_artifacts.content(node, results, opened.total)
    )
