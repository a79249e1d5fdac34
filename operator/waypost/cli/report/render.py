"""Prints reports: with colours on a terminal, as plain text elsewhere."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from waypost.api.state.usage import Usage
from waypost.cli.report import format, isolation
from waypost.kube.timestamps import parse_timestamp
from waypost.protocol.text import printable
from waypost.views.models import (
    ApprovalView,
    AttemptView,
    ItemsView,
    ModelView,
    NodeView,
    RunMemory,
    RunView,
)

_STYLES: Final = {
    "Succeeded": "green",
    "Approved": "green",
    "Running": "cyan",
    "Waiting": "yellow",
    "Open": "yellow",
    "Paused": "yellow",
    "Suspended": "yellow",
    "Backoff": "yellow",
    "Failed": "red",
    "Rejected": "red",
    "Pending": "dim",
    "Skipped": "dim",
    "keep": "green",
    "run": "cyan",
    "skip": "dim",
    "ok": "green",
    "warning": "yellow",
    "failed": "red",
}
_UNFOLDED: Final = 10_000  # columns
Row = tuple[str, ...]

_TITLES = {"Compensating": "compensation", "Finalizing": "finally"}


class _SafeConsole(Console):
    """A console that prints no character which a terminal would obey: no text is trusted."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything that is printed; colours are added to them later."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def console() -> Console:
    """Standard output: as wide as the terminal; in a pipe, lines of any length, so that grep works.
    Colours on a terminal only, and never with NO_COLOR."""
    width = None if sys.stdout.isatty() else _UNFOLDED
    return _SafeConsole(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def show(out: Console, what: Tree | Table | Text) -> None:
    """Print; lines that are too long for the terminal are cut, not wrapped."""
    out.print(what, no_wrap=True, overflow="ellipsis", crop=True)


def style_of(outcome: str) -> str:
    """The colour of a phase, state or reason."""
    return _STYLES.get(outcome, "none")


def headline(run: RunView) -> Text:
    """`release-notes  Running  3/7  12.1s  in demo`."""
    line = Text(run.name, style="bold")
    line.append("  ").append(run.phase, style=_STYLES.get(run.phase, "red"))
    facts = [run.progress, format.duration(run.seconds), f"in {run.namespace}"]
    if run.round > 1:
        facts.append(f"round {run.round}")
    line.append(f"  {'  '.join(fact for fact in facts if fact)}", style="none")
    return line


def _memory(memory: RunMemory) -> str:
    counts = (format.count(memory.episodes, "episode"), format.count(memory.facts, "fact"))
    read = f"{memory.key} in {memory.scope}: read {' and '.join(counts)}"
    waiting = format.count(memory.unwritten, "record") if memory.unwritten else ""
    return f"{read}; {waiting} not written yet" if waiting else read


def details(run: RunView) -> Iterator[Text]:
    """The lines below the headline: usage, budget, what the run waits for, why it failed."""
    if run.usage:
        yield Text(f"used     {format.usage(run.usage)}")
    if run.budget:
        parts = ", ".join(f"{key} {value}" for key, value in run.budget.items())
        yield Text(f"budget   {format.tame(parts)}")
    for line in isolation.lines(run.isolation or ()):
        yield Text(f"isolated {line}")
    if run.verdict and not run.finished_at:
        stage = "undo    " if run.stage == "Compensating" else "finally "
        yield Text(f"{stage} runs after {run.verdict.phase} ({run.verdict.reason})")
    if by := _started_by(run):
        yield Text(f"by       {format.tame(by)}")
    if run.memory:
        yield Text(f"memory   {format.tame(_memory(run.memory))}")
    if run.template:
        pin = run.template
        yield Text(f"template {pin.name}, generation {pin.generation}, {pin.digest[:19]}")
    if run.waiting:
        yield Text(f"waiting  {format.tame(run.waiting)}")
    for obstacle in run.obstacles:
        where = f"{obstacle.node}: " if obstacle.node else ""
        hint = f"  ({obstacle.command})" if obstacle.command else ""
        yield Text(f"stuck    {where}{format.tame(obstacle.text, limit=400)}{hint}")
    if run.message and run.phase in ("Failed", "Rejected", "Cancelled", "Paused"):
        yield Text(f"why      {run.reason}: {format.tame(run.message, limit=1000)}")
    if run.compensation:
        yield Text(f"undo     {format.tame(run.compensation, limit=1000)}")


def _started_by(run: RunView) -> str:
    """`ann; last round by bob`, `ann; from schedule nightly`; "" if nobody is known."""
    round_ = f"last round by {run.round_requested_by}" if run.round_requested_by else ""
    facts = (run.requested_by or "", f"from {run.origin}" if run.origin else "", round_)
    return "; ".join(fact for fact in facts if fact)


def node_table(run: RunView, *, wide: bool) -> Table:
    """One line per node, formatted as kubectl does."""
    columns = ["NODE", "KIND", "PHASE", "ATTEMPTS", "TIME", "TOKENS", "TOOLS", "COST"]
    columns += ["MODEL CALLS", "RE-ASKS", "WAITS", "JOB"] if wide else []
    again = run.round > 1
    columns += [f"ROUND {run.round}"] if again else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="none")
    for column in [*columns, "REASON"]:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for node in run.nodes:
        if title := _begins(run, node):
            table.add_row(Text(f"{title}:", style="dim"))
        cells = [*_cells(node), *(_wide_cells(node) if wide else ())]
        cells += [node.disposition or "-"] if again else []
        row = [Text(cell) for cell in [*cells, format.tame(_why(node), limit=160)]]
        row[2].stylize(_STYLES.get(node.phase, "red"))
        table.add_row(*row)
    return table


