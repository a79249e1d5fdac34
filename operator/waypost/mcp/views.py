"""What the tools answer: the documents that commands print with `-o json`, bounded in size."""

import json
from collections.abc import Sequence
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.paths import entry_of, node_of
from waypost.cli.connection.cluster import Session, find_run
from waypost.cli.connection.definitions import definition
from waypost.cli.connection.pages import read_list
from waypost.cli.errors import CommandError, Exit, no_node
from waypost.cli.lint import linter, manifests, templates
from waypost.cli.lint.output import as_json
from waypost.cli.reading.compared import compared
from waypost.cli.reading.describe import describe
from waypost.cli.reading.node_logs import read_node_log
from waypost.cli.reading.node_values import read_node_io
from waypost.cli.reading.rounds import preview
from waypost.ports.cluster import Kind
from waypost.views.approvals import approval_row
from waypost.views.cost import run_cost
from waypost.views.models import RunView
from waypost.views.row import row

MAX_BYTES: Final = 100_000  # of an answer: it becomes part of the context of a model
MAX_RUNS: Final = 100
MAX_LINES: Final = 1000


async def list_runs(
    session: Session, *, phase: str, labels: str, everywhere: bool, limit: int, token: str
) -> JsonObject:
    """A page of rows, and the token of the next one. Raises CommandError, ClusterError."""
    limit = min(max(limit, 1), MAX_RUNS)
    found, rest = await read_list(
        session,
        Kind.AGENT_WORKFLOW,
        row,
        everywhere=everywhere,
        labels=labels,
        limit=limit,
        token=token,
    )
    kept = [one for one in found if not phase or one.phase == phase]
    return bounded({"items": [one.to_json() for one in kept], "continue": rest}, "a lower limit")


async def get_run(
    session: Session, name: str, *, nodes: Sequence[str], with_calls: bool
) -> JsonObject:
    """A run with these nodes, all of them if none is named; `with_calls`: with the traces of its
    attempts. Raises CommandError, ClusterError, CannotShow."""
    found = await describe(session, await find_run(session, name), with_traces=with_calls)
    return bounded(_only(found, nodes).to_json(), "the names of some nodes in `nodes`")


async def node_values(session: Session, name: str, node: str) -> JsonObject:
    """Inputs and output of a node, or of a part of it, with schemas. Raises as `get_run`."""
    run = await find_run(session, name)
    known = await definition(session, run)
    if node_of(node) not in known.graph.nodes:
        raise no_node(name, node, known.graph.order)
    found = (await read_node_io(session, run, known, node)).to_json()
    return bounded(found, "`waypost io` in a terminal")


async def node_log(
    session: Session, name: str, node: str, *, attempt: int | None, lines: int
) -> JsonObject:
    """The last lines of the log of a node. Raises as `get_run`."""
    run = await find_run(session, name)
    found = await read_node_log(
        session,
        run,
        node,
        attempt=attempt,
        lines=min(max(lines, 1), MAX_LINES),
        limit_bytes=MAX_BYTES // 2,
    )
    about = {"pod": found.pod, "attempt": found.attempt, "source": found.source}
    return {**about, **({"notes": found.notes} if found.notes else {}), "log": found.text}


async def cost(session: Session, name: str) -> JsonObject:
    """What a run used, by node and by model. Raises as `get_run`."""
    run = await find_run(session, name)
    found = run_cost(await describe(session, run, with_traces=True))
    return bounded(found.to_json(), "`waypost cost` in a terminal")


async def differences(session: Session, name: str, other: str) -> JsonObject:
    """How two runs differ. Raises as `get_run`."""
    found = await compared(session, name, other)
    return bounded(found.to_json(), "`waypost diff` in a terminal")


async def rerun(
    session: Session, name: str, *, from_nodes: Sequence[str], skip: Sequence[str]
) -> JsonObject:
    """What the next round would keep, run and skip. Raises as `get_run`."""
    asked = {"from": list(from_nodes), "skip": list(skip)}
    found = await preview(session, name, {key: value for key, value in asked.items() if value})
    return bounded(found.to_json(), "`waypost rerun --dry-run` in a terminal")


async def approvals(session: Session, *, answered: bool, everywhere: bool) -> JsonObject:
    """The questions, oldest first. Raises as `list_runs`."""
    found, _ = await read_list(session, Kind.APPROVAL, approval_row, everywhere=everywhere)
    kept = [one for one in found if answered or one.state == "Open"]
    kept.sort(key=lambda one: one.created_at or "")
    listed = {"items": [one.to_json() for one in kept[:MAX_RUNS]], "total": len(kept)}
    return bounded(listed, "one namespace")


def lint(manifest: str) -> JsonObject:
    """The findings of lint on the text of manifests. Raises CommandError."""
    try:
        found = [one for one in manifests.documents(manifest) if linter.is_ours(one.value)]
    except manifests.Unreadable as error:
        raise CommandError(f"manifest: {error}", code=Exit.USAGE) from error
    if not found:
        text = "manifest: no object of Waypost; expected apiVersion waypost.dev/v1alpha1"
        raise CommandError(text, code=Exit.USAGE)
    known = templates.Templates(document.value for document in found)
    findings = [each for one in found for each in linter.lint("manifest", one, known)]
    report: JsonObject = json.loads(as_json(findings, objects=len(found)))
    return bounded(report, "fewer objects")


def bounded(document: JsonObject, instead: str) -> JsonObject:
    """The document. Raises CommandError if it is larger than MAX_BYTES; `instead` says what to ask
    for."""
    size = len(json.dumps(document, ensure_ascii=False).encode())
    if size > MAX_BYTES:
        text = f"the answer has {size:,} bytes, more than {MAX_BYTES:,}; ask for {instead}"
        raise CommandError(text, code=Exit.USAGE)
    return document


def _only(run: RunView, nodes: Sequence[str]) -> RunView:
    if not nodes:
        return run
    entries = {node: entry_of(node) for node in nodes}
    kept = [node for node in run.nodes if node.path in entries.values()]
    if missing := [node for node in nodes if entries[node] not in {one.path for one in kept}]:
        raise no_node(run.name, missing[0], [node.path for node in run.nodes])
    return run.model_copy(update={"nodes": kept})
