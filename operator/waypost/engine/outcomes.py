"""How an attempt ended: one judgement of a pod, in one place.

Order of evidence (A5): a record that parses, names this attempt and pod and matches
its digest decides, whatever exit code, pod phase or Job condition say. Only the plain JSON of
`container` nodes needs exit code 0. Without a record the cluster's own facts give the reason.
"""

from dataclasses import dataclass, replace
from typing import Final

from waypost.api.base import JsonValue
from waypost.engine.model import PodFact
from waypost.engine.payloads import RecordFact
from waypost.engine.records import readable
from waypost.protocol import ijson, schema
from waypost.protocol.reasons import Reason
from waypost.protocol.record import (
    Attempt,
    CommitRecord,
    RecordProblem,
    Stored,
    decode,
    decode_plain,
)
from waypost.protocol.work import Trace, Usage

_SIGKILLED: Final = 137
_LOST_SIGHT: Final = "ContainerStatusUnknown"
# The kubelet's word, and containerd's when it comes up after a power cut: exit codes are made up.
_NOBODY_SAW: Final = frozenset({_LOST_SIGHT, "Unknown"})
# Reasons of DisruptionTarget with which nobody can say what happened on the machine since.
_MACHINE_LOST: Final = ("DeletionByTaintManager", "DeletionByPodGC")
# The kubelet refused the pod before it made a container.
_NOT_ADMITTED: Final = ("OutOf", "Unexpected", "NodeAffinity", "NodeShutdown", "Topology")


# For these an attempt is stopped whose container has not started.
_NOT_STARTED: Final = frozenset(
    {
        Reason.UNSCHEDULABLE,
        Reason.IMAGE_PULL,
        Reason.MISSING_REFERENCE,
        Reason.POD_REJECTED,
    }
)


@dataclass(frozen=True)
class Report:
    """What a commit record tells beside the result. `trace`: the trace itself, or True when the
    gateway has it. `retry_after`: seconds a provider asked to wait."""

    usage: Usage | None = None
    carried: Usage | None = None
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
class Broken:
    """The attempt gave no valid output. `started`: the program may have run."""

    reason: Reason
    message: str
    tail: str = ""
    started: bool = True
    refused: str = ""  # why a record that was there was refused: Malformed or Foreign
    report: Report = Report()


Outcome = Succeeded | Broken


def judge(
    pod: PodFact,
    *,
    kind: str,
    expect: Attempt,
    output_schema: JsonValue | None,
    stopping: str | None,
    log: str | None,
    trouble: str = "",
    kept: RecordFact | None = None,
    lost: str = "",
) -> Outcome:
    """The outcome of an attempt whose pod is over (`pod.over`), or given up: `lost` says why.

    `stopping` is the reason for which the operator stopped it, `trouble` what the cluster said
    of it before, `log` the end of its log where that was read, `kept` the attempt's NodeRecord
    where that was looked for (`wants_record`) and found.
    """
    found: Outcome | RecordProblem | None
    if kind == "container" and not _did_its_work(pod, stopping):
        found = None
    elif kind == "container" and not pod.carries:
        found = _plain_result(pod, output_schema)
    else:
        found = _recorded_result(pod, expect, output_schema, kept)
    if isinstance(found, Succeeded):
        return found
    if isinstance(found, Broken) and not _knows_only_of_a_signal(found, pod, stopping):
        return found
    ends_anyway = stopping and known_reason(stopping) not in (*_NOT_STARTED, Reason.TIMEOUT)
    if lost and not ends_anyway:
        return Broken(Reason.NODE_LOST, lost)
    broken = _without_record(pod, kind=kind, stopping=stopping, log=log)
    if isinstance(found, Broken):
        broken = replace(broken, report=found.report)
    if stopping and trouble:
        broken = replace(broken, message=f"{broken.message}: {trouble}")
    if isinstance(found, RecordProblem):
        text = f"{broken.message}; a record was refused: {found.message}"
        return replace(broken, message=text, refused=found.reason)
    return broken


def _knows_only_of_a_signal(found: Broken, pod: PodFact, stopping: str | None) -> bool:
    """Whether a record says no more than that SIGTERM came, and others know why it did: the
    operator that stopped the attempt, or the kubelet that evicted the pod."""
    told = stopping or pod.disruption or pod.pod_reason in ("Evicted", "DeadlineExceeded")
    return found.reason == Reason.DISRUPTED and bool(told)


def checkpoint(output: JsonValue) -> Succeeded:
    """A valid output, with what is recorded of it."""
    return Succeeded(output, ijson.digest(output), len(ijson.canonical(output)))


