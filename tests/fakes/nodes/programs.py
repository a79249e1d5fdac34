"""What runs in the simulated pods, and the ledger of what has run."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from waypost.api import meta
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj
from waypost.protocol.ijson import canonical
from waypost.protocol.record import Attempt, CommitRecord, encode

from tests.fakes.api.server import ApiServer


def node_of(path: str) -> str:
    """The node of a path: `scan` of `scan/3`."""
    return path.partition("/")[0]


def owner_of(path: str) -> str:
    """The node or the compensation whose program runs at a path: `scan` of `scan/3`,
    `scan/compensate` of `scan/compensate/3`."""
    name, _, part = path.partition("/")
    undone = part.partition("/")[0] == "compensate"
    return f"{name}/compensate" if undone else name


def is_part(path: str) -> bool:
    """Whether a path is that of an item or an iteration."""
    return path != owner_of(path)


@dataclass(frozen=True)
class Outcome:
    """What a pod's program does. `seconds` None: it runs until it is killed.

    `stop_seconds` is how long it takes to end after SIGTERM, with `stop_code` and
    `stop_message`; None: it ignores the signal and is killed after the grace period.
    """

    seconds: float | None = 1.0
    exit_code: int = 0
    message: str = ""  # the termination message, untruncated
    reason: str = ""  # "" means Completed or Error, by the exit code
    log: str = ""
    stop_seconds: float | None = 0.2
    stop_code: int = 143
    stop_message: str = ""
    # Before it starts: why it does not, and for how long (None: for good).
    blocked: Literal[
        "",
        "Unschedulable",
        "ErrImagePull",
        "FailedMount",
        "FailedCreatePodSandBox",
        "StartError",
        "InitPull",
        "InitFails",
        "ProbeFails",
    ] = ""
    blocked_text: str = ""
    blocked_seconds: float | None = None
    pull_seconds: float = 0.0  # how long its image takes then
    probed: str = ""  # what the probe of its isolation says, if the pod has one
    again: "Outcome | None" = None  # what it does if the kubelet starts it again; None: the same
    # Its machine loses the container after so many seconds, and the kubelet starts it again.
    gone_after: float | None = None
    forgets: bool = False  # once the pod ends, the end of its first run is no longer known


@dataclass(frozen=True)
class PodView:
    """A pod of ours as its program sees it."""

    body: Obj
    request: Obj  # {} for pods that are not ours

    @property
    def name(self) -> str:
        return text(self.body["metadata"], "name")

    @property
    def uid(self) -> str:
        return text(self.body["metadata"], "uid")

    @property
    def path(self) -> str:
        return text(section(self.body, "metadata", "annotations"), meta.ANNOTATION_PATH)

    @property
    def attempt(self) -> int:
        label = self._label(meta.LABEL_ATTEMPT)
        return int(label) if label.isdecimal() else 0

    @property
    def round(self) -> int:
        return int(self._label(meta.LABEL_ROUND) or 1)

    @property
    def run_uid(self) -> str:
        return self._label(meta.LABEL_RUN)

    @property
    def run_name(self) -> str:
        return text(section(self.body, "metadata", "annotations"), meta.ANNOTATION_RUN_NAME)

    @property
    def inputs(self) -> Obj:
        return section(self.request, "inputs")

    @property
    def key(self) -> str:
        """Its idempotency key; "" for pods that are not ours."""
        return text(self.request, "idempotencyKey")

    def succeeds(self, output: Any = None, **how: Any) -> Outcome:
        """It gives `output`: by a commit record, or as plain JSON for container nodes."""
        if self.request.get("kind") == "container":
            return Outcome(message=canonical(output).decode(), **how)
        return Outcome(message=self._record(CommitRecord(self._whose, "Succeeded", output)), **how)

    def fails(self, message: str = "boom", *, reason: str = "NodeError", **how: Any) -> Outcome:
        """It fails: by a record that says why, or by its exit code for container nodes."""
        if self.request.get("kind") == "container":
            return Outcome(exit_code=1, message=message, **how)
        record = CommitRecord(self._whose, "Failed", None, reason, message, None)
        return Outcome(exit_code=1, message=self._record(record), **how)

    def hangs(self, **how: Any) -> Outcome:
        """It runs until it is stopped."""
        return Outcome(seconds=None, **how)

    def stops_with(self, output: Any) -> Outcome:
        """It runs until it is stopped and then still gives a result."""
        done = self.succeeds(output)
        return replace(done, seconds=None, message="", stop_message=done.message)

    @property
    def _whose(self) -> Attempt:
        return Attempt(self.run_uid, self.path, self.round, self.attempt, self.uid)

    def _record(self, record: CommitRecord) -> str:
        return encode(record).decode()

    def _label(self, key: str) -> str:
        return text(section(self.body, "metadata", "labels"), key)


Program = Callable[[PodView], Outcome]


def view(server: ApiServer, body: Obj) -> PodView:
    """The pod with the request document it was given, by annotation or by ConfigMap."""
    notes = section(body, "metadata", "annotations")
    document = text(notes, meta.ANNOTATION_REQUEST)
    for volume in items(body, "spec", "volumes"):
        name = text(section(volume, "configMap"), "name")
        namespace = body["metadata"]["namespace"]
        found = server.storage.read(Kind.CONFIG_MAP, namespace, name) if name else None
        document = text(section(found, "data"), "request.json") or document
    request: Obj = json.loads(document) if document else {}
    return PodView(body, request)


def missing_config_map(server: ApiServer, body: Obj) -> str:
    """The name of a ConfigMap that a pod mounts and that does not exist; "" if there is none."""
    namespace = body["metadata"]["namespace"]
    for volume in items(body, "spec", "volumes"):
        name = text(section(volume, "configMap"), "name")
        if name and server.storage.read(Kind.CONFIG_MAP, namespace, name) is None:
            return name
    return ""


def echo(pod: PodView) -> Outcome:
    """The program of tests that care about none: the output is the inputs."""
    return pod.succeeds(pod.inputs)


@dataclass
class Execution:
    """One start of a program. `ended_at` None: it still runs."""

    run_uid: str
    path: str
    attempt: int
    pod_uid: str
    pod: str
    started_at: float
    ended_at: float | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        return self.run_uid, self.path, self.attempt


@dataclass
class Life:
    """The kubelet's own memory of a pod: true whatever the API server says."""

    outcome: Outcome
    machine: str
    execution: Execution | None = None
    stage: str = "bound"  # bound, running, ended
    reported: Obj = field(default_factory=dict)  # the end of its container, as it is or will be
    why: Mapping[str, str] = field(default_factory=dict)  # the pod's own reason to end


