"""A warning where an expression decides which host gets a key."""

import re
from collections.abc import Iterator
from typing import Final

from waypost.api.isolation.model import merged
from waypost.api.kinds.http import HttpKind
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.problems import Problem
from waypost.expressions.expression import Compiled
from waypost.expressions.templates import Template, parse_template

_LISTED: Final = ("AllowList", "Gateway")  # with Gateway the host must be text (S721)
_WITH_HOST: Final = re.compile(r"https?://[^/?#]*[/?#]", re.IGNORECASE)


def key_host_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report http nodes that send a key to a host that data choose (S625). With `egress: AllowList`
    the list decides where it may go."""
    base = spec.defaults.isolation if spec.defaults else None
    for node in spec.all_nodes:
        if node.http is None or merged(base, node.isolation).egress in _LISTED:
            continue
        key = _key(node.http)
        if key and _host_is_computed(node.http.url):
            text = (
                f"an expression chooses the host, and the node sends the key of {key} to it; write "
                "scheme and host as text, or list in isolation.allow where the node may connect to"
            )
            yield Problem(f"{node.place}.http.url", text, "warning")


def _key(http: HttpKind) -> str:
    """The field that names a key; "" if none does."""
    if http.auth is not None:
        return "auth"
    for at, header in enumerate(http.headers or ()):
        if header.value_from is not None and header.value_from.secret_key_ref is not None:
            return f"headers[{at}]"
    return ""


def _host_is_computed(url: str) -> bool:
    template = parse_template(url)
    if not isinstance(template, Template):
        return False  # another rule reports it
    before = ""
    for part in template.parts:
        if isinstance(part, Compiled):
            return not part.is_constant and not _WITH_HOST.match(before)
        before += part
    return False