def wants_record(pod: PodFact, expect: Attempt) -> bool:
    """Whether the result of a pod that is over may be in a NodeRecord."""
    if pod.carries and pod.exit_code != 0:
        return False
    record = _decoded(pod, expect)
    if isinstance(record, CommitRecord):
        return record.stored is not None
    return record.reason != "TooLarge"


def wants_trace(pod: PodFact, expect: Attempt) -> bool:
    """Whether the trace of a pod that is over is in a NodeRecord."""
    record = _decoded(pod, expect)
    return isinstance(record, CommitRecord) and record.trace is True


def _decoded(pod: PodFact, expect: Attempt) -> CommitRecord | RecordProblem:
    if pod.terminated_reason == _LOST_SIGHT:
        return RecordProblem("Missing", "the message is the kubelet's")
    return decode(pod.carried or "" if pod.carries else pod.message, expect=expect)


def _recorded_result(
    pod: PodFact, expect: Attempt, output_schema: JsonValue | None, kept: RecordFact | None
) -> Outcome | RecordProblem | None:
    record = _decoded(pod, expect)
    if isinstance(record, CommitRecord):
        report = Report(
            usage=record.usage,
            carried=record.carried,
            trace=record.trace,
            retry_after=record.retry_after_seconds,
        )
        if record.stored is not None:
            return replace(_stored(record.stored, kept, output_schema), report=report)
        if record.outcome == "Succeeded":
            return replace(_checked(record.output, output_schema), report=report)
        message = record.message or "failed without a message"
        return Broken(known_reason(record.reason), message, record.tail or "", report=report)
    if record.reason == "TooLarge":
        return Broken(Reason.OUTPUT_TOO_LARGE, record.message)
    if kept is not None:  # handed in before its pod could write a record
        return taken(kept, output_schema)
    # Malformed or another attempt's: as if nothing had been written, but told and counted.
    return None if record.reason == "Missing" else record


def _stored(stored: Stored, kept: RecordFact | None, output_schema: JsonValue | None) -> Outcome:
    if kept is None:
        text = "the output was stored, says the record, but this attempt has no NodeRecord"
        return Broken(Reason.RESULT_LOST, text)
    if kept.payload.digest != stored.digest:
        text = f"the record names {stored.digest}, NodeRecord {kept.name} another digest"
        return Broken(Reason.RESULT_LOST, text)
    return taken(kept, output_schema)


def taken(kept: RecordFact, output_schema: JsonValue | None) -> Outcome:
    """The outcome of an attempt whose result is in this NodeRecord. What is too big to be read
    was held to the schema by the gateway."""
    payload = kept.payload
    if kept.problem:
        return Broken(Reason.RESULT_LOST, f"NodeRecord {kept.name}: {kept.problem}")
    if payload.read and output_schema is not None:
        violations = schema.validate(output_schema, payload.value)
        if violations:
            return Broken(Reason.OUTPUT_INVALID, "; ".join(str(v) for v in violations))
    return Succeeded(readable(kept), payload.digest, payload.size, record=kept.name)


def known_reason(text: str | None) -> Reason:
    """The reason of that name; NodeError for a word of another release or of nobody."""
    try:
        return Reason(text or "")
    except ValueError:
        return Reason.NODE_ERROR


def _did_its_work(pod: PodFact, stopping: str | None) -> bool:
    """Whether a foreign program says, by its exit code, that it succeeded. One that catches SIGTERM
    and exits 0 has not done its work, unless it still gave an output to somebody else's SIGTERM;
    one that ended before anybody told it has."""
    if not pod.terminated or pod.exit_code != 0:
        return False
    if not _was_told_to_end(pod):
        return True
    return not stopping and bool(pod.carries or pod.message.strip())


def _was_told_to_end(pod: PodFact) -> bool:
    """Whether a pod that is over may have ended because of a SIGTERM."""
    if pod.deleting_since is not None and pod.finished_at is not None:
        # Both in whole seconds: of one that ended in the same, the signal is the likelier cause.
        return pod.finished_at >= pod.deleting_since
    return pod.deleting or bool(pod.pod_reason or pod.disruption)


def _plain_result(pod: PodFact, output_schema: JsonValue | None) -> Outcome:
    found = decode_plain(pod.message)
    if not isinstance(found, RecordProblem):
        return _checked(found, output_schema)
    if found.reason == "TooLarge":
        return Broken(Reason.OUTPUT_TOO_LARGE, found.message)
    if found.plain_text is not None:
        as_text = _checked(found.plain_text, output_schema)
        if isinstance(as_text, Succeeded):
            return as_text
    return Broken(Reason.OUTPUT_INVALID, found.message)


def _checked(output: JsonValue, output_schema: JsonValue | None) -> Outcome:
    try:
        found = checkpoint(ijson.check(output))
    except ijson.IJsonError as error:
        return Broken(Reason.OUTPUT_INVALID, str(error))
    if output_schema is not None:
        violations = schema.validate(output_schema, output)
        if violations:
            return Broken(Reason.OUTPUT_INVALID, "; ".join(str(v) for v in violations))
    return found