def _cells(node: NodeView) -> Row:
    used = node.usage or Usage()
    total = (used.input_tokens or 0) + (used.output_tokens or 0)
    return (
        f"{node.path} {_counts(node.items)}" if node.items else node.path,
        node.kind,
        node.phase,
        str(node.attempt or "-"),
        format.duration(node.seconds),
        f"{total:,}" if total else "-",
        str(used.tool_calls or "-"),
        format.cost(used.cost_usd, estimated=bool(used.estimated_model_calls)) or "-",
    )


def _counts(items: ItemsView) -> str:
    """How many items of a map have a result: `12/60`, or `12/60, 1 failed`."""
    failed = f", {items.failed} failed" if items.failed else ""
    return f"{items.succeeded}/{items.total}{failed}"


def _wide_cells(node: NodeView) -> Row:
    used = node.usage or Usage()
    counts = (used.model_calls, used.reasks, used.provider_waits)
    job = node.attempts[-1].job if node.attempts else "-"
    return (*(str(number or "-") for number in counts), job)


def _why(node: NodeView) -> str:
    if node.phase == "Succeeded":
        return _choice(node)
    if node.approval is not None and not node.finished_at:
        return asked(node.approval)
    if node.phase == "Running" and node.iteration is not None and node.reason is None:
        return f"iteration {node.iteration}"
    if node.phase == "Waiting" and node.rejected and node.reason is None:
        return _choice(node)
    return ": ".join(part for part in (node.reason, node.message) if part)


def _choice(node: NodeView) -> str:
    """What a first node has chosen and not accepted; "" of other nodes."""
    chosen = f"chose {node.chosen}" if node.chosen else ""
    rejected = f"not accepted: {', '.join(node.rejected)}" if node.rejected else ""
    return "; ".join(part for part in (chosen, rejected) if part)


