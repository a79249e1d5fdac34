"""What calling a tool twice would do: none, idempotent or once."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_ai.tools import ToolDefinition

from waypost_agent.agent_request import AgentRequest
from waypost_agent.tools import result_pages
from waypost_agent.tools.memory import recall

_OF_FUNCTIONS: Final = "idempotent"


class Effects:
    """Effects of the tools of a node: the workflow's word, else once. The hints of a server are no
    more than what it claims of itself: they count only if its ToolServer says so.

    `declared`: the workflow's word alone, by tool."""

    def __init__(self, work: AgentRequest) -> None:
        self.declared: dict[str, str] = {}
        self._usual = {result_pages.NAME: "none"}
        self._trusted: set[str] = set()
        if work.notes is not None:
            self._usual[recall.NAME] = "none"
        for python in work.modules:
            self.declared |= python.effects
            self._usual |= dict.fromkeys(python.functions, _OF_FUNCTIONS)
        for server in work.servers:
            self.declared |= server.effects
            self._trusted |= set(server.allow) if server.trust_hints else set()

    def of(self, tool: ToolDefinition) -> str:
        """The effect of a tool as it is offered now."""
        known = self.declared.get(tool.name) or self._usual.get(tool.name)
        if known or tool.name not in self._trusted:
            return known or "once"
        return _hinted((tool.metadata or {}).get("annotations"))


def _hinted(annotations: Any) -> str:
    hints: Mapping[str, Any] = annotations if isinstance(annotations, Mapping) else {}
    if hints.get("readOnlyHint") is True:
        return "none"
    return "idempotent" if hints.get("idempotentHint") is True else "once"
