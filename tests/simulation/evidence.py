"""What was seen of a run: the stories of its attempts, pods and Approvals, and what was wrong."""

from dataclasses import dataclass, field
from typing import Any, Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.fakes.nodes.podstatus import MESSAGE_LIMIT
from tests.fakes.nodes.programs import Outcome
from tests.simulation import programs
from tests.simulation.plan import Act, Node
from tests.simulation.programs import Meaning

FINAL: Final = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})


@dataclass(frozen=True)
class Violation:
    """A broken label of docs/invariants.md or docs/semantics.md; T11 is the interpreter."""

    invariant: str
    text: str
    at: float = 0.0

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f}: {self.text}"


@dataclass
class PodStory:
    """One pod: what its program was to do, and what the API server was told of it."""

    uid: str
    name: str
    path: str
    attempt: int
    created_at: float
    act: Act | None = None
    outcome: Outcome | None = None
    inputs: Any = None
    tokens: int = 0
    started_at: float | None = None
    over_at: float | None = None
    deleting_at: float | None = None
    gone_at: float | None = None
    disrupted: bool = False
    released_at: float | None = None
    body: Obj = field(default_factory=dict)

    @property
    def told(self) -> Obj:
        """How its container ended, as the API server was told last."""
        for status in items(self.body, "status", "containerStatuses"):
            if status.get("name") == "node":
                return section(status, "state", "terminated")
        return {}

    @property
    def evicted(self) -> bool:
        return section(self.body, "status").get("reason") == "Evicted"

    def meaning(self, node: Node) -> Meaning | None:
        """What its program's end means; None when it was not the program that ended it."""
        told = self.told
        if not told or self.act is None or self.outcome is None or self.started_at is None:
            return None
        if programs.ends_by_itself(self.act) and self._ended(
            told, self.outcome.exit_code, self.outcome.message, self.outcome.reason
        ):
            return programs.meaning(node, self.act, self.inputs)
        if self._ended(told, self.outcome.stop_code, self.outcome.stop_message, ""):
            return programs.stopped_meaning(node, self.act, self.inputs)
        return None

    @staticmethod
    def _ended(told: Obj, code: int, message: str, reason: str) -> bool:
        tail = message.encode()[-MESSAGE_LIMIT:].decode("utf-8", "replace")
        expected = reason or ("Completed" if code == 0 else "Error")
        found = (told.get("exitCode"), told.get("message", ""), told.get("reason"))
        return found == (code, tail, expected)


@dataclass
class AttemptStory:
    """One attempt, as the run's status told of it, write by write."""

    path: str
    number: int
    job: str
    recorded_at: float
    finished_at: float | None = None
    reason: str = ""
    pod_uid: str | None = None
    stops: set[str] = field(default_factory=set)
    launched_at: str = ""
    ended_at: str = ""


@dataclass
class GateStory:
    """One Approval object, from its creation to its end."""

    name: str
    uid: str
    path: str
    asked_at: float
    waiting_since: float = 0.0
    expires_at: str = ""
    answers: list[tuple[float, str]] = field(default_factory=list)  # what the API server took
    state: str = "Open"
    expired: bool = False
    settled_at: float | None = None
    gone_at: float | None = None


@dataclass
class RoundStory:
    """One round after the first: what it had to keep, and the checkpoints it left."""

    number: int
    began_at: float
    named: frozenset[str]  # in rerun.from
    kept: dict[str, Obj] = field(default_factory=dict)
    ended: dict[str, Obj] = field(default_factory=dict)  # checkpoints by path, once it is over
    ended_at: float = float("inf")


@dataclass
class Evidence:
    """All of it."""

    pods: dict[str, PodStory] = field(default_factory=dict)  # by uid, in order
    attempts: dict[tuple[str, int], AttemptStory] = field(default_factory=dict)
    gates: dict[str, GateStory] = field(default_factory=dict)  # by uid, in order
    waiting: dict[str, float] = field(default_factory=dict)  # since when, by path
    ended: dict[str, float] = field(default_factory=dict)  # when, by path
    jobs_of: dict[tuple[str, int], int] = field(default_factory=dict)  # how many were made
    reopened: set[tuple[str, int]] = field(default_factory=set)  # by a person, within the fence
    forged: set[str] = field(default_factory=set)  # gates in whose place a stranger's was put
    jobs: dict[str, float] = field(default_factory=dict)  # uid -> created at
    records: dict[str, Obj] = field(default_factory=dict)  # NodeRecords by name, as last seen
    violations: list[Violation] = field(default_factory=list)
    run: Obj = field(default_factory=dict)  # as last seen
    round: int = 1  # the latest that has begun
    rounds: list[RoundStory] = field(default_factory=list)  # after the first
    asked_round: bool = False
    spec: Obj = field(default_factory=dict)  # that the present round began with
    given: dict[str, str] = field(default_factory=dict)  # digests of what a person gave, by path
    left_out: set[str] = field(default_factory=set)  # that a person ever left out
    stale: dict[str, float] = field(
        default_factory=dict
    )  # gates: a yes from before no longer counts
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

    def was_given_up(self, path: str, attempt: int) -> bool:
        """Whether an attempt was closed with its machine: what is left of it may still run."""
        story = self.attempts.get((path, attempt))
        return story is not None and story.reason == "NodeLost"

    def pods_of(self, path: str, attempt: int) -> list[PodStory]:
        return [p for p in self.pods.values() if (p.path, p.attempt) == (path, attempt)]

    def attempts_of(self, path: str) -> list[AttemptStory]:
        return [story for (name, _), story in sorted(self.attempts.items()) if name == path]
