"""The judgement of a map whose list or last states could not be stored: a policy refused the
NodeRecord. Without its list it fails before it begins (S69). Without its last states its status has
only counts, and these are compared with what its programs did (VM4)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import Obj

from tests.fakes.nodes.programs import node_of
from tests.simulation.reference.interpreter import End
from tests.simulation.scenario.plan import RUN, Node
from tests.simulation.watching.evidence import Evidence, Violation

_ONE_PASS: Final = 12.0  # seconds between a refusal and the status that follows from it
_PATIENCE: Final = 29.0  # how long a map that has to end waits for a record, in seconds


def is_unsealed(node: Node, entry: Obj, seen: Evidence, *, limited: bool) -> bool:
    """Whether a map ended without a record because the API server refused it: permanently, or for
    30 seconds when the map had to end (S69).

    Args:
        node: The map.
        entry: Its status.
        seen: What was seen of the run.
        limited: Whether the run, or the map, had a deadline or was cancelled.
    """
    ended, prefix = seen.ended[node.name], _prefix(node)
    held = any(
        name.startswith(prefix) and ended - last <= _ONE_PASS and ended - first >= _PATIENCE
        for name, (first, last) in seen.held_records.items()
    )
    found = _is_refused(node, seen) or (held and limited)
    return found and not section(entry, "items").get("sealed")


def unstored(node: Node, seen: Evidence) -> set[End]:
    """How a map also ends whose list the API server refused permanently, whatever its items would
    have done."""
    refused = node.is_map and _is_refused(node, seen)
    return {End("Failed", "RecordRejected")} if refused else set()


def _is_refused(node: Node, seen: Evidence) -> bool:
    """Whether a record of a map was refused permanently when the map ended."""
    ended, prefix = seen.ended.get(node.name, float("-inf")), _prefix(node)
    return any(
        name.startswith(prefix) and ended - _ONE_PASS <= at <= ended
        for name, at in seen.refused_records.items()
    )


def _prefix(node: Node) -> str:
    """The beginning of the names of its records."""
    return f"{RUN}-{node.name}-items-"


def output(
    node: Node,
    entry: Obj,
    end: End,
    seen: Evidence,
    *,
    values: Sequence[int],
    given: Sequence[tuple[str, Any]],
) -> Iterator[Violation]:
    """What is wrong with the output of such a map.

    Args:
        node: The map.
        entry: Its status.
        end: How it ended, with its output.
        seen: What was seen of the run.
        values: Its list.
        given: What its programs gave, each with its item as JSON text.
    """
    stored = section(entry, "items")
    total, good, failed = (stored.get(field) or 0 for field in ("total", "succeeded", "failed"))
    if total != len(values) or good + failed != total or failed > node.allowed_failures(total):
        text = f"{node.name} Succeeded: {good} of {total} items, {failed} failed of {len(values)}"
        yield Violation("VM4", text)
    stories = [s for (path, _), s in seen.attempts.items() if node_of(path) == node.name]
    least = len({story.path for story in stories if story.reason == "Succeeded"})
    unknown = len({story.path for story in stories if not story.reason})
    if not least <= good <= least + unknown:
        text = f"{node.name}: {good} items succeeded, by the attempts {least} to {least + unknown}"
        yield Violation("VM4", text)
    if not node.collects:
        expected: Any = {"total": total, "succeeded": good, "failed": failed}
        if end.output != expected:
            yield Violation("VM4", f"{node.name}: expected {expected}, found {end.output}")
        return
    found = end.output if isinstance(end.output, list) else []
    if len(found) != len(values) or found.count(None) < failed:
        yield Violation("VM4", f"{node.name}: {failed} of {len(values)} failed: {end.output}")
        return
    for at, (value, output) in enumerate(zip(values, found, strict=True)):
        legal = [made for item, made in given if item == json.dumps(value)]
        if output is not None and output not in legal:
            text = f"{node.name}/{at}: its output is {output}, its programs gave {legal}"
            yield Violation("VM4", text)
