"""How an attempt ended: one judgement of a pod, in one place.

Order of evidence (A5): a record that parses, names this attempt and pod and matches
its digest decides, whatever exit code, pod phase or Job condition say. Only the plain JSON of
`container` nodes needs exit code 0. Without a record the cluster's own facts give the reason.
"""

from dataclasses import replace
from typing import Final

from waypost.api.base import JsonValue
from waypost.engine.state.outcome import Failed, Outcome, Report, Succeeded, checkpoint, reason_of
from waypost.engine.state.visible import readable
from waypost.kube.facts import refusals
from waypost.kube.facts.pods import (
    CONTAINER_STATUS_UNKNOWN,
    START_FAILED,
    PodFact,
    surely_not_started,
    trouble_of,
)
from waypost.kube.kinds.table import KINDS
from waypost.kube.payloads import RecordFact
from waypost.protocol import ijson, schema
from waypost.protocol.reasons import Reason
from waypost.protocol.record import (
    Attempt,
    CommitRecord,
    RecordProblem,
    Stored,
    belonging_to,
    decode_plain,
)

_SIGKILLED: Final = 137
# The kubelet's word, and containerd's when it comes up after a power cut: exit codes are made up.
_NOBODY_SAW: Final = frozenset({CONTAINER_STATUS_UNKNOWN, "Unknown"})


# For these an attempt is stopped whose container has not started.
_NOT_STARTED: Final = frozenset(
    {
        Reason.UNSCHEDULABLE,
        Reason.IMAGE_PULL,
        Reason.MISSING_REFERENCE,
        Reason.POD_REJECTED,
    }
)


def judge_pod(
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
    waited: bool = False,
) -> Outcome:
    """The outcome of an attempt whose pod is over (`pod.over`), or given up: `lost` says why.

    `stopping` is the reason for which the operator stopped it, `trouble` what the cluster said
    of it before, `log` the end of its log where that was read, `kept` the attempt's NodeRecord
    where that was looked for (`wants_record`) and found. `waited`: the kubelet was seen to
    say why it had not started the attempt's container.
    """
    found: Outcome | RecordProblem | None
    foreign = not KINDS[kind].runs_waypost
    if foreign and not _did_its_work(pod, stopping):
        found = None
    elif foreign and not pod.has_sidecar:
        found = _plain_result(pod, output_schema)
    else:
        found = _recorded_result(pod, expect, output_schema, kept)
    if isinstance(found, Succeeded):
        return found
    if isinstance(found, Failed) and not _knows_only_of_a_signal(found, pod, stopping):
        return found
    ends_anyway = stopping and reason_of(stopping) not in (*_NOT_STARTED, Reason.TIMEOUT)
    if lost and not ends_anyway:
        return Failed(Reason.NODE_LOST, lost)
    broken = _without_record(
        pod,
        kind=kind,
        stopping=stopping,
        log=log,
        started=not surely_not_started(pod, waited=waited),
    )
    if isinstance(found, Failed):
        broken = replace(broken, report=found.report)
    if stopping and trouble:
        text = f"{broken.message}: {trouble}"
        broken = replace(broken, message=text, lasting=_is_hopeless(stopping, trouble))
    if isinstance(found, RecordProblem):
        text = f"{broken.message}; a record was refused: {found.message}"
        return replace(broken, message=text, refused=found.reason)
    return broken


def _is_hopeless(stopping: str, trouble: str) -> bool:
    return reason_of(stopping) in _NOT_STARTED and refusals.lasts(trouble)


def _knows_only_of_a_signal(found: Failed, pod: PodFact, stopping: str | None) -> bool:
    """Whether a record says no more than that SIGTERM came, and others know why it did: the
    operator that stopped the attempt, or the kubelet that evicted the pod."""
    told = stopping or pod.disruption or pod.pod_reason in ("Evicted", "DeadlineExceeded")
    return found.reason == Reason.DISRUPTED and bool(told)


