"""What was seen of a run: the stories of its attempts, pods and Approvals, and what was wrong."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.fakes.clock import EPOCH
from tests.fakes.nodes.podstatus import MESSAGE_LIMIT
from tests.fakes.nodes.programs import Outcome, node_of
from tests.simulation.scenario import programs
from tests.simulation.scenario.plan import Act, Node
from tests.simulation.scenario.programs import Meaning

FINAL: Final = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})


@dataclass(frozen=True)
class Violation:
    """A broken label of docs/invariants.md or docs/semantics.md; T11 is the interpreter."""

    invariant: str
    text: str
    at: float = 0.0

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f}: {self.text}"


def is_accepted(status: Obj) -> bool:
    """Whether a status does not say that the definition of its run cannot be used."""
    found = items(status, "conditions")
    return not any(c["type"] == "Accepted" and c["status"] == "False" for c in found)


@dataclass
class PodStory:
    """One pod: what its program was to do, and what was reported of it to the API server."""

    uid: str
    name: str
    path: str
    attempt: int
    created_at: float
    job: str = ""  # uid of its Job
    iteration: int | None = None  # of a node that is repeated
    act: Act | None = None
    outcome: Outcome | None = None
    inputs: Any = None
    key: str = ""  # the idempotency key of its program
    tokens: int = 0
    started_at: float | None = None
    over_at: float | None = None
    deleting_at: float | None = None
    gone_at: float | None = None
    disrupted: bool = False
    released_at: float | None = None
    body: Obj = field(default_factory=dict)

    @property
    def machine(self) -> str:
        """The machine it is bound to; "" if it is not bound."""
        return str(section(self.body, "spec").get("nodeName") or "")

    @property
    def reported(self) -> Obj:
        """How its container ended, as last reported to the API server."""
        for status in items(self.body, "status", "containerStatuses"):
            if status.get("name") == "node":
                return section(status, "state", "terminated")
        return {}

    @property
    def evicted(self) -> bool:
        return section(self.body, "status").get("reason") == "Evicted"

    def meaning(self, node: Node) -> Meaning | None:
        """What its program's end means; None when it was not the program that ended it."""
        reported = self.reported
        if not reported or self.act is None or self.outcome is None or self.started_at is None:
            return None
        if programs.ends_by_itself(self.act) and self._ended(
            reported, self.outcome.exit_code, self.outcome.message, self.outcome.reason
        ):
            return programs.meaning(node, self.act, self.inputs)
        if self._ended(reported, self.outcome.stop_code, self.outcome.stop_message, ""):
            return programs.stopped_meaning(node, self.act, self.inputs)
        return None

    @staticmethod
    def _ended(reported: Obj, code: int, message: str, reason: str) -> bool:
        tail = message.encode()[-MESSAGE_LIMIT:].decode("utf-8", "replace")
        expected = reason or ("Completed" if code == 0 else "Error")
        found = (reported.get("exitCode"), reported.get("message", ""), reported.get("reason"))
        return found == (code, tail, expected)


