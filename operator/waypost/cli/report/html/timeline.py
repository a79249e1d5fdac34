"""When each node did what, as one SVG bar a node."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from waypost.cli.report import format
from waypost.cli.report.html.markup import Markup, element, joined
from waypost.kube.timestamps import parse_timestamp
from waypost.protocol.text import shorten
from waypost.views.models import NodeView, RunView

_LEFT: Final = 200  # pixels for names
_WIDE: Final = 760
_ROW: Final = 24
_CALLS: Final = 200  # marks of calls in one node
Bar = tuple[str, str | None, str | None, str]  # class, start, end, title


def timeline(run: RunView, *, now: datetime) -> Markup:
    """The bars of all nodes that have begun."""
    start = parse_timestamp(run.started_at) or parse_timestamp(run.created_at)
    begun = [node for node in run.nodes if node.started_at]
    if start is None or not begun:
        return element("p", "No node has begun.")
    end = max(parse_timestamp(run.finished_at) or now, start)
    scale = _WIDE / max((end - start).total_seconds(), 0.001)

    def place(moment: datetime) -> float:
        return round(_LEFT + min(max((moment - start).total_seconds(), 0) * scale, _WIDE), 1)

    rows = []
    for at, node in enumerate(begun):
        y = 28 + at * _ROW
        rows.append(element("text", shorten(node.path, 26), x=0, y=y + 14, class_="name"))
        for style, begin, finish, title in _bars(node):
            first = parse_timestamp(begin)
            if first is None:
                continue
            x1, x2 = place(first), place(parse_timestamp(finish) or end)
            call = style in ("model", "tool")
            shape = element(
                "rect",
                element("title", title),
                x=x1,
                y=y + (10 if call else 3),
                width=max(round(x2 - x1, 1), 1.5),
                height=6 if call else 14,
                class_=f"bar {style}",
            )
            rows.append(shape)
    height = 34 + len(begun) * _ROW
    ticks = _ticks((end - start).total_seconds(), height)
    svg = element(
        "svg",
        joined(ticks, *rows),
        viewBox=f"0 0 {_LEFT + _WIDE + 60} {height}",
        width=_LEFT + _WIDE + 60,
        height=height,
        role="img",
        aria_label="timeline",
    )
    return joined(_legend(), element("div", svg, class_="scroll"))


def _bars(node: NodeView) -> Iterator[Bar]:
    if node.approval is not None:
        title = f"{node.path}: waits for an answer"
        yield "approval", node.started_at, node.finished_at, title
    elif not node.attempts:
        yield "waiting", node.started_at, node.finished_at, f"{node.path}: {node.phase}"
    calls = 0
    for attempt in node.attempts:
        outcome = attempt.reason or "running"
        for part in attempt.segments:
            words = f"{part.name} {format.duration(part.seconds)}"
            title = f"{node.path}, attempt {attempt.number} ({outcome}): {words}"
            failed = part.name == "work" and attempt.reason not in (None, "Succeeded")
            yield "failed" if failed else part.name, part.start, part.end, title
        for entry in attempt.trace.entries if attempt.trace else ():
            kind = entry.get("type")
            if kind not in ("model", "tool", "wait") or calls >= _CALLS:
                continue
            calls += 1
            what = entry.get("model") or entry.get("name") or entry.get("reason") or ""
            style = "approval" if kind == "wait" else str(kind)
            yield style, str(entry.get("start")), str(entry.get("end")), f"{kind} {what}"


def _legend() -> Markup:
    names = ("queue", "scheduling", "pull", "startup", "work", "failed", "model", "tool")
    marks = [joined(element("i", class_=f"key {name}"), name) for name in names]
    waits = joined(element("i", class_="key approval"), "approval or provider wait")
    return element("p", joined(*marks, waits), class_="legend")


def _ticks(seconds: float, height: int) -> Markup:
    lines = []
    for at in range(5):
        x = _LEFT + at * _WIDE / 4
        lines.append(element("line", x1=x, y1=20, x2=x, y2=height, class_="tick"))
        words = format.duration(seconds * at / 4)
        lines.append(element("text", words, x=x, y=14, text_anchor="middle"))
    return joined(*lines)
