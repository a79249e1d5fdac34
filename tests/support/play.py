"""A play: the engine against a scripted cluster, pass by pass, until the run is finished.

Jobs make pods, pods end as scripted, humans answer as scripted. `crash` breaks a pass off after any
of its effects, as a killed operator does; what was only in its memory is then gone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from waypost.api.approval import ApprovalSpec
from waypost.api.base import JsonObject, JsonValue
from waypost.api.meta import ANNOTATION_PATH, LABEL_ROUND
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.engine.state.decision import (
    Decision,
    DeleteRun,
    Launch,
    OpenApproval,
    PutRecord,
    ReleasePod,
    SettleApproval,
    StopAttempt,
)
from waypost.engine.state.observed import Observed, Reads
from waypost.engine.state.transition import is_finished
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.jobs import JobFact, WriteProblem
from waypost.kube.facts.pods import PodFact
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.node_records import record_fact
from waypost.protocol.record import CommitRecord, encode
from waypost.protocol.work import Trace, Usage

from tests.support import builders
from tests.support.builders import NOW, SETTINGS, exited, failure_record, record
from tests.support.passes import decide, required_reads

Ending = Callable[[PodFact], PodFact]
Answer = Mapping[str, JsonValue]


def returns(output: JsonValue) -> Ending:
    """The node's program gives `output`."""

    def end(pod: PodFact) -> PodFact:
        text = record(output, pod.path, pod.attempt, pod_uid=pod.uid, round_=pod.round)
        return ended_with(pod, code=0, message=text)

    return end


def raises(message: str = "boom", reason: str = "NodeError") -> Ending:
    """The node's program fails, and says so."""

    def end(pod: PodFact) -> PodFact:
        text = failure_record(
            reason, pod.path, pod.attempt, message=message, pod_uid=pod.uid, round_=pod.round
        )
        return ended_with(pod, code=1, message=text)

    return end


def uses(
    usage: Usage,
    *,
    fails: str = "",
    message: str | None = None,
    retry_after: float | None = None,
    trace: Trace | bool | None = None,
    carried: Usage | None = None,
    output: JsonValue = None,
) -> Ending:
    """The node's program ends, and its record has its usage and its trace."""

    def end(pod: PodFact) -> PodFact:
        made = CommitRecord(
            builders.ref(pod.path, pod.attempt, pod_uid=pod.uid, round_=pod.round),
            "Failed" if fails else "Succeeded",
            output,
            reason=fails or None,
            message=message,
            usage=usage,
            carried=carried,
            retry_after_seconds=retry_after,
            trace=trace,
        )
        return ended_with(pod, code=1 if fails else 0, message=encode(made).decode())

    return end


def writes(text: str, code: int = 0) -> Ending:
    """A container leaves `text` as its output."""
    return lambda pod: ended_with(pod, code=code, message=text)


def evicted() -> Ending:
    """The cluster takes the pod's machine away."""
    text = "DeletionByTaintManager: taint manager: deleting due to NoExecute taint"
    return lambda pod: ended_with(pod, code=137, disruption=text, deleting=True)


def never_ends() -> Ending:
    """The program hangs; only the operator can end it."""
    return lambda pod: pod


def ended_with(pod: PodFact, *, code: int, message: str = "", **fields: Any) -> PodFact:
    ended = exited(pod.path, pod.attempt, code=code, message=message, **fields)
    moment = pod.started_at or NOW
    return replace(
        ended,
        name=pod.name,
        uid=pod.uid,
        held=pod.held,
        round=pod.round,
        started_at=moment,
        finished_at=moment,
    )


def _never_started(pod: PodFact, *, code: int, **fields: Any) -> PodFact:
    """As the kubelet reports a container that it never created; for a pod without a machine,
    no kubelet reports anything."""
    if not pod.scheduled:
        return replace(pod, **fields)
    unknown = "ContainerStatusUnknown"
    ended = {"phase": "Failed", "terminated": True, "exit_code": code}
    return replace(pod, **{**ended, "terminated_reason": unknown, **fields})


class Crash(Exception):
    """The operator was killed in the middle of a pass."""


