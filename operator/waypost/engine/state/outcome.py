"""How an attempt ended: an output, or a reason; with what its record reports beside it."""

from dataclasses import dataclass

from waypost.api.base import JsonValue
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Trace, Usage


@dataclass(frozen=True)
class Report:
    """What a commit record tells beside the result. `trace`: the trace itself, or True when the
    gateway has it. `retry_after`: seconds a provider asked to wait."""

    usage: Usage | None = None
    inherited_usage: Usage | None = None
    trace: Trace | bool | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Succeeded:
    """The attempt gave a valid output."""

    output: JsonValue  # an Unread where it is too big for expressions
    digest: str
    size: int
    record: str | None = None  # the NodeRecord that has it already
    report: Report = Report()


@dataclass(frozen=True)
class Failed:
    """The attempt gave no valid output. `started`: the program may have run."""

    reason: Reason
    message: str
    tail: str = ""
    started: bool = True
    lasting: bool = False  # the same attempt would end so again, whatever else happens
    refused: str = ""  # why a record that was there was refused: Malformed or Foreign
    report: Report = Report()
    exit_code: int | None = None  # of a program that failed by it


Outcome = Succeeded | Failed


def checkpoint(output: JsonValue) -> Succeeded:
    """A valid output, with what is recorded of it."""
    return Succeeded(output, ijson.digest(output), len(ijson.canonical(output)))


def reason_of(text: str | None) -> Reason:
    """The reason of that name; NodeError for a word of another release or of nobody."""
    try:
        return Reason(text or "")
    except ValueError:
        return Reason.NODE_ERROR
