"""What calling a tool twice would do: none, idempotent or once."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_ai.tools import ToolDefinition

from waypost_agent.agent_request import AgentRequest

_OF_FUNCTIONS: Final = "idempotent"


class Effects:
    """Effects of the tools of a node: the workflow's word, else the hints of the server, which are
    no more than what it claims of itself. A server that says nothing is not trusted: once.

    `declared`: the workflow's word alone, by tool."""

    def __init__(self, work: AgentRequest) -> None:
        self.declared: dict[str, str] = {}
        self._usual: dict[str, str] = {}
        for python in work.modules:
            self.declared |= python.effects
            self._usual |= dict.fromkeys(python.functions, _OF_FUNCTIONS)
        for server in work.servers:
            self.declared |= server.effects

    def of(self, tool: ToolDefinition) -> str:
        """The effect of a tool as it is offered now."""
        known = self.declared.get(tool.name) or self._usual.get(tool.name)
        return known or _hinted((tool.metadata or {}).get("annotations"))


def _hinted(annotations: Any) -> str:
    hints: Mapping[str, Any] = annotations if isinstance(annotations, Mapping) else {}
    if hints.get("readOnlyHint") is True:
        return "none"
    return "idempotent" if hints.get("idempotentHint") is True else "once"