def needs_record(pod: PodFact, expect: Attempt) -> bool:
    """Whether the result of a pod that is over may be in a NodeRecord."""
    if pod.has_sidecar and pod.exit_code != 0:
        return False
    record = belonging_to(pod.record, expect=expect)
    if isinstance(record, CommitRecord):
        return record.stored is not None
    return record.reason != "TooLarge"


def needs_trace(pod: PodFact, expect: Attempt) -> bool:
    """Whether the trace of a pod that is over is in a NodeRecord."""
    record = belonging_to(pod.record, expect=expect)
    return isinstance(record, CommitRecord) and record.trace is True


def _recorded_result(
    pod: PodFact, expect: Attempt, output_schema: JsonValue | None, kept: RecordFact | None
) -> Outcome | RecordProblem | None:
    record = belonging_to(pod.record, expect=expect)
    if isinstance(record, CommitRecord):
        report = Report(
            usage=record.usage,
            inherited_usage=record.carried,
            trace=record.trace,
            retry_after=record.retry_after_seconds,
        )
        if record.stored is not None:
            return replace(_stored(record.stored, kept, output_schema), report=report)
        if record.outcome == "Succeeded":
            return replace(_checked(record.output, output_schema), report=report)
        message = record.message or "failed without a message"
        return Failed(reason_of(record.reason), message, record.tail or "", report=report)
    if record.reason == "TooLarge":
        return Failed(Reason.OUTPUT_TOO_LARGE, record.message)
    if kept is not None:  # handed in before its pod could write a record
        return from_stored_result(kept, output_schema)
    # Malformed or another attempt's: as if nothing had been written, but told and counted.
    return None if record.reason == "Missing" else record


def _stored(stored: Stored, kept: RecordFact | None, output_schema: JsonValue | None) -> Outcome:
    if kept is None:
        text = "the output was stored, says the record, but this attempt has no NodeRecord"
        return Failed(Reason.RESULT_LOST, text)
    if kept.payload.digest != stored.digest:
        text = f"the record names {stored.digest}, NodeRecord {kept.name} another digest"
        return Failed(Reason.RESULT_LOST, text)
    return from_stored_result(kept, output_schema)


def from_stored_result(kept: RecordFact, output_schema: JsonValue | None) -> Outcome:
    """The outcome of an attempt whose result is in this NodeRecord. What is too big to be read
    was held to the schema by the gateway."""
    payload = kept.payload
    if kept.problem:
        return Failed(Reason.RESULT_LOST, f"NodeRecord {kept.name}: {kept.problem}")
    if payload.read and output_schema is not None:
        violations = schema.validate(output_schema, payload.value)
        if violations:
            return Failed(Reason.OUTPUT_INVALID, "; ".join(str(v) for v in violations))
    return Succeeded(readable(kept), payload.digest, payload.size, record=kept.name)


def _did_its_work(pod: PodFact, stopping: str | None) -> bool:
    """Whether a foreign program says, by its exit code, that it succeeded. One that catches SIGTERM
    and exits 0 has not done its work, unless it still gave an output to somebody else's SIGTERM;
    one that ended before anybody told it has."""
    if not pod.terminated or pod.exit_code != 0:
        return False
    if not _was_told_to_end(pod):
        return True
    return not stopping and bool(pod.has_sidecar or pod.message.strip())


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
        return Failed(Reason.OUTPUT_TOO_LARGE, found.message)
    if found.plain_text is not None:
        as_text = _checked(found.plain_text, output_schema)
        if isinstance(as_text, Succeeded):
            return as_text
    return Failed(Reason.OUTPUT_INVALID, found.message)


def _checked(output: JsonValue, output_schema: JsonValue | None) -> Outcome:
    try:
        found = checkpoint(ijson.check(output))
    except ijson.IJsonError as error:
        return Failed(Reason.OUTPUT_INVALID, str(error))
    if output_schema is not None:
        violations = schema.validate(output_schema, output)
        if violations:
            return Failed(Reason.OUTPUT_INVALID, "; ".join(str(v) for v in violations))
    return found


