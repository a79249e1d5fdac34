"""How an attempt ended: the only place that judges a pod.

Order of evidence (A5): a record that parses, names this attempt and pod, and matches its digest
decides, regardless of exit code, pod phase and Job condition. Only the plain JSON of
`container` nodes needs exit code 0. Without a record, the status of the pod gives the reason.
"""

from dataclasses import replace
from typing import Final

from waypost.api.base import JsonValue
from waypost.engine.state.outcome import (
    Failed,
    Outcome,
    Parked,
    Succeeded,
    checkpoint,
    idle_of_kind,
    is_parked,
    parked_outcome,
    reason_of,
    report_of,
    restarted,
)
from waypost.engine.state.visible import readable
from waypost.kube.facts import refusals
from waypost.kube.facts.pods import (
    END_UNKNOWN,
    START_FAILED,
    PodFact,
    idle_of,
    surely_not_started,
    trouble_of,
)
from waypost.kube.kinds.table import KINDS
from waypost.kube.logs.redaction import redacted
from waypost.kube.payloads import RecordFact
from waypost.protocol import ijson, schema
from waypost.protocol.isolation import PROBE
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
# Reasons of the kubelet for a pod that it ended for the sake of its machine or of other pods, and
# what its messages say of a pod that is evicted for its own storage. A pod is also evicted for the
# sake of its machine, by the scheduler, and by programs that use the same reason.
_ENDED_FOR_OTHERS: Final = ("Terminated", "Shutdown", "NodeShutdown", "Preempting", "NodeLost")
_OWN_STORAGE: Final = (
    "Usage of EmptyDir volume",
    "exceeded its local ephemeral storage limit",
    "ephemeral local storage usage exceeds",
)
# Reasons for which a container waits: its image, and other steps before its program.
_NO_IMAGE: Final = ("RegistryUnavailable", "SignatureValidationFailed")
_NOT_CREATED: Final = (
    *("Failed", "CrashLoopBackOff", "CreateContainerError", "RunContainerError"),
    *("PreCreateHookError", "PreStartHookError", "PostStartHookError"),
)


