"""What the runtime tells the outside about itself. Never object names: labels stay bounded."""

from typing import Protocol

from waypost.api.status import AgentWorkflowStatus
from waypost.engine.state.decision import Traces
from waypost.engine.state.observed import Observed


class Requests(Protocol):
    """What a client of the API server reports. Never raises, never blocks."""

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        """One request to the API server was answered (code "error" when it was not)."""
        ...


class Telemetry(Requests, Protocol):
    """Counters, gauges, spans and logs. Implementations never raise and never block."""

    def checkpoint(
        self,
        observed: Observed,
        before: AgentWorkflowStatus,
        after: AgentWorkflowStatus,
        traces: Traces,
    ) -> None:
        """A status write landed: emit spans and counters for what ended in it, with the traces
        of attempts among that."""
        ...

    def reconciled(self, *, seconds: float, outcome: str) -> None:
        """A pass ended. outcome: idle, written, conflict, error."""
        ...

    def queue(self, *, depth: int, oldest_seconds: float) -> None:
        """The state of the work queue."""
        ...

    def swept(self, *, what: str, count: int) -> None:
        """The sweep removed or released objects that no run names."""
        ...

    def refused(self, *, reason: str) -> None:
        """A result was refused (foreign pod, old attempt, wrong digest)."""
        ...