@dataclass
class AttemptStory:
    """One attempt, as the run's status showed it, write by write."""

    path: str
    number: int
    job: str
    recorded_at: float
    finished_at: float | None = None
    reason: str = ""
    pod_uid: str | None = None
    stops: set[str] = field(default_factory=set)
    stopped_at: float | None = None  # when a status first said so
    decided_at: float = 0.0  # at the earliest
    given_up: bool = False  # it was closed while its pods were on machines that had been silent
    accepted: bool = True  # whether the status that recorded its end knew the definition of the run
    named: str | None = None  # the reason of its node before its end; None for items
    launched_at: str = ""
    ended_at: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or was stopped in the write that recorded it: it gets no Job."""
        return self.finished_at is not None or self.stopped_at == self.recorded_at

    @property
    def ended(self) -> float:
        """When it ended, by status."""
        return (datetime.fromisoformat(self.ended_at) - EPOCH).total_seconds()

    @property
    def launched(self) -> float:
        """When it was launched, by status, but not before that was decided."""
        said = (datetime.fromisoformat(self.launched_at) - EPOCH).total_seconds()
        return max(said, self.decided_at)


@dataclass
class GateStory:
    """One Approval object, from its creation to its end."""

    name: str
    uid: str
    path: str
    asked_at: float
    waiting_since: float = 0.0
    decided_at: float = 0.0  # that its node waits, at the earliest
    expires_at: str = ""
    level: int = 0  # of escalation
    escalated_to: str = ""  # the name of the next one
    answers: list[tuple[float, str]] = field(default_factory=list)  # what the API server took
    state: str = "Open"
    expired: bool = False
    settled_at: float | None = None
    gone_at: float | None = None

    def settle(self, status: Obj, now: float) -> None:
        """Take what its status records now."""
        self.state, self.settled_at = status["state"], now
        self.expired = bool(status.get("expired"))
        self.escalated_to = status.get("escalatedTo", "")

    @property
    def due(self) -> float:
        """When it expires, by the Approval; infinity if it never does."""
        if not self.expires_at:
            return float("inf")
        return (datetime.fromisoformat(self.expires_at) - EPOCH).total_seconds()


@dataclass(frozen=True)
class Waiting:
    """A gate or a wait that has begun."""

    since: float  # when that was stored
    decided_at: float  # at the earliest


@dataclass
class RoundStory:
    """One round after the first: what it had to keep, and the checkpoints it left."""

    number: int
    began_at: float
    named: frozenset[str]  # in rerun.from
    before: dict[str, Obj] = field(default_factory=dict)  # checkpoints by path, when it began
    kept: dict[str, Obj] = field(default_factory=dict)
    ended: dict[str, Obj] = field(default_factory=dict)  # checkpoints by path, once it is over
    ended_at: float = float("inf")
    repeated: list[tuple[str, str]] = field(default_factory=list)  # maps and items, by rerun.from


@dataclass
class Evidence:
    """All of it."""

    pods: dict[str, PodStory] = field(default_factory=dict)  # by uid, in order
    attempts: dict[tuple[str, int], AttemptStory] = field(default_factory=dict)
    gates: dict[str, GateStory] = field(default_factory=dict)  # by uid, in order
    waiting: dict[str, Waiting] = field(default_factory=dict)  # by path
    ended: dict[str, float] = field(default_factory=dict)  # when, by path
    # The status write that recorded the present end of a node, and when, by path.
    recorded: dict[str, tuple[int, float]] = field(default_factory=dict)
    began_late: set[str] = field(default_factory=set)  # paths: they began in that write (S469)
    # Uids of Jobs that were made a second time (`relaunches`), and whether their attempt had ended.
    relaunched: dict[str, bool] = field(default_factory=dict)
    copies: dict[str, bool] = field(default_factory=dict)  # of pods, by name; whether they hang
    forged: set[str] = field(default_factory=set)  # gates in whose place a stranger's was put
    jobs: dict[str, float] = field(default_factory=dict)  # uid -> created at
    tries: dict[str, list[float]] = field(default_factory=dict)  # to create a Job, by its name
    records: dict[str, Obj] = field(default_factory=dict)  # NodeRecords by name, as last seen
    gone_records: dict[str, float] = field(default_factory=dict)  # since when, by name
    refused_records: dict[str, float] = field(default_factory=dict)  # permanently, and when last
    # Those that are refused for now, or exist and cannot be read: since when, and when last.
    held_records: dict[str, tuple[float, float]] = field(default_factory=dict)
    unreadable_records: int = 0  # troubles that now keep the operator from reading NodeRecords
    violations: list[Violation] = field(default_factory=list)
    run: Obj = field(default_factory=dict)  # as last seen
    decided_at: float = 0.0  # what is stored now, at the earliest
    round: int = 1  # the latest that has begun
    rounds: list[RoundStory] = field(default_factory=list)  # after the first
    asked_round: bool = False
    verdict_cancelled: bool = False  # the run had been cancelled before the latest verdict
    spec: Obj = field(default_factory=dict)  # that the present round began with
    given: dict[str, str] = field(default_factory=dict)  # digests of what a person gave, by path
    left_out: set[str] = field(default_factory=set)  # that a person ever left out
    stale: dict[str, float] = field(
        default_factory=dict
    )  # gates: a yes from before no longer counts
    # Since when and until when the status said that the spec cannot be run: nothing is done then.
    halted: list[tuple[float, float]] = field(default_factory=list)
    finished_at: float | None = None
    deleted_at: float | None = None  # when its deletion began
    gone_at: float | None = None
    cancelled_at: float | None = None  # when a user asked for it
    story: list[str] = field(default_factory=list)
    digest: str = ""
    exercised: dict[str, int] = field(default_factory=dict)

    @property
    def nodes(self) -> dict[str, Obj]:
        """Checkpoints by path."""
        return {node["path"]: node for node in items(self.run, "status", "nodes")}

    @property
    def is_accepted(self) -> bool:
        """Whether the last status does not say that the definition of the run cannot be used."""
        return is_accepted(section(self.run, "status"))

    def note_record(self, name: str, body: Obj, *, gone: float | None) -> None:
        """Take note of a NodeRecord that is stored, or has been deleted at `gone`."""
        if gone is None:
            self.records[name] = body
        else:
            self.gone_records[name] = gone

    def halted_between(self, start: float, end: float) -> float:
        """For how many seconds of a time the spec of the run could not be run."""
        spans = [(max(begin, start), min(until, end)) for begin, until in self.halted]
        return sum(max(until - begin, 0.0) for begin, until in spans)

    def is_dropped(self, path: str) -> bool:
        """Whether the run no longer has the node of a path."""
        return node_of(path) not in self.nodes

    def was_given_up(self, pod_uid: str) -> bool:
        """Whether the attempt of a pod was closed with its machine: what is left of it may still
        run."""
        pod = self.pods.get(pod_uid)
        story = self.attempts.get((pod.path, pod.attempt)) if pod is not None else None
        return story is not None and story.given_up

    def is_relaunched(self, pod_uid: str) -> bool:
        """Whether a pod is of a Job that was made a second time."""
        return pod_uid in self.pods and self.pods[pod_uid].job in self.relaunched

    def is_too_late(self, pod_uid: str) -> bool:
        """Whether a pod is of a Job that was made a second time after its attempt had ended."""
        return pod_uid in self.pods and self.relaunched.get(self.pods[pod_uid].job, False)

    def may_be_let_go(self, pod: PodStory) -> bool:
        """Whether the result of a pod is recorded, or nobody will ask for it."""
        attempt = self.attempts.get((pod.path, pod.attempt))
        recorded = attempt is not None and attempt.finished_at is not None
        dropped = self.is_dropped(pod.path) or self.deleted_at is not None
        return recorded or dropped or self.passes_for_a_copy(pod)

    def passes_for_a_copy(self, pod: PodStory) -> bool:
        """Whether no operator can tell a pod from a copy (S240): a deletion of its Job has left it,
        and the Job that was made a second time created its pod in the same second."""
        metadata = section(pod.body, "metadata")
        return not items(metadata, "ownerReferences") and any(
            self.is_relaunched(other.uid)
            and (other.path, other.attempt) == (pod.path, pod.attempt)
            and section(other.body, "metadata").get("creationTimestamp")
            == metadata.get("creationTimestamp")
            for other in self.pods.values()
        )

    def may_run_beside(self, one: str, another: str) -> bool:
        """Whether no operator can prevent that two pods of a node run at the same time."""
        first, second = self.pods.get(one), self.pods.get(another)
        if first is None or second is None:
            return False
        if first.attempt == second.attempt:
            return self.is_relaunched(one) or self.is_relaunched(another)
        return self.is_too_late(one) or self.is_too_late(another)

    def pods_of(self, path: str, attempt: int) -> list[PodStory]:
        """The pods of an attempt, but for those that came after its end."""
        return [
            pod
            for pod in self.pods.values()
            if (pod.path, pod.attempt) == (path, attempt) and not self.is_too_late(pod.uid)
        ]

    def over_at(self, story: AttemptStory) -> float:
        """When the pod of an attempt that was closed had ended or was gone, by the API server. If
        none had, as on a lost machine, the time that the status says."""
        ends = [pod.over_at or pod.gone_at for pod in self.pods_of(story.path, story.number)]
        closed = story.finished_at or 0.0
        return min((end for end in ends if end is not None and end <= closed), default=story.ended)

    def attempts_of(self, path: str) -> list[AttemptStory]:
        return [story for (name, _), story in sorted(self.attempts.items()) if name == path]