# Reasons for which the operator stops an attempt whose container has not started.
NOT_STARTED: Final = frozenset(
    {
        Reason.UNSCHEDULABLE,
        Reason.IMAGE_PULL,
        Reason.MISSING_REFERENCE,
        Reason.POD_REJECTED,
        Reason.LAUNCH_REJECTED,
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
    stored_result: RecordFact | None = None,
    stored_calls: RecordFact | None = None,
    lost: str = "",
    waited: bool = False,
) -> Outcome:
    """Judge an attempt whose pod is over (`pod.over`) or on a lost machine.

    Args:
        pod: The attempt's pod.
        kind: The kind of its node.
        expect: The identity that its commit record must carry.
        output_schema: The JSON Schema (2020-12) of the output.
        stopping: The reason for which the operator stopped the attempt, if it did.
        log: The end of the pod's log, if it was read.
        trouble: The problem that was shown in the node's status before the stop.
        stored_result: The attempt's NodeRecord, if it was read (`needs_record`) and exists.
        stored_calls: The same of the tool calls that people decide on (`is_parked`).
        lost: Why the machine is considered lost; "" if it is not.
        waited: Whether the kubelet reported why it had not started the container.
    """
    recorded: Outcome | RecordProblem | None
    if stopping == Reason.CONTAINER_RESTARTED and not pod.restarts:
        # It was stopped after its end, before the kubelet started it again.
        pod, stopping = replace(pod, deleting=False, deleting_since=None), None
    if is_parked(pod, expect):
        return parked_outcome(belonging_to(pod.record, expect=expect), kind, stored_calls)
    foreign = not KINDS[kind].runs_waypost
    if foreign and (not _did_its_work(pod, stopping) or (pod.restarts and pod.has_sidecar)):
        recorded = None  # the sidecar may have read what a later run has written
    elif foreign and not pod.has_sidecar:
        recorded = _plain_result(pod, output_schema)
    else:
        recorded = _recorded_result(pod, expect, output_schema, stored_result)
        recorded = idle_of_kind(recorded, KINDS[kind])
    if isinstance(recorded, Succeeded | Parked):
        return recorded
    if pod.restarts and stopping in (None, Reason.CONTAINER_RESTARTED):
        return restarted(pod, recorded if isinstance(recorded, Failed) else None)
    if isinstance(recorded, Failed) and not _is_only_sigterm(recorded, pod, stopping):
        return recorded
    ends_anyway = stopping and reason_of(stopping) not in (*NOT_STARTED, Reason.TIMEOUT)
    if lost and not ends_anyway:
        return Failed(Reason.NODE_LOST, lost)
    failure = _without_record(
        pod,
        kind=kind,
        stopping=stopping,
        log=log,
        started=not surely_not_started(pod, waited=waited),
    )
    if isinstance(recorded, Failed):
        failure = replace(failure, report=recorded.report)
    if stopping and trouble:
        text = f"{failure.message}: {trouble}"
        failure = replace(failure, message=text, lasting=_is_hopeless(stopping, trouble))
    if isinstance(recorded, RecordProblem):
        text = f"{failure.message}; a record was refused: {recorded.message}"
        return replace(failure, message=text, refused=recorded.reason)
    return failure


def _is_hopeless(stopping: str, trouble: str) -> bool:
    return reason_of(stopping) in NOT_STARTED and refusals.lasts(trouble)


def _is_only_sigterm(recorded: Failed, pod: PodFact, stopping: str | None) -> bool:
    """Whether a record only says that SIGTERM came, while the cause is known: the operator
    stopped the attempt, or the kubelet evicted the pod."""
    cause = stopping or pod.disruption or pod.pod_reason in ("Evicted", "DeadlineExceeded")
    return recorded.reason == Reason.DISRUPTED and bool(cause)


def needs_record(pod: PodFact, expect: Attempt) -> bool:
    """Whether the result of a pod that is over may be in a NodeRecord."""
    if is_parked(pod, expect) or surely_not_started(pod):
        return False
    if pod.has_sidecar and pod.exit_code != 0:
        return False
    record = belonging_to(pod.record, expect=expect)
    if isinstance(record, CommitRecord):
        return record.stored is not None
    # Without a record, nothing says which run of a container has uploaded a result.
    return record.reason != "TooLarge" and not pod.restarts


def needs_trace(pod: PodFact, expect: Attempt) -> bool:
    """Whether the trace of a pod that is over is in a NodeRecord."""
    record = belonging_to(pod.record, expect=expect)
    return isinstance(record, CommitRecord) and record.trace is True


def _recorded_result(
    pod: PodFact,
    expect: Attempt,
    output_schema: JsonValue | None,
    stored_result: RecordFact | None,
) -> Outcome | RecordProblem | None:
    record = belonging_to(pod.record, expect=expect)
    if isinstance(record, CommitRecord):
        report = report_of(record)
        if record.stored is not None:
            return replace(_stored(record.stored, stored_result, output_schema), report=report)
        if record.outcome == "Succeeded":
            return replace(_checked(record.output, output_schema), report=report)
        message = record.message or "failed without a message"
        return Failed(reason_of(record.reason), message, redacted(record.tail or ""), report=report)
    if record.reason == "TooLarge":
        return Failed(Reason.OUTPUT_TOO_LARGE, record.message)
    if (
        stored_result is not None and not pod.restarts
    ):  # uploaded before the pod could write a record
        return from_stored_result(stored_result, output_schema)
    # Malformed or another attempt's: treated as absent, but reported and counted.
    return None if record.reason == "Missing" else record


def _stored(
    stored: Stored, stored_result: RecordFact | None, output_schema: JsonValue | None
) -> Outcome:
    if stored_result is None:
        text = "the commit record says that the output is stored, but the NodeRecord does not exist"
        return Failed(Reason.RESULT_LOST, text)
    payload = stored_result.payload
    if payload.digest != stored.digest:
        text = (
            f"NodeRecord {stored_result.name} has digest {payload.digest}, "
            f"the commit record expects {stored.digest}"
        )
        return Failed(Reason.RESULT_LOST, text)
    return from_stored_result(stored_result, output_schema)


def from_stored_result(stored_result: RecordFact, output_schema: JsonValue | None) -> Outcome:
    """The outcome of an attempt whose result is in this NodeRecord.

    A payload that is too large to be read here was checked against the schema by the gateway.
    """
    payload = stored_result.payload
    if stored_result.problem:
        return Failed(
            Reason.RESULT_LOST, f"NodeRecord {stored_result.name}: {stored_result.problem}"
        )
    if payload.read and output_schema is not None:
        violations = schema.validate(output_schema, payload.value)
        if violations:
            return Failed(Reason.OUTPUT_INVALID, "; ".join(str(v) for v in violations))
    return Succeeded(
        readable(stored_result), payload.digest, payload.size, record=stored_result.name
    )


def _did_its_work(pod: PodFact, stopping: str | None) -> bool:
    """Whether the exit code of a `container` node's program means success.

    A program that exits 0 on SIGTERM has not done its work, unless the SIGTERM did not come from
    the operator and the program still wrote an output. One that ended before the SIGTERM has.
    """
    if not pod.terminated or pod.exit_code != 0:
        return False
    if pod.terminated_reason in (*END_UNKNOWN, *START_FAILED):
        return False  # the exit code is a placeholder
    if not _may_have_been_signalled(pod):
        return True
    return not stopping and bool(pod.has_sidecar or pod.message.strip())


def _may_have_been_signalled(pod: PodFact) -> bool:
    """Whether a pod that is over may have ended because of a SIGTERM."""
    if pod.restarts:
        return False  # what counts is the end of the first run, and a pod that ends starts nothing
    if pod.deleting_since is not None and pod.finished_at is not None:
        # Both have whole seconds: in the same second, the signal is the more likely cause.
        return pod.finished_at >= pod.deleting_since
    return pod.deleting or bool(pod.pod_reason or pod.disruption)


def _plain_result(pod: PodFact, output_schema: JsonValue | None) -> Outcome:
    output = decode_plain(pod.message)
    if not isinstance(output, RecordProblem):
        checked = _checked(output, output_schema)
        if isinstance(checked, Failed) and schema.takes_as_text(output_schema, pod.message):
            return _checked(pod.message, output_schema)
        return checked
    if output.reason == "TooLarge":
        return Failed(Reason.OUTPUT_TOO_LARGE, output.message)
    if output.plain_text is not None or schema.takes_as_text(output_schema, pod.message):
        as_text = _checked(pod.message, output_schema)
        if isinstance(as_text, Succeeded):
            return as_text
    return Failed(Reason.OUTPUT_INVALID, output.message)


def _checked(output: JsonValue, output_schema: JsonValue | None) -> Outcome:
    try:
        succeeded = checkpoint(ijson.check(output))
    except ijson.IJsonError as error:
        return Failed(Reason.OUTPUT_INVALID, str(error))
    if output_schema is not None:
        violations = schema.validate(output_schema, output)
        if violations:
            return Failed(Reason.OUTPUT_INVALID, "; ".join(str(v) for v in violations))
    return succeeded


def _without_record(
    pod: PodFact, *, kind: str, stopping: str | None, log: str | None, started: bool
) -> Failed:
    if stopping and pod.started_at is not None and reason_of(stopping) in NOT_STARTED:
        text = f"its container started just as it was stopped ({stopping})"
        return Failed(Reason.DISRUPTED, text, log or "")
    if stopping:
        return Failed(reason_of(stopping), _stopped_message(stopping), log or "", started)
    if pod.disruption:
        return Failed(Reason.DISRUPTED, pod.disruption, "", started)
    if (ended := _ended_by_kubelet(pod, started)) is not None:
        return ended
    if pod.terminated_reason in START_FAILED:
        return replace(_exit_code(pod, log), started=False, exit_code=None)
    if pod.init is not None and pod.init.reason == "Failed":
        unverified = pod.init.name == PROBE
        reason = Reason.ISOLATION_UNVERIFIED if unverified else Reason.POD_REJECTED
        return Failed(reason, pod.init.text, "", started=False)
    if not started:
        text = pod.pod_message or "the pod was deleted before its container started"
        return Failed(Reason.DISRUPTED, text, "", started=False)
    if pod.terminated_reason == "OOMKilled":
        return Failed(
            Reason.OUT_OF_MEMORY, "killed: out of memory (raise limits.memory)", log or ""
        )
    if pod.deleting or pod.terminated_reason in END_UNKNOWN or not pod.terminated:
        return Failed(Reason.DISRUPTED, pod.pod_message or _unknown_end(pod))
    if pod.exit_code == 0 and (KINDS[kind].runs_waypost or pod.has_sidecar):
        return Failed(Reason.RESULT_LOST, "exit code 0, but no record of a result was written")
    return _exit_code(pod, log)


def _ended_by_kubelet(pod: PodFact, started: bool) -> Failed | None:
    """What the pod's own reason says; None if it has none that explains its end."""
    evicted = pod.pod_reason == "Evicted"
    own = any(words in pod.pod_message for words in _OWN_STORAGE)
    if pod.pod_reason in _ENDED_FOR_OTHERS or (evicted and not own):
        text = pod.pod_message or ("the pod was evicted" if evicted else pod.pod_reason)
        return Failed(Reason.DISRUPTED, text, "", started)
    if evicted:
        cause = pod.pod_message.rstrip(". ")
        text = f"{cause}; raise resources.limits.ephemeral-storage"
        return Failed(Reason.OUT_OF_DISK, text, "", started)
    return _deadline(pod, started) if pod.pod_reason == "DeadlineExceeded" else None


def _unknown_end(pod: PodFact) -> str:
    if pod.deleting:
        return "the pod was deleted while it ran"
    if pod.terminated_reason in END_UNKNOWN:
        said = f": {pod.message.strip()[:300]}" if pod.message.strip() else ""
        return f"the kubelet does not know how the container ended{said}"
    return f"the pod has the phase {pod.phase}, but no status of its container"


def _exit_code(pod: PodFact, log: str | None) -> Failed:
    detail = f" ({pod.terminated_reason})" if pod.terminated_reason not in ("", "Error") else ""
    if pod.exit_code == _SIGKILLED and not detail:
        # A shell also exits with 137 if a child was killed for its memory: the two look the same.
        detail = " (SIGKILL, or a child process was killed for its memory)"
    message = f": {pod.message.strip()[:300]}" if pod.message.strip() else ""
    code = "no exit code" if pod.exit_code is None else f"exit code {pod.exit_code}"
    text = f"{code}{detail}{message}"
    return Failed(Reason.NODE_ERROR, text, log or "", exit_code=pod.exit_code)


def _deadline(pod: PodFact, started: bool) -> Failed:
    # activeDeadlineSeconds of the pod ends it while no operator runs.
    if started:
        return Failed(Reason.TIMEOUT, "stopped by the pod's deadline")
    text = trouble_of(pod) or f"did not start in time: {idle_of(pod)}"
    return Failed(never_started(pod), text, "", False)


def _stopped_message(reason: str) -> str:
    return {
        Reason.TIMEOUT: "ran longer than its timeout",
        Reason.CANCELLED: "the run was cancelled",
        Reason.NOT_CHOSEN: "stopped",
        Reason.DEADLINE_EXCEEDED: "stopped while it was running",
        Reason.SUPERSEDED: "stopped for a new round",
        Reason.SLOT_TAKEN: "another attempt holds its slot",
        Reason.LAUNCH_REJECTED: "its Job was refused",
        Reason.PREEMPTED: "preempted",
        Reason.DISRUPTED: "the pod was deleted while it ran",
    }.get(reason_of(reason), "did not start within queueTimeout")


def never_started(pod: PodFact) -> Reason:
    """The reason why a pod's container has not started."""
    if pod.unschedulable:
        return Reason.UNSCHEDULABLE
    waits_for = pod.init.reason if pod.init is not None else pod.waiting_reason
    if waits_for in _NOT_CREATED:
        return Reason.POD_REJECTED
    if "Image" in waits_for or waits_for in _NO_IMAGE:
        return Reason.IMAGE_PULL
    if waits_for == "CreateContainerConfigError" or pod.missing:
        return Reason.MISSING_REFERENCE
    return Reason.UNSCHEDULABLE


def needs_log(pod: PodFact, *, kind: str) -> bool:
    """Whether the end of the log can explain a failure that the pod's status does not."""
    if not pod.terminated or pod.exit_code == 0 or pod.disruption or pod.restarts:
        return False  # the log of a container that was started again is that of a later run
    return not KINDS[kind].runs_waypost or not pod.message