@dataclass
class Play:
    """An active run. `endings[path]` scripts the attempts of a node (the last one repeats),
    `answers[path]` what a human puts on its Approval as soon as it exists."""

    spec: JsonObject
    endings: Mapping[str, Iterable[Ending]] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    now: datetime = NOW
    status: AgentWorkflowStatus = field(default_factory=AgentWorkflowStatus)
    jobs: dict[str, JobFact] = field(default_factory=dict)
    pods: dict[str, PodFact] = field(default_factory=dict)
    approvals: dict[str, ApprovalFact] = field(default_factory=dict)
    records: dict[str, JsonValue] = field(default_factory=dict)
    record_facts: dict[str, Any] = field(default_factory=dict)
    child_problems: dict[str, WriteProblem] = field(default_factory=dict)
    executions: dict[tuple[str, int], int] = field(default_factory=dict)
    manifests: dict[tuple[str, int], JsonObject] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    overrides: dict[str, Any] = field(default_factory=dict)  # fields of Observed
    deleted: bool = False
    generation: int = 1
    settings: PodSettings = SETTINGS

    def __post_init__(self) -> None:
        self._known_jobs: set[str] = set()
        self._looked: datetime | None = None
        self.requeue: datetime | None = None

    # --- one pass --------------------------------------------------------------------------------

    def observe(self) -> Observed:
        """What a pass sees, with everything loaded that the engine plans for."""
        seen = builders.observed(
            self.spec,
            status=self.status,
            generation=self.generation,
            pods=tuple(self.pods.values()),
            jobs={name: self.jobs[name] for name in self._known_jobs if name in self.jobs},
            approvals=dict(self.approvals),
            child_problems=dict(self.child_problems),
            live_at=self._looked,
        )
        seen = replace(seen, **self.overrides)
        for _ in range(4):
            wants = required_reads(seen, self.now)
            loaded = {name: self.records[name] for name in wants.payloads}
            seen = replace(seen, payloads={**seen.payloads, **loaded})
            facts = {name: self.record_facts.get(name) for name in wants.records}
            seen = replace(seen, records={**seen.records, **facts})
            if wants.logs:
                logs = {pod.uid: f"log of {pod.name}" for pod in wants.logs}
                seen = replace(seen, logs={**seen.logs, **logs})
            if wants.references:
                seen = replace(seen, references_live=True)
            if wants.live:
                self._looked, self._known_jobs = self.now, set(self.jobs)
                seen = builders.read_live(seen, self.jobs, self.now)
        return seen

    def planned(self) -> Reads:
        """What the engine asks for beside the cached facts."""
        seen = builders.observed(self.spec, status=self.status, pods=tuple(self.pods.values()))
        return required_reads(replace(seen, **self.overrides), self.now)

    def step(self, *, crash_after: int | None = None) -> Decision:
        """One pass. With `crash_after` n only the first n of its effects happen, and Crash is
        raised if there were more."""
        decision = decide(self.observe(), self.now, self.settings)
        self.decisions.append(decision)
        self.requeue = decision.requeue_at
        write = [decision.status] if decision.status != self.status else []
        for index, effect in enumerate([*decision.before, *write, *decision.after]):
            if index == crash_after:
                self._known_jobs, self._looked = set(), None
                self.child_problems = {}
                raise Crash
            self._apply(effect)
        return decision

    def _apply(self, effect: Any) -> None:
        match effect:
            case AgentWorkflowStatus():
                self.status = effect
            case PutRecord():
                fact = record_fact(effect.manifest)
                self.records[fact.name] = fact.payload.value
            case SettleApproval():
                self._settle(effect)
            case Launch():
                self._launch(effect)
            case OpenApproval():
                self._open(effect)
            case StopAttempt():
                self._stop(effect)
            case ReleasePod():
                self.pods[effect.uid] = replace(self.pods[effect.uid], held=False)
            case DeleteRun():
                self.deleted = True

    def _settle(self, effect: SettleApproval) -> None:
        fact = self.approvals[effect.name]
        assert effect.resource_version == fact.resource_version, "a stale write would be refused"
        version = str(int(fact.resource_version) + 1)
        self.approvals[effect.name] = replace(fact, status=effect.status, resource_version=version)

    def _launch(self, effect: Launch) -> None:
        name = effect.job["metadata"]["name"]
        self._known_jobs.add(name)
        if name in self.jobs:
            return
        key = (effect.path, effect.attempt)
        self.jobs[name] = JobFact(
            name=name, uid=name, path=effect.path, attempt=effect.attempt, created_at=self.now
        )
        self.manifests.setdefault(key, effect.job)
        round_ = int(effect.job["metadata"]["labels"][LABEL_ROUND])
        pod = builders.pod(effect.path, effect.attempt, round=round_)
        self.pods[pod.uid] = pod

    def _open(self, effect: OpenApproval) -> None:
        name = effect.manifest["metadata"]["name"]
        if name in self.approvals:
            return
        path = effect.manifest["metadata"]["annotations"][ANNOTATION_PATH]
        round_ = int(effect.manifest["metadata"]["labels"][LABEL_ROUND])
        fact = replace(builders.approval(effect.manifest), round=round_)
        if path in self.answers:
            fact = _answered(fact, self.answers[path], self.now)
        self.approvals[name] = fact

    def _stop(self, effect: StopAttempt) -> None:
        if effect.job in self.jobs:
            self.jobs[effect.job] = replace(self.jobs[effect.job], suspended=True, halted=True)
        for uid, pod in self.pods.items():
            if builders.job_of(pod.path, pod.attempt) == effect.job and not pod.over:
                ended = ended_with if pod.started_at else _never_started
                self.pods[uid] = ended(pod, code=137, deleting=True)

    # --- the world between passes ----------------------------------------------------------------

    def answer(self, path: str, /, **answer: JsonValue) -> None:
        """A human answers the Approval of a gate now."""
        name = self.node(path).approval or ""
        self.approvals[name] = _answered(self.approvals[name], answer, self.now)

    def edit(self, **fields: JsonValue) -> "Play":
        """A person changes the spec; None takes a field out."""
        changed = {**self.spec, **fields}
        self.spec = {key: value for key, value in changed.items() if value is not None}
        self.generation += 1
        return self

    def edit_node(self, path: str, **fields: JsonValue) -> "Play":
        """A person changes fields of one node, in the same update as the next edit."""
        nodes = [{**n, **fields} if n["name"] == path else n for n in self.spec["nodes"]]
        self.spec = {**self.spec, "nodes": nodes}
        return self

    def rerun(self, **asked: JsonValue) -> "Play":
        """A person begins the next round."""
        return self.edit(rerun={"round": self.status.round + 1, **asked})

    def advance(self, seconds: float = 0.0) -> None:
        """Time passes; pods start, and those that run end as scripted."""
        self.now += timedelta(seconds=seconds)
        for uid, pod in self.pods.items():
            if pod.over:
                continue
            if pod.started_at is None:
                key = (pod.path, pod.attempt)
                self.executions[key] = self.executions.get(key, 0) + 1
            self.pods[uid] = self._ending(pod)(
                replace(pod, phase="Running", started_at=pod.started_at or self.now)
            )

    def _ending(self, pod: PodFact) -> Ending:
        scripted = self.endings.get(pod.path) or self.endings.get(pod.path.partition("/")[0], ())
        script = list(scripted)
        if not script:
            return returns({"from": pod.path})
        return script[min(pod.attempt, len(script)) - 1]

    def finish(self, *, passes: int = 200) -> "Play":
        """Play on until the run is finished. Fails when it does not come to an end."""
        for _ in range(passes):
            before = self.status
            self.step()
            if self.finished:
                return self
            self.advance(0.2)
            if self.status == before and self.requeue is not None:
                self.now = max(self.now, self.requeue)
        raise AssertionError(f"not finished after {passes} passes: {self.phases}")

    # --- what came out ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        return is_finished(self.status)

    def node(self, path: str) -> NodeStatus:
        """The checkpoint of a node."""
        return next(entry for entry in self.status.nodes if entry.path == path)

    @property
    def phases(self) -> dict[str, str]:
        return {entry.path: entry.phase for entry in self.status.nodes}

    @property
    def reasons(self) -> dict[str, str | None]:
        return {entry.path: entry.reason for entry in self.status.nodes}

    def condition(self, type_: str) -> tuple[str, str, str]:
        """(status, reason, message) of a condition; empty texts when it is not there."""
        for found in self.status.conditions:
            if found.type == type_:
                return found.status, found.reason, found.message
        return "", "", ""

    @property
    def launched(self) -> list[str]:
        """Paths in the order in which their Jobs were first asked for."""
        return [launch.path for decision in self.decisions for launch in launches(decision)]


def launches(decision: Decision) -> list[Launch]:
    """The Jobs that a decision asks for."""
    return [action for action in decision.after if isinstance(action, Launch)]


def _answered(fact: ApprovalFact, answer: Answer, now: datetime) -> ApprovalFact:
    assert fact.spec is not None
    wire = fact.spec.model_dump(by_alias=True, exclude_none=True)
    version = str(int(fact.resource_version) + 1)
    return replace(
        fact,
        spec=ApprovalSpec.model_validate({**wire, **answer}),
        answered_at=now,
        resource_version=version,
    )


def masked(status: AgentWorkflowStatus) -> JsonValue:
    """A status without its times, and digests of them: what must be equal however often the
    operator was killed."""
    wire = status.model_dump(by_alias=True, exclude_none=True, mode="json")
    for entry in wire["nodes"]:
        entry.pop("inputDigest", None)
        if "attempts" not in entry:  # gates and waits give times
            entry.pop("outputDigest", None)
    return _without_times(wire)


def _without_times(value: Any) -> Any:
    timed = ("At", "Time", "until")
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k != "at" and not k.endswith(timed)}
        return {k: _without_times(v) for k, v in kept.items()}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value