def tree(run: RunView) -> Tree:
    """The run, its nodes, their attempts, and the calls made in each attempt."""
    top = trunk = Tree(headline(run), guide_style="dim")
    for node in run.nodes:
        if title := _begins(run, node):
            top = trunk.add(Text(title))
        facts = [format.duration(node.seconds), format.usage(node.usage)]
        if node.items is not None:
            facts.append(f"{_counts(node.items)} items")
        if node.disposition:
            why = format.tame(node.disposition_message or "")
            facts.append(f"{node.disposition}: {why}" if why else node.disposition)
        branch = top.add(_line(node.path, node.kind, node.phase, facts, why=_why(node)))
        if node.approval is not None and node.finished_at:
            branch.add(Text(asked(node.approval)))
        if node.items is not None:
            _add_items(branch, node.items)
        hidden = node.attempt - len(node.attempts) if node.items is None else 0
        for index, attempt in enumerate(node.attempts):
            if hidden > 0 and index == 1:
                branch.add(
                    Text(f"{format.count(hidden, 'attempt')} not kept in status", style="dim")
                )
            _add_attempt(branch, attempt)
    return trunk


def _add_items(branch: Tree, items: ItemsView) -> None:
    """The items of a map that failed, are open, or were repeated."""
    for item in items.listed:
        why = format.tame(": ".join(part for part in (item.reason, item.message) if part))
        facts = [format.count(item.attempts, "attempt")]
        if item.child is not None:
            facts = [f"run {item.child}"]
        if item.undoes is not None:
            facts.append(f"undoes {item.undoes}")
        branch.add(_line(item.path, "item", item.state, facts, why=why))
    if items.more:
        branch.add(Text(f"{items.more} more items failed, run or were repeated", style="dim"))


def _begins(run: RunView, node: NodeView) -> str:
    """The title of the stage that begins with this node; "" if none does."""
    first = next(one for one in run.nodes if one.stage == node.stage)
    return _TITLES.get(node.stage or "", "") if node is first else ""


def _add_attempt(branch: Tree, attempt: AttemptView) -> None:
    outcome = attempt.reason or ("Running" if attempt.started_at else "Pending")
    facts = [format.duration(attempt.seconds)]
    if (attempt.queue_seconds or 0) >= 1:
        facts.append(f"queued {format.duration(attempt.queue_seconds)}{_split(attempt)}")
    facts.append(format.usage(attempt.usage))
    carried = format.usage(attempt.carried)
    facts.append(f"from earlier attempts: {carried}" if carried else "-")
    why = "" if outcome == "Succeeded" else attempt.message or ""
    part = f" of iteration {attempt.iteration + 1}" if attempt.iteration is not None else ""
    inner = branch.add(_line(f"attempt {attempt.number}{part}", "", outcome, facts, why=why))
    if attempt.trace is None:
        return
    for entry in attempt.trace.entries:
        inner.add(_entry_line(entry, since=attempt.started_at or attempt.launched_at))
    if len(attempt.trace.models) > 1:  # of one, the line of the attempt has the sums
        for used in attempt.trace.models:
            inner.add(Text(_model_line(used), style="dim"))
    if attempt.trace.note:
        inner.add(Text(f"trace: {format.tame(attempt.trace.note)}", style="dim"))
    if attempt.trace.dropped:
        inner.add(Text(_more_entries(attempt.trace.dropped), style="dim"))


def _split(attempt: AttemptView) -> str:
    """` (queue 0.4s, pull 3.1s)`: the parts before the start of an attempt, if they are known."""
    parts = [part for part in attempt.segments if part.name != "work"]
    if len(parts) < 2:
        return ""
    return f" ({', '.join(f'{part.name} {format.duration(part.seconds)}' for part in parts)})"


def _line(name: str, kind: str, outcome: str, facts: list[str], *, why: str) -> Text:
    line = Text(name)
    if kind:
        line.append(f"  {kind}", style="dim")
    line.append("  ").append(outcome, style=_STYLES.get(outcome, "red"))
    details_ = format.joined(fact for fact in facts if fact != "-")
    line.append(f"  {details_}" if details_ else "", style="none")
    line.append(f"  {format.tame(why)}" if why else "", style="none")
    return line