def _without_record(
    pod: PodFact, *, kind: str, stopping: str | None, log: str | None, started: bool
) -> Failed:
    if stopping and pod.started_at is not None and reason_of(stopping) in _NOT_STARTED:
        text = f"its container started just as it was stopped ({stopping})"
        return Failed(Reason.DISRUPTED, text, log or "")
    if stopping:
        return Failed(reason_of(stopping), _stopped_message(stopping), log or "", started)
    if pod.disruption:
        return Failed(Reason.DISRUPTED, pod.disruption, "", started)
    if pod.pod_reason == "Evicted":
        cause = pod.pod_message.rstrip(". ") or "evicted by the kubelet"
        text = f"{cause}; raise resources.limits.ephemeral-storage"
        return Failed(Reason.OUT_OF_DISK, text, "", started)
    if pod.pod_reason == "DeadlineExceeded":
        return _deadline(pod, started)
    if pod.terminated_reason in START_FAILED:
        return replace(_exit_code(pod, log), started=False)
    if pod.init is not None and pod.init.reason == "Failed":
        return Failed(Reason.POD_REJECTED, pod.init.text, "", started=False)
    if not started:
        text = pod.pod_message or "the pod was deleted before its container started"
        return Failed(Reason.DISRUPTED, text, "", started=False)
    if pod.terminated_reason == "OOMKilled":
        return Failed(
            Reason.OUT_OF_MEMORY, "killed: out of memory (raise limits.memory)", log or ""
        )
    if pod.deleting or pod.terminated_reason in _NOBODY_SAW or not pod.terminated:
        return Failed(Reason.DISRUPTED, pod.pod_message or "the pod was deleted while it ran")
    if pod.exit_code == 0 and (KINDS[kind].runs_waypost or pod.has_sidecar):
        return Failed(Reason.RESULT_LOST, "exit code 0, but no record of a result was written")
    return _exit_code(pod, log)


def _exit_code(pod: PodFact, log: str | None) -> Failed:
    detail = f" ({pod.terminated_reason})" if pod.terminated_reason not in ("", "Error") else ""
    if pod.exit_code == _SIGKILLED and not detail:
        # Of a child that was killed for its memory a shell gives 137 too: nobody says which.
        detail = " (SIGKILL, by itself or for the memory of a child process)"
    said = f": {pod.message.strip()[:300]}" if pod.message.strip() else ""
    return Failed(Reason.NODE_ERROR, f"exit code {pod.exit_code}{detail}{said}", log or "")


def _deadline(pod: PodFact, started: bool) -> Failed:
    # The pod's own deadline is the backstop for a time the operator was away.
    if started:
        return Failed(Reason.TIMEOUT, "stopped by the pod's deadline")
    return Failed(never_started(pod), trouble_of(pod) or "did not start in time", "", False)


def _stopped_message(reason: str) -> str:
    return {
        Reason.TIMEOUT: "ran longer than its timeout",
        Reason.CANCELLED: "the run was cancelled",
        Reason.DEADLINE_EXCEEDED: "stopped while it was under way",
    }.get(reason_of(reason), "did not start within queueTimeout")


def never_started(pod: PodFact) -> Reason:
    """The reason for which a pod's container has not started."""
    if pod.unschedulable:
        return Reason.UNSCHEDULABLE
    waits_for = pod.init.reason if pod.init is not None else pod.waiting_reason
    if waits_for in ("Failed", "CrashLoopBackOff"):
        return Reason.POD_REJECTED
    if "Image" in waits_for:
        return Reason.IMAGE_PULL
    if waits_for == "CreateContainerConfigError" or pod.mount_trouble:
        return Reason.MISSING_REFERENCE
    return Reason.UNSCHEDULABLE


def needs_log(pod: PodFact, *, kind: str) -> bool:
    """Whether the end of the log would tell more than the pod's own facts do."""
    if not pod.terminated or pod.exit_code == 0 or pod.disruption:
        return False
    return not KINDS[kind].runs_waypost or not pod.message
