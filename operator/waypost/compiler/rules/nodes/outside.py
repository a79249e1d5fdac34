"""Addresses that data from outside choose (S611).

The sender of an event writes its payload, and the inputs of a run that an EventSource starts. Such
a value may be part of a path or a query, but not say to which host a request goes.
"""

import re
from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonValue
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem, Severity
from waypost.expressions.references import Path
from waypost.expressions.templates import Template, parse_template, paths_in

_HOST: Final = re.compile(r"https?://[^/?#]+[/?#]", re.IGNORECASE)
_OWN_FIELDS: Final = frozenset({"name", "receivedAt", "expired"})  # of the output of an event node


def address_problems(
    spec: AgentWorkflowSpec, *, may_start: bool = False, severity: Severity = "warning"
) -> Iterator[Problem]:
    """Report http nodes whose host a sender chooses.

    Values are followed through `inputs` of the node and the list of its map, not through other
    nodes and child runs.

    Args:
        spec: The spec.
        may_start: Events may start runs of it, as of a template with triggers.
        severity: That of the problems.
    """
    by_event = spec.origin is not None and spec.origin.event is not None
    for node in spec.all_nodes:
        outside = _Outside(spec, node, started=by_event or may_start)
        if node.http is not None and (found := outside.chooses_host(node.http.url, node.inputs)):
            text = f"{found} comes from outside and chooses the host; "
            text += "write the host, as in https://api.example.com/items/${...}"
            yield Problem(f"{node.place}.http.url", text, severity)


class _Outside:
    """What comes from outside in the expressions of a node."""

    def __init__(self, spec: AgentWorkflowSpec, node: Node, *, started: bool) -> None:
        events = {one.name for one in spec.all_nodes if one.event is not None}
        chosen = {one.name for one in spec.all_nodes if one.first and events & set(one.first.of)}
        self._events, self._started = events | chosen, started
        self._items = node.for_each.items if node.for_each is not None else None

    def chooses_host(self, url: str, inputs: JsonValue) -> str:
        """The value from outside that says where a request goes; "" if none does."""
        template = parse_template(url)
        before = ""  # as the URL begins, with x for each value of the author
        for part in template.parts if isinstance(template, Template) else ():
            if isinstance(part, str):
                before += part
                continue
            named = next((_shown(path) for path in part.paths if self._is(path, inputs)), "")
            if named and not _HOST.match(before):
                return named
            before += "x" if before else "https://x"
        return ""

    def _is(self, path: Path, inputs: JsonValue) -> bool:
        match (path.root, *path.fields):
            case ("inputs", *_):
                return self._started
            case ("nodes", name, *steps) if name in self._events:
                return not (len(steps) > 1 and steps[1] in _OWN_FIELDS)
            case ("self", "inputs", *steps):
                given = inputs.get(steps[0]) if isinstance(inputs, dict) and steps else inputs
                return any(self._is(one, None) for one in paths_in(given))
            case ("item", *_) if self._items is not None:
                return any(self._is(one, None) for one in paths_in(self._items))
            case _:
                return False


def _shown(path: Path) -> str:
    return ".".join((path.root, *path.fields))