def _entry_line(entry: dict[str, Any], *, since: str) -> Text:
    """`+1.3s  tool search (runbooks)  0.2s  ok`."""
    start, end, zero = (
        parse_timestamp(str(text)) for text in (entry.get("start"), entry.get("end"), since)
    )
    offset = f"+{(start - zero).total_seconds():.1f}s" if start and zero else "+?"
    seconds = (end - start).total_seconds() if start and end else None
    what, result, good = said(entry)
    if entry.get("replayed") is True:
        result = format.joined([result, "replayed"])
    line = Text(f"{offset}  ", style="dim").append(format.tame(what), style="none")
    if entry.get("type") != "reask":
        line.append(f"  {format.duration(seconds)}", style="none")
    return line.append(
        f"  {format.tame(result)}" if result else "", style="none" if good else "red"
    )


def said(entry: dict[str, Any]) -> tuple[str, str, bool]:
    """What was called, the result in words, and whether it succeeded."""
    error = str(entry.get("error") or "")
    match entry.get("type"):
        case "model":
            counted = (entry.get(key) for key in ("inputTokens", "cachedTokens", "outputTokens"))
            result = error or format.joined(
                [format.tokens(*counted), _first_byte(entry), str(entry.get("finish") or "")]
            )
            provider = f" ({entry['provider']})" if entry.get("provider") else ""
            return f"chat {entry.get('model')}{provider}", result, not error
        case "tool":
            server = f" ({entry['server']})" if entry.get("server") else ""
            outcome = str(entry.get("outcome"))
            result = ": ".join(part for part in (outcome, error) if part)
            result = format.joined([result, _content(entry)])
            return f"tool {entry.get('name')}{server}", result, outcome == "ok"
        case "reask":
            return "re-ask", str(entry.get("message") or ""), False
        case "wait":
            return "wait", str(entry.get("reason") or ""), False
        case other:
            return str(other), "", True


def _content(entry: dict[str, Any]) -> str:
    """`{"query": "tides"} → ["high"]`: what the installation lets a trace have of a tool call."""
    given, gave = (format.tame(str(entry.get(key) or "")) for key in ("arguments", "result"))
    return f"{given} → {gave}" if gave else given


def _first_byte(entry: dict[str, Any]) -> str:
    seconds = entry.get("firstByteSeconds")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return f"first byte {format.duration(seconds)}" if known else ""


# Of the name of who answered: whether the API server has checked it.
_VERIFIED: Final = {True: "(verified)", False: "(declared, not verified)", None: ""}


def asked(approval: ApprovalView) -> str:
    """`approval release-notes-review-1-7c1f Approved by ann`."""
    people = approval.approvers
    whom = (
        ", ".join([*(people.users or ()), *(f"group {g}" for g in people.groups or ())])
        if people
        else ""
    )
    open_ = approval.state == "Open"
    parts = [
        f"approval {approval.name} {approval.state}",
        f"by {approval.decided_by}" if approval.decided_by else "",
        _VERIFIED[approval.identity_verified] if approval.decided_by else "",
        f"asked {whom}" if open_ and whom else "",
        f"not {', '.join(approval.requesters)}" if open_ and approval.requesters else "",
        f"(escalation level {approval.level})" if approval.level else "",
        f"votes {approval.votes}" if approval.votes else "",
        f"until {approval.expires_at}" if open_ and approval.expires_at else "",
        f"({approval.reason})" if approval.reason else "",
    ]
    return " ".join(part for part in parts if part)


def _model_line(used: ModelView) -> str:
    provider = f" ({used.provider})" if used.provider else ""
    facts = [
        format.count(used.calls, "call"),
        format.count(used.errors, "error") if used.errors else "-",
        format.tokens(used.input_tokens, used.cached_tokens, used.output_tokens),
        format.cost(used.cost_usd, estimated=bool(used.estimated_calls)) or "-",
    ]
    return format.tame(f"in all {used.model}{provider}: ") + format.joined(
        fact for fact in facts if fact != "-"
    )


def _more_entries(number: int) -> str:
    return "1 more entry" if number == 1 else f"{number:,} more entries"
