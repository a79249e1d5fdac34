"""The nodes of a run: a table, and what happened in each of them."""

from typing import Any

from waypost.cli.report import format, render
from waypost.cli.report.html.markup import Markup, element, joined, phase, table
from waypost.views.models import AttemptView, NodeView, RunView


def node_table(run: RunView) -> Markup:
    """One row a node, each with a link to its details."""
    rows: list[tuple[object, ...]] = [
        (
            element("a", node.path, href=f"#n{at}"),
            node.kind,
            phase(node.phase),
            node.attempt or "-",
            format.duration(node.seconds),
            format.usage(node.usage) or "-",
            _why(node),
        )
        for at, node in enumerate(run.nodes)
    ]
    return table(("Node", "Kind", "Phase", "Attempts", "Time", "Used", "Why"), rows)


def node_details(run: RunView) -> Markup:
    """Each node as a section that opens; failed ones are open."""
    return joined(*(_details(node, at) for at, node in enumerate(run.nodes)))


def _why(node: NodeView) -> str:
    return ": ".join(part for part in (node.reason, node.message) if part)


def _details(node: NodeView, at: int) -> Markup:
    head = joined(node.path, element("small", node.kind), phase(node.phase))
    facts = [format.duration(node.seconds), format.usage(node.usage), _why(node)]
    parts: list[Markup] = [
        element("summary", head),
        element("p", format.joined(fact for fact in facts if fact != "-")),
    ]
    if node.disposition:
        words = ": ".join(part for part in (node.disposition, node.disposition_message) if part)
        parts.append(element("p", words))
    if node.approval is not None:
        parts.append(element("p", render.asked(node.approval)))
        if node.approval.message:
            parts.append(element("p", node.approval.message, class_="quote"))
    if node.items is not None:
        listed: list[tuple[object, ...]] = [
            (item.path, phase(item.state), item.attempts, item.reason or "", item.message or "")
            for item in node.items.listed
        ]
        words = f"{node.items.succeeded} of {node.items.total} items succeeded"
        parts.append(element("p", f"{words}, {node.items.failed} failed"))
        parts.append(table(("Item", "State", "Attempts", "Reason", "Message"), listed))
    hidden = node.attempt - len(node.attempts) if node.items is None else 0
    if hidden > 0:
        parts.append(element("p", f"{format.count(hidden, 'attempt')} not kept in status"))
    parts += [_attempt(attempt) for attempt in node.attempts]
    opened = "" if node.phase == "Failed" else None
    return element("details", *parts, id=f"n{at}", open=opened)


def _attempt(attempt: AttemptView) -> Markup:
    outcome = attempt.reason or ("Running" if attempt.started_at else "Pending")
    split = ", ".join(f"{part.name} {format.duration(part.seconds)}" for part in attempt.segments)
    facts = [split, format.usage(attempt.usage), f"Job {attempt.job}"]
    parts = [
        element("h4", f"attempt {attempt.number}", phase(outcome, like=_like(outcome))),
        element("p", format.joined(facts)),
    ]
    if attempt.message and outcome != "Succeeded":
        parts.append(element("p", attempt.message, class_="quote"))
    if attempt.trace is not None:
        rows = [_entry(entry) for entry in attempt.trace.entries]
        parts.append(table(("Start", "What", "Result"), rows))
        if attempt.trace.dropped:
            parts.append(element("p", f"{attempt.trace.dropped:,} more entries"))
        if attempt.trace.note:
            parts.append(element("p", attempt.trace.note))
    return element("section", *parts)


def _like(outcome: str) -> str:
    """The phase whose colour the end of an attempt has: any reason but Succeeded is a failure."""
    return outcome if outcome in ("Succeeded", "Running", "Pending") else "Failed"


def _entry(entry: dict[str, Any]) -> tuple[object, ...]:
    what, said, good = render.said(entry)
    result = said if good else element("span", said, class_="bad")
    if entry.get("replayed") is True:
        result = joined(result, " (replayed)")
    return entry.get("start") or "", what, result
