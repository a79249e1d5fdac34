"""How an attempt ended: with an output or a reason, and what its commit record reports."""

from dataclasses import dataclass

from waypost.api.base import JsonValue
from waypost.api.nodes.artifacts import ArtifactStatus
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Trace, Usage


@dataclass(frozen=True)
class Report:
    """What a commit record reports in addition to the result."""

    usage: Usage | None = None
    inherited_usage: Usage | None = None  # of earlier attempts that could not report it
    trace: Trace | bool | None = None  # True if the gateway has it
    retry_after: float | None = None  # seconds that a provider asked to wait


@dataclass(frozen=True)
class Succeeded:
    """The attempt gave a valid output."""

    output: JsonValue  # an Unavailable if expressions cannot read it
    digest: str
    size: int  # bytes of canonical JSON
    record: str | None = None  # the NodeRecord that has it already
    report: Report = Report()
    artifacts: tuple[ArtifactStatus, ...] = ()


@dataclass(frozen=True)
class Failed:
    """The attempt gave no valid output. `started`: the program may have run."""

    reason: Reason
    message: str
    tail: str = ""
    started: bool = True
    lasting: bool = False  # another attempt would fail in the same way
    refused: str = ""  # why an existing record was refused: Malformed or Foreign
    report: Report = Report()
    exit_code: int | None = None  # of a program that failed by it


Outcome = Succeeded | Failed


def checkpoint(output: JsonValue) -> Succeeded:
    """The outcome with this valid output, its digest and its size."""
    return Succeeded(output, ijson.digest(output), len(ijson.canonical(output)))


def reason_of(text: str | None) -> Reason:
    """The reason with that name; NodeError if this release does not know the name."""
    try:
        return Reason(text or "")
    except ValueError:
        return Reason.NODE_ERROR
