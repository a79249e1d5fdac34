"""How an attempt ended: with an output or a reason, and what its commit record reports."""

from dataclasses import dataclass, replace

from waypost.api.base import JsonObject, JsonValue
from waypost.api.nodes.artifacts import ArtifactStatus
from waypost.kube.facts import restarts
from waypost.kube.facts.pods import PodFact
from waypost.kube.kinds.kind import PodKind
from waypost.kube.payloads import RecordFact
from waypost.protocol import ijson
from waypost.protocol.agents import gated_calls
from waypost.protocol.reasons import Reason
from waypost.protocol.record import Attempt, CommitRecord, RecordProblem, belonging_to
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
    """The attempt gave no valid output. `started`: the program may have run. `idle`: it did, and
    surely had no effect."""

    reason: Reason
    message: str
    tail: str = ""
    started: bool = True
    lasting: bool = False  # another attempt would fail in the same way
    refused: str = ""  # why an existing record was refused: Malformed or Foreign
    report: Report = Report()
    exit_code: int | None = None  # of a program that failed by it
    idle: bool = False


@dataclass(frozen=True)
class Parked:
    """The attempt ended because people have to decide on tool calls, which a NodeRecord has."""

    report: Report = Report()


@dataclass(frozen=True)
class Remembered:
    """The facts of a node or item that succeeds in this pass, by their position."""

    path: str
    facts: dict[int, JsonObject]
    output: str  # its digest
    attempt: int | None  # the one that is recorded as Succeeded


Outcome = Succeeded | Failed | Parked


def idle_of_kind(
    recorded: Outcome | RecordProblem | None, kind: PodKind
) -> Outcome | RecordProblem | None:
    """What was recorded, marked if the one request of the node was not sent because its key does
    not exist (S638). An agent may have done something before."""
    if not isinstance(recorded, Failed) or recorded.reason is not Reason.KEY_MISSING:
        return recorded
    return replace(recorded, idle=kind.calls_hosts)


def checkpoint(output: JsonValue) -> Succeeded:
    """The outcome with this valid output, its digest and its size."""
    return Succeeded(output, ijson.digest(output), len(ijson.canonical(output)))


def reason_of(text: str | None) -> Reason:
    """The reason with that name; NodeError if this release does not know the name."""
    try:
        return Reason(text or "")
    except ValueError:
        return Reason.NODE_ERROR


def is_parked(pod: PodFact, expect: Attempt) -> bool:
    """Whether a pod that is over says that people have to decide on tool calls."""
    record = belonging_to(pod.record, expect=expect)
    return isinstance(record, CommitRecord) and record.outcome == "Parked"


def parked_outcome(
    record: CommitRecord | RecordProblem, kind: str, calls: RecordFact | None
) -> Outcome:
    """The outcome of an attempt whose record is Parked (`is_parked`).

    Args:
        record: Its commit record.
        kind: The kind of its node.
        calls: The NodeRecord with the calls, which must be what the record names.
    """
    assert isinstance(record, CommitRecord), "asked for by `is_parked`"
    assert record.stored is not None, "a Parked record has it"
    report = report_of(record)
    if kind != "agent":
        text = f"a node of kind {kind} asks nobody, and its record is Parked"
        return Failed(Reason.NODE_ERROR, text, report=report)
    if calls is None or calls.payload.digest != record.stored.digest or not calls.payload.read:
        text = "the tool calls that need an approval cannot be read: their NodeRecord "
        text += "does not exist" if calls is None else f"{calls.name} is not what the pod stored"
        return Failed(Reason.RESULT_LOST, text, report=report)
    try:
        gated_calls.calls_from_json(calls.payload.value)
    except ValueError as error:
        text = f"the tool calls that need an approval cannot be read: {error}"
        return Failed(Reason.NODE_ERROR, text, report=report)
    return Parked(report)


def report_of(record: CommitRecord) -> Report:
    """What a commit record reports in addition to the result."""
    return Report(
        usage=record.usage,
        inherited_usage=record.carried,
        trace=record.trace,
        retry_after=record.retry_after_seconds,
    )


def restarted(pod: PodFact, recorded: Failed | None) -> Failed:
    """How an attempt ended (S524) whose program has been started again, and whose first run gave no
    result.

    Args:
        pod: Its pod.
        recorded: What the record of the first run says, if it has one.
    """
    text = restarts.words(pod.restart_policy, pod.restarts)
    reason = Reason.CONTAINER_RESTARTED
    if recorded is not None:
        first = f"the first time it failed: {recorded.reason}: {recorded.message}"
        return Failed(reason, f"{text}; {first}", recorded.tail, report=recorded.report)
    said = f": {pod.message.strip()[:300]}" if pod.message.strip() else ""
    if pod.exit_code is None:
        return Failed(reason, f"{text}; how it ended the first time is not known any more")
    cause = f" ({pod.terminated_reason})" if pod.terminated_reason not in ("", "Error") else ""
    first = f"the first time it ended with exit code {pod.exit_code}{cause}{said}"
    return Failed(reason, f"{text}; {first}", exit_code=pod.exit_code)
