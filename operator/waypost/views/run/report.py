"""A run as one document of a bounded size."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from waypost import __version__
from waypost.api.base import JsonObject
from waypost.kube.objects import section
from waypost.kube.timestamps import timestamp
from waypost.views.documents import NodeIo, RunGraph, RunReport
from waypost.views.models import AttemptView, NodeView, RunView, TraceView
from waypost.views.run.manifest import run_manifest

TRACES: Final = 4 * 1024 * 1024  # bytes of JSON of all entries of traces
VALUES: Final = 4 * 1024 * 1024  # of all inputs and outputs
VALUE: Final = 256 * 1024  # of the inputs and the output of one node
MANIFEST: Final = 1024 * 1024
_LISTED: Final = 5  # paths in a sentence


def run_report(
    body: JsonObject,
    run: RunView,
    graph: RunGraph,
    *,
    values: Iterable[NodeIo] | None,
    now: datetime,
) -> RunReport:
    """The report of a run.

    Args:
        body: The AgentWorkflow object.
        run: The run with its traces.
        graph: Its graph.
        values: Inputs and outputs of its nodes; None if they were not asked for.
        now: When it was read.

    Returns:
        The report. Traces and values beyond the limits are not in it; `left_out` says so.
    """
    spec = section(body, "spec")
    shown, cut = _with_traces(run)
    kept, large = _within(values or ())
    manifest = run_manifest(body) if values is not None else None
    whole = manifest is None or _size(manifest.to_json()) <= MANIFEST
    notes = [
        _note("model and tool calls", cut, f"waypost trace {run.name} -o json"),
        _note("inputs and output", large, f"waypost io {run.name} NODE"),
        "" if whole else _note("the manifest", [run.name], f"kubectl get agentworkflow {run.name}"),
    ]
    return RunReport(
        run=shown,
        graph=graph,
        suspended=spec.get("suspend") is True,
        cancelled=spec.get("cancel") is True,
        with_values=values is not None,
        values=kept,
        manifest=manifest if whole else None,
        left_out=[note for note in notes if note],
        read_at=timestamp(now),
        version=__version__,
    )


def _with_traces(run: RunView) -> tuple[RunView, list[str]]:
    """The run with as many traces as the limit allows, the latest attempts first; and the nodes
    that have fewer now."""
    left, cut = TRACES, dict[str, None]()
    nodes: list[NodeView] = []
    for node in run.nodes:
        attempts: list[AttemptView] = []
        for attempt in reversed(node.attempts):
            size = _size(attempt.trace.entries) if attempt.trace else 0
            if size > left:
                cut[node.path] = None
                attempts.append(attempt.model_copy(update={"trace": _without(attempt.trace)}))
                continue
            left -= size
            attempts.append(attempt)
        nodes.append(node.model_copy(update={"attempts": attempts[::-1]}))
    return run.model_copy(update={"nodes": nodes}), list(cut)


def _without(trace: TraceView | None) -> TraceView | None:
    if trace is None:
        return None
    note = f"{len(trace.entries)} entries are left out of this report, which would be too large"
    return trace.model_copy(update={"entries": [], "note": note})


def _within(values: Iterable[NodeIo]) -> tuple[dict[str, NodeIo], list[str]]:
    """The values that the limits allow, and the paths of those that they do not."""
    left, kept, large = VALUES, dict[str, NodeIo](), list[str]()
    for value in values:
        size = _size(value.to_json())
        if size > min(VALUE, left):
            large.append(value.path)
            continue
        left -= size
        kept[value.path] = value
    return kept, large


def _size(value: object) -> int:
    return len(json.dumps(value))


def _note(what: str, paths: list[str], command: str) -> str:
    if not paths:
        return ""
    return f"{what} of {', '.join(_some(paths))}: too large for a report; see {command}"


def _some(paths: list[str]) -> Iterator[str]:
    yield from paths[:_LISTED]
    if len(paths) > _LISTED:
        yield f"and {len(paths) - _LISTED} more nodes"
