"""The tool calls that a model asks for, and what becomes of each: once counted, once traced."""

from collections.abc import Collection, Mapping
from typing import Final, Literal

from waypost_agent.meter import Meter, cut, now

Outcome = Literal["ok", "error", "refused"]
_SHOWN: Final = 128  # characters of names and ids: a model may invent any


class Calls:
    """The calls of one attempt. `servers` are the tool servers by name of the tool."""

    def __init__(self, meter: Meter, servers: Mapping[str, str]) -> None:
        self._meter = meter
        self._servers = servers
        self._open: dict[str, tuple[str, str]] = {}  # call id -> name, when it was asked for
        self._known: set[str] = set()

    def asked(self, calls: list[tuple[str, str]], *, offered: Collection[str]) -> None:
        """Take the calls (id, name) of one answer. A tool that the node may not call is refused
        here; the loop tells the model. Raises Stopped when they are more than the limit allows."""
        self._meter.tool_calls([name for _, name in calls])
        for call_id, name in calls:
            self._known.add(call_id)
            self._open[call_id] = (name, now())
            if name not in offered:
                self.done(call_id, "refused", "not a tool of this node")

    def begun(self, call_id: str) -> None:
        """The tool is being called now: the arguments fit."""
        name, _ = self._open[call_id]
        self._open[call_id] = (name, now())

    def rejected(self, call_id: str, error: str) -> bool:
        """Note a call whose arguments never reached the tool; False when it is no call of a
        tool, but of the output."""
        if call_id in self._open:
            self.done(call_id, "error", error)
        return call_id in self._known

    def done(self, call_id: str, outcome: Outcome, error: str | None = None) -> None:
        """Trace what became of a call."""
        name, start = self._open.pop(call_id)
        self._meter.add(
            "tool",
            start=start,
            name=cut(name, _SHOWN),
            callId=cut(call_id, _SHOWN),
            server=self._servers.get(name),
            outcome=outcome,
            error=error,
        )
