"""What the runtime reports about itself.

No argument that becomes a label of a metric is an object's name: their number must be bounded.
"""

from datetime import datetime
from typing import Protocol

from waypost.engine.state.decision import Decision, Traces
from waypost.engine.state.observed import Observed


class Requests(Protocol):
    """Reports of a client of the API server. Implementations never raise and never block."""

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        """One request to the API server ended.

        Args:
            verb: As in RBAC: get, list, create, patch, delete.
            resource: Plural and subresource, such as `pods/log`.
            code: The HTTP status as text, or "error" when there was no response.
            seconds: Until the response was complete.
        """
        ...


class Telemetry(Requests, Protocol):
    """Counters, gauges, spans and logs. Implementations never raise and never block."""

    def checkpoint(self, observed: Observed, decision: Decision) -> None:
        """The API server accepted a status write: count what ended in it, and emit its spans.

        Args:
            observed: The run as the pass observed it, with its status before the write.
            decision: Its status now, with the traces of agent attempts and the attempts of items
                that ended.
        """
        ...

    def recovered(self, observed: Observed, traces: Traces, *, since: datetime) -> None:
        """Emit again the spans of what ended in a run from `since` on; count nothing.

        Args:
            observed: The run.
            traces: Those of its agent attempts that ended since then.
            since: Earlier ends have been exported.
        """
        ...

    def reconciled(self, *, seconds: float, outcome: str) -> None:
        """A pass ended. `outcome` is idle, written, conflict, fence, error or bug."""
        ...

    def queue(self, *, depth: int, oldest_seconds: float) -> None:
        """Runs that are due and wait for a worker: how many, and for how long the oldest."""
        ...

    def swept(self, *, what: str, count: int) -> None:
        """The sweep deleted `count` objects of the kind `what` that no run names."""
        ...

    def refused(self, *, reason: str) -> None:
        """A pod's result was not accepted: another pod's, an old attempt's, or a wrong digest."""
        ...

    def log_kept(self, *, outcome: str) -> None:
        """The log of a pod that ended was kept, or not: Kept, Partial, Empty, Unreadable, OverLimit
        or Refused."""
        ...