class Ledger:
    """Every program start, in order, kept apart from the cluster: an operator that loses track
    of what it started cannot make it vanish from here."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        self.maps: frozenset[str] = frozenset()  # nodes whose items run beside each other

    def of(self, path: str, *, run_uid: str | None = None) -> list[Execution]:
        """The starts of a node with its items or iterations, or of one of them."""
        return [
            e
            for e in self.executions
            if path in (e.path, owner_of(e.path)) and run_uid in (None, e.run_uid)
        ]

    def counts(self) -> Counter[tuple[str, str, int]]:
        """Starts by (run uid, path, attempt)."""
        return Counter(execution.key for execution in self.executions)

    def doubled(self) -> list[tuple[str, str, int]]:
        """Attempts whose program was started more than once."""
        return [key for key, count in self.counts().items() if count > 1]

    def overlaps(self) -> list[tuple[Execution, Execution]]:
        """Pairs of executions of one node or item that ran at the same time."""
        return [
            (first, second)
            for index, first in enumerate(self.executions)
            for second in self.executions[index + 1 :]
            if first.run_uid == second.run_uid
            and self._one(first.path) == self._one(second.path)
            and second.started_at < (float("inf") if first.ended_at is None else first.ended_at)
        ]

    def _one(self, path: str) -> str:
        """The item or the node that runs one program at a time: iterations are of their node."""
        return path if owner_of(path) in self.maps else owner_of(path)
