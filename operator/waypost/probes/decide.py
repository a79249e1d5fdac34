"""When a probe starts, and what its result means: a pure function of what was observed.

As with runs, the status is the log and the fence: a probe is recorded before its Job is created,
and found again by name and number after a crash.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.meta import ConditionReason
from waypost.api.probe import ProbedStatus, ProbeState
from waypost.kube.conditions import Conditions
from waypost.kube.facts.pods import PodFact
from waypost.kube.jitter import jittered
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.probes.findings import REASONS_OF_WAITING, Finding, findings, judge, waiting
from waypost.probes.job import DEADLINE, ProbeSettings, image_of, probe_job, probe_name
from waypost.probes.subject import Subject
from waypost.protocol.probe import ProbeReason
from waypost.protocol.reasons import Reason

# Reasons of the condition Ready that need no result of a probe.
REASONS: Final = (
    ConditionReason.INVALID_SPEC,
    ConditionReason.NO_AGENT_IMAGE,
    ConditionReason.PROBING,
)
PROBE_FAILED: Final = str(ProbeReason.PROBE_FAILED)
_LAUNCH_AGAIN: Final = 10.0  # seconds within which the Job of a recorded probe may be created
_FIRST_BACKOFF: Final = 10.0
_LAST_BACKOFF: Final = 300.0
_LOOKS: Final = (1.0, 2.0, 5.0)  # seconds between live reads of a probe, by its age
_ENDED_GRACE: Final = 10.0  # seconds beyond its own deadline
_NO_IMAGE: Final = (
    "this installation has no agent image for its probe; set agent.image in the chart"
)


@dataclass(frozen=True)
class Look:
    """A live read of the latest probe."""

    job: bool = False  # whether its Job exists
    pods: tuple[PodFact, ...] = ()
    trouble: str = ""  # newest FailedCreate of the Job, or FailedMount of the pod
    log: str | None = None  # of the pod, if the verdict refers to it
    refused: str = ""  # why the API server refused the Job; "" if it did not


@dataclass(frozen=True)
class Step:
    """The next status, and what to do once it is written.

    Attributes:
        status: The status to write, if it differs.
        launch: A Job to create.
        stop: Name of a Job to delete, whose result is no longer needed.
        wake_at: When the next step is due; None for after the next change.
    """

    status: ProbedStatus
    launch: JsonObject | None = None
    stop: str | None = None
    wake_at: datetime | None = None


def underway(subject: Subject) -> bool:
    """Whether a probe is recorded and has no result: the next step then needs a Look."""
    return subject.status.probe is not None and subject.status.probe.finished_at is None


def step(
    subject: Subject,
    look: Look | None,
    now: datetime,
    settings: ProbeSettings,
    *,
    forbidden: str = "",
) -> Step:
    """Decide what to do for one subject now.

    Args:
        subject: The subject as it was observed.
        look: A live read of its latest probe; needed while `underway(subject)`.
        now: The current time.
        settings: Of the operator.
        forbidden: What the policy of the platform does not allow in a probe (`not_permitted`).
    """
    state = subject.status.probe
    if subject.deleting:
        return Step(subject.status)
    if subject.spec is None:
        finding = Finding(
            "False", ConditionReason.INVALID_SPEC, f"{subject.problem}; correct the object"
        )
        return Step(_with_condition(subject, subject.status, finding, now))
    if not image_of(subject, settings):
        finding = Finding("Unknown", ConditionReason.NO_AGENT_IMAGE, _NO_IMAGE)
        return Step(_with_condition(subject, subject.status, finding, now))
    if forbidden:
        finding = Finding("False", str(Reason.NOT_PERMITTED), forbidden)
        return Step(
            _with_condition(subject, _ended(subject.status, now), finding, now),
            stop=state.job if state is not None and state.finished_at is None else None,
            wake_at=now + timedelta(seconds=_LAST_BACKOFF),
        )
    if state is not None and state.finished_at is None:
        if state.generation == subject.generation and state.asked == subject.asked:
            return _attend(subject, state, look or Look(), now, settings)
        return replace(_begin(subject, now, settings), stop=state.job)
    due = _due(subject, state)
    if due is None or now >= due:
        return _begin(subject, now, settings)
    return Step(subject.status, wake_at=due)


def _ended(status: ProbedStatus, now: datetime) -> ProbedStatus:
    """A status without a probe that runs: it is stopped, and its result is not used."""
    if status.probe is None or status.probe.finished_at is not None:
        return status
    ended = status.probe.model_copy(update={"finished_at": timestamp(now)})
    return status.model_copy(update={"probe": ended})


def _due(subject: Subject, state: ProbeState | None) -> datetime | None:
    """When the next probe is due; None for at once."""
    if state is None or state.generation != subject.generation or state.asked != subject.asked:
        return None
    return parse_timestamp(state.next_at)


def _begin(subject: Subject, now: datetime, settings: ProbeSettings) -> Step:
    last = subject.status.probe
    number = last.number + 1 if last else 1
    fresh = last is None or last.generation != subject.generation
    state = ProbeState(
        number=number,
        generation=subject.generation,
        job=probe_name(subject, number),
        started_at=timestamp(now),
        failures=0 if last is None or fresh else last.failures,
        asked=subject.asked,
    )
    status = subject.status.model_copy(update={"probe": state})
    if fresh:  # the condition is of another spec
        finding = Finding("Unknown", ConditionReason.PROBING, "a probe is running")
        status = _with_condition(subject, status, finding, now)
    return Step(
        status,
        launch=probe_job(subject, number, settings),
        wake_at=now + timedelta(seconds=_LOOKS[0]),
    )


def _attend(
    subject: Subject, state: ProbeState, look: Look, now: datetime, settings: ProbeSettings
) -> Step:
    started = parse_timestamp(state.started_at) or now
    age = (now - started).total_seconds()
    pods = [pod for pod in look.pods if pod.attempt == state.number]
    if pods and all(pod.over for pod in pods):
        ended = _kept(subject, pods[-1], judge(subject, pods[-1], look.log))
        return _conclude(subject, state, ended, now, settings)
    if look.refused:
        return _conclude(subject, state, Finding.failed(look.refused), now, settings)
    if not pods and not look.job:
        if age < _LAUNCH_AGAIN:
            again = now + timedelta(seconds=_LOOKS[0])
            return Step(subject.status, probe_job(subject, state.number, settings), None, again)
        lost = Finding.failed("its Job is gone without a result")
        return _conclude(subject, state, lost, now, settings)
    finding = waiting(subject, pods, look.trouble)
    if age >= DEADLINE + _ENDED_GRACE:
        if finding is None:
            finding = Finding.failed(f"the probe did not end within {DEADLINE:.0f} s")
        return replace(_conclude(subject, state, finding, now, settings), stop=state.job)
    status = (
        subject.status
        if finding is None
        else _with_condition(subject, subject.status, finding, now)
    )
    return Step(status, wake_at=now + timedelta(seconds=_pause(age)))


def _kept(subject: Subject, pod: PodFact, finding: Finding) -> Finding:
    """The condition from while the pod waited, if it never started.

    A pod that has waited for a Secret or an image until its deadline no longer states the cause.
    """
    ready = next((c for c in subject.status.conditions if c.type == meta.Condition.READY), None)
    if ready is None or ready.observed_generation != subject.generation:
        return finding
    if pod.started_at is not None or ready.reason not in (*REASONS_OF_WAITING, PROBE_FAILED):
        return finding
    return Finding(ready.status, ready.reason, ready.message)


def _pause(age: float) -> float:
    return _LOOKS[0] if age < 10 else _LOOKS[1] if age < 30 else _LOOKS[2]


def _conclude(
    subject: Subject, state: ProbeState, finding: Finding, now: datetime, settings: ProbeSettings
) -> Step:
    failures = 0 if finding.ready == "True" else state.failures + 1
    pause = settings.again_seconds
    if failures:
        # The exponent is bounded, so that the power cannot overflow.
        pause = min(_FIRST_BACKOFF * 2 ** min(failures - 1, 16), _LAST_BACKOFF, pause)
    wake_at = now + jittered(pause, seed=f"{subject.uid}/{state.number}", spread=0.1)
    ended = state.model_copy(
        update={
            "finished_at": timestamp(now),
            "failures": failures,
            "next_at": timestamp(wake_at),
        }
    )
    status = subject.status.model_copy(update={"probe": ended, **findings(subject, finding)})
    return Step(_with_condition(subject, status, finding, now), wake_at=wake_at)


def _with_condition(
    subject: Subject, status: ProbedStatus, finding: Finding, now: datetime
) -> ProbedStatus:
    conditions = Conditions(status.conditions, generation=subject.generation, now=now)
    conditions.set(
        meta.Condition.READY, finding.ready, reason=finding.reason, message=finding.message
    )
    changes = {"conditions": conditions.items, "observed_generation": subject.generation}
    return status.model_copy(update=changes)
