"""Addresses that data from outside choose (S611).

The sender of an event writes its payload, and the inputs of a run that an EventSource starts. Such
a value may be part of a path or a query, but not say to which host a request goes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem, Severity
from waypost.compiler.rules.nodes.senders import EVERY, NONE, Calls, Flow, Host, child_hosts, shown
from waypost.expressions.templates import Template, parse_template

_HOST: Final = re.compile(r"https?://[^/?#]+[/?#]", re.IGNORECASE)
_ADVICE: Final = "write the host, as in https://api.example.com/items/${...}"


def address_problems(
    spec: AgentWorkflowSpec,
    *,
    templates: Mapping[str, JsonObject] | None = None,
    may_start: bool = False,
    severity: Severity = "warning",
) -> Iterator[Problem]:
    """Report http nodes whose host a sender chooses, and inputs that choose one in a child run.

    Args:
        spec: The spec, whose nodes form a graph without a cycle.
        templates: The AgentWorkflowTemplates that it calls and that are known: their `spec`, by
            name. Values are not followed into others.
        may_start: Events may start runs of it, as of a template with triggers.
        severity: That of the problems.
    """
    by_event = spec.origin is not None and spec.origin.event is not None
    calls = Calls(spec, templates or {}, _hosts)
    for found in _hosts(Flow(spec, EVERY if by_event or may_start else NONE, calls)):
        text = f"{found.shown} comes from outside and chooses the host; {_ADVICE}"
        if found.request:
            text = f"{found.shown} comes from outside and chooses the host of {found.request}; "
            text += f"there {_ADVICE}"
        yield Problem(found.place, text, severity)


def _hosts(flow: Flow) -> Iterator[Host]:
    for node in flow.spec.all_nodes:
        if node.http is not None and (found := _chooses(flow, node, node.http.url)):
            yield Host(f"{node.place}.http.url", found)
        if node.workflow is not None:
            yield from child_hosts(flow, node)


def _chooses(flow: Flow, node: Node, url: str) -> str:
    """The value from outside that says where a request goes; "" if none does."""
    template = parse_template(url)
    before = ""  # as the URL begins, with x for each value of the author
    for part in template.parts if isinstance(template, Template) else ():
        if isinstance(part, str):
            before += part
            continue
        named = next((shown(path) for path in part.paths if flow.writes(path, node)), "")
        if named and not _HOST.match(before):
            return named
        before += "x" if before else "https://x"
    return ""