def _without_record(pod: PodFact, *, kind: str, stopping: str | None, log: str | None) -> Broken:
    started = not surely_not_started(pod)
    if stopping and pod.started_at is not None and known_reason(stopping) in _NOT_STARTED:
        text = f"its container started just as it was stopped ({stopping})"
        return Broken(Reason.DISRUPTED, text, log or "")
    if stopping:
        return Broken(known_reason(stopping), _stopped_message(stopping), log or "", started)
    if pod.disruption:
        return Broken(Reason.DISRUPTED, pod.disruption, "", started)
    if pod.pod_reason == "Evicted":
        return Broken(Reason.OUT_OF_DISK, pod.pod_message or "evicted by the kubelet", "", started)
    if pod.pod_reason == "DeadlineExceeded":
        return _deadline(pod, started)
    if not started:
        text = pod.pod_message or "the pod was deleted before its container started"
        return Broken(Reason.DISRUPTED, text, "", started=False)
    if pod.terminated_reason == "OOMKilled" or (
        pod.exit_code == _SIGKILLED and not pod.deleting and not pod.pod_reason
    ):
        return Broken(
            Reason.OUT_OF_MEMORY, "killed: out of memory (raise limits.memory)", log or ""
        )
    if pod.deleting or pod.terminated_reason in _NOBODY_SAW or not pod.terminated:
        return Broken(Reason.DISRUPTED, pod.pod_message or "the pod was deleted while it ran")
    if pod.exit_code == 0 and (kind != "container" or pod.carries):
        return Broken(Reason.RESULT_LOST, "exit code 0, but no record of a result was written")
    return _exit_code(pod, log)


def surely_not_started(pod: PodFact) -> bool:
    """Whether the program of a pod that is over certainly never ran (E3). A lost
    machine, or a bound pod without any word of its container, counts as started."""
    if pod.started_at is not None or pod.terminated:
        return False
    if not pod.scheduled:
        return True
    if pod.disruption.startswith(_MACHINE_LOST):
        return False
    return bool(pod.waiting_reason) or pod.pod_reason.startswith(_NOT_ADMITTED)


def _exit_code(pod: PodFact, log: str | None) -> Broken:
    detail = f" ({pod.terminated_reason})" if pod.terminated_reason not in ("", "Error") else ""
    said = f": {pod.message.strip()[:300]}" if pod.message.strip() else ""
    return Broken(Reason.NODE_ERROR, f"exit code {pod.exit_code}{detail}{said}", log or "")


def _deadline(pod: PodFact, started: bool) -> Broken:
    # The pod's own deadline is the backstop for a time the operator was away.
    if started:
        return Broken(Reason.TIMEOUT, "stopped by the pod's deadline")
    return Broken(never_started(pod), trouble_of(pod) or "did not start in time", "", False)


def _stopped_message(reason: str) -> str:
    return {
        Reason.TIMEOUT: "ran longer than its timeout",
        Reason.CANCELLED: "the run was cancelled",
        Reason.DEADLINE_EXCEEDED: "stopped while it was under way",
    }.get(known_reason(reason), "did not start within queueTimeout")


def never_started(pod: PodFact) -> Reason:
    """The reason for which a pod's container has not started."""
    if pod.unschedulable:
        return Reason.UNSCHEDULABLE
    if "Image" in pod.waiting_reason:
        return Reason.IMAGE_PULL
    if pod.waiting_reason == "CreateContainerConfigError" or pod.mount_trouble:
        return Reason.MISSING_REFERENCE
    return Reason.UNSCHEDULABLE


def trouble_of(pod: PodFact) -> str:
    """The cluster's own text on why a pod's container has not started; "" when all is normal."""
    if pod.started_at is not None or pod.terminated:
        return ""
    if pod.unschedulable:
        return pod.unschedulable
    if pod.waiting_reason and pod.waiting_reason not in ("ContainerCreating", "PodInitializing"):
        return f"{pod.waiting_reason}: {pod.waiting_message}".removesuffix(": ")
    return pod.mount_trouble


def idle_of(pod: PodFact) -> str:
    """What can be said of a pod that has waited for too long, and of which nobody tells why."""
    if not pod.scheduled:
        return "no machine has taken its pod"
    return f"machine {pod.machine} took its pod and has not started it"


def wants_log(pod: PodFact, *, kind: str) -> bool:
    """Whether the end of the log would tell more than the pod's own facts do."""
    if not pod.terminated or pod.exit_code == 0 or pod.disruption:
        return False
    return kind == "container" or not pod.message
