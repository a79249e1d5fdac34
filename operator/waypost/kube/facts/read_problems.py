"""Why something that a pass needs could not be read from the API server."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# A shorter silence of the API server, or of a webhook, is nothing to report.
_SILENCE: Final = timedelta(seconds=20)
_PATIENCE: Final = timedelta(seconds=30)

# What is read, for messages; a NodeRecord is named by `of_record`.
OBJECTS: Final = "the list of the run's Jobs, pods and child runs"
RUN: Final = "the run itself"
APPROVALS: Final = "the list of the run's Approvals"
WORKFLOW_EVENTS: Final = "the list of WorkflowEvents"
SLOTS: Final = "the list of Leases that hold slots"
MEMORY: Final = "the list of MemoryEntries"
REFERENCES: Final = "the list of ModelProviders and ToolServers"


@dataclass(frozen=True)
class ReadProblem:
    """The API server refused a read, or did not answer it.

    Attributes:
        what: What could not be read, for messages.
        message: The text of the API server, or of the connection's error.
        permanent: The API server would refuse the same request again.
        since: When the first of the failed reads began.
        retry_at: When the operator reads it again.
    """

    what: str
    message: str
    permanent: bool
    since: datetime
    retry_at: datetime

    @property
    def text(self) -> str:
        """What was found, and what to do."""
        if self.permanent:
            advice = "allow the operator to read it; the run then continues by itself"
        else:
            advice = "the operator tries again"
        return f"{self.what} cannot be read: {self.message}; {advice}"

    def is_shown(self, now: datetime) -> bool:
        """Whether a status reports it: not before a short one had time to pass."""
        return self.permanent or now >= self.since + _SILENCE

    def lasts_long(self, now: datetime) -> bool:
        """Whether it has lasted for 30 seconds: what has to end now no longer waits for it."""
        return now >= self.since + _PATIENCE


def of_record(name: str) -> str:
    """A NodeRecord, as problems name it."""
    return f"NodeRecord {name}"


def of_parent(name: str) -> str:
    """The parent of a run, as problems name it."""
    return f"the parent run {name}"
