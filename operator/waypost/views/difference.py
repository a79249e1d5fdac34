"""How two runs differ: definition, inputs, outputs, and what became of each node."""

from typing import Any

from waypost.api.base import JsonObject
from waypost.kube.objects import section
from waypost.views.documents import Change, NodePair, RunDifference
from waypost.views.json_changes import changes
from waypost.views.models import NodeView, RunView
from waypost.views.row import row

# Fields of a spec that say nothing about what the run does, or are shown elsewhere.
_LEFT_OUT = (
    "rerun",
    "inputs",
    "requestedBy",
    "origin",
    "parent",
    "suspend",
    "cancel",
    "skipFinally",
)


def difference(
    runs: tuple[JsonObject, JsonObject],
    views: tuple[RunView, RunView],
    bodies: tuple[JsonObject, JsonObject] = ({}, {}),
) -> RunDifference:
    """Compare two runs.

    Args:
        runs: The AgentWorkflow objects.
        views: The same, described.
        bodies: What each took from its template; empty for a run with its own nodes.
    """
    specs = [{**body, **_spec(run)} for run, body in zip(runs, bodies, strict=True)]
    spec, more = changes(*specs)
    inputs, more_inputs = changes(*(_inputs(run) for run in runs))
    outputs, more_outputs = changes(*(section(run, "status").get("outputs") for run in runs))
    return RunDifference(
        runs=[row(run) for run in runs],
        spec=spec,
        inputs=inputs,
        outputs=outputs,
        more=more + more_inputs + more_outputs,
        nodes=_pairs(*views),
    )


def _spec(run: JsonObject) -> JsonObject:
    return {key: value for key, value in section(run, "spec").items() if key not in _LEFT_OUT}


def _inputs(run: JsonObject) -> Any:
    """The inputs of a run, with defaults as soon as they are known."""
    return section(run, "status").get("inputs") or section(run, "spec").get("inputs") or {}


def _pairs(first: RunView, second: RunView) -> list[NodePair]:
    left = {node.path: node for node in first.nodes}
    right = {node.path: node for node in second.nodes}
    paths = dict.fromkeys([*left, *right])
    return [_pair(path, left.get(path), right.get(path)) for path in paths]


def _pair(path: str, first: NodeView | None, second: NodeView | None) -> NodePair:
    both = (first, second)
    output = _output(first, second)
    phases = [node.phase if node else None for node in both]
    reasons = [node.reason if node else None for node in both]
    return NodePair(
        path=path,
        phases=phases,
        reasons=reasons,
        attempts=[node.attempt if node else None for node in both],
        seconds=[node.seconds if node else None for node in both],
        costs=[node.usage.cost_usd if node and node.usage else None for node in both],
        output=output,
        differs=output == "changed" or len(set(phases)) > 1 or len(set(reasons)) > 1,
    )


def _output(first: NodeView | None, second: NodeView | None) -> str:
    digests = [node.output_digest if node else None for node in (first, second)]
    if None in digests:
        return "unknown"
    return "same" if digests[0] == digests[1] else "changed"


def as_lines(listed: list[Change]) -> list[str]:
    """Changes as lines of text: `+ path: value`, `- path: value`, `~ path: before -> after`."""
    lines = []
    for change in listed:
        if change.before is None:
            lines.append(f"+ {change.path}: {change.after}")
        elif change.after is None:
            lines.append(f"- {change.path}: {change.before}")
        else:
            lines.append(f"~ {change.path}: {change.before} -> {change.after}")
    return lines
