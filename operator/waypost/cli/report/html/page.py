"""The whole report: one file with its data in it."""

import base64
import json
from datetime import datetime
from hashlib import sha256
from typing import Final

from waypost import __version__
from waypost.cli.report import format
from waypost.cli.report.html.graph import drawing
from waypost.cli.report.html.markup import Markup, element, joined, phase, table
from waypost.cli.report.html.nodes import node_details, node_table
from waypost.cli.report.html.style import STYLE
from waypost.cli.report.html.timeline import timeline
from waypost.kube.timestamps import timestamp
from waypost.views.documents import RunGraph
from waypost.views.models import RunView

# No script runs and nothing is loaded, whatever the texts of a run say.
_POLICY: Final = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


def page(run: RunView, graph: RunGraph, *, now: datetime) -> str:
    """The report of a run.

    Args:
        run: The run with its traces.
        graph: Its graph.
        now: When it was read.

    Returns:
        An HTML document. Its element `run` of type application/json has the document of the run.
    """
    style = Markup(STYLE)
    digest = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
    policy = _POLICY.format(digest)
    head = joined(
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="referrer" content="no-referrer">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        element("title", f"{run.name} · Waypost"),
        element("style", style),
    )
    body = element(
        "main",
        _header(run),
        element("h2", "Graph"),
        element("p", graph.note) if graph.note else Markup(""),
        drawing(graph),
        element("h2", "Timeline"),
        timeline(run, now=now),
        element("h2", "Nodes"),
        node_table(run),
        element("h2", "What happened"),
        node_details(run),
        _models(run),
        element("footer", f"Read at {timestamp(now)} by waypost {__version__}"),
    )
    whole = element("html", element("head", head), element("body", body, _data(run)), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _header(run: RunView) -> Markup:
    facts = [run.progress, format.duration(run.seconds), f"in {run.namespace}"]
    facts.append(f"round {run.round}" if run.round > 1 else "")
    facts.append(f"started by {run.requested_by}" if run.requested_by else "")
    parts = [
        element("h1", run.name, phase(run.phase)),
        element("p", format.joined(facts)),
    ]
    if run.message:
        parts.append(element("p", f"{run.reason}: {run.message}", class_="quote"))
    if run.usage:
        parts.append(element("p", f"Used {format.usage(run.usage)}"))
    if run.budget:
        listed = ", ".join(f"{key} {value}" for key, value in run.budget.items())
        parts.append(element("p", f"Budget {listed}"))
    waits: list[tuple[object, ...]] = [
        (one.node or "", one.text, element("code", one.command) if one.command else "")
        for one in run.obstacles
    ]
    if waits:
        parts.append(element("h2", "Why it does not move"))
        parts.append(table(("Node", "What", "Do"), waits))
    return element("header", *parts)


def _models(run: RunView) -> Markup:
    rows: list[tuple[object, ...]] = [
        (
            node.path,
            attempt.number,
            used.model,
            used.calls,
            format.tokens(used.input_tokens, used.cached_tokens, used.output_tokens) or "-",
            format.cost(used.cost_usd, estimated=bool(used.estimated_calls)) or "-",
        )
        for node in run.nodes
        for attempt in node.attempts
        for used in (attempt.trace.models if attempt.trace else ())
    ]
    if not rows:
        return Markup("")
    head = ("Node", "Attempt", "Model", "Calls", "Tokens", "Cost")
    return joined(element("h2", "Models"), table(head, rows))


def _data(run: RunView) -> Markup:
    """The document. A data block is never executed; no text in it can end it."""
    content = json.dumps(run.to_json(), ensure_ascii=True).replace("<", "\\u003c")
    return Markup(f'<script type="application/json" id="run">{content}</script>')
