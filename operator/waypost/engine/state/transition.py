"""The next status of a run, and its actions, while one call of `decide` computes them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal, Unpack

from waypost.api.base import JsonObject, JsonValue
from waypost.api.changes import NodeChanges, changed_node
from waypost.api.checkpoints import Checkpoint, checkpoint_of
from waypost.api.meta import EventReason
from waypost.api.paths import is_item
from waypost.api.state.isolation import ControlStatus
from waypost.api.state.usage import Allotment
from waypost.api.status import (
    KEPT_ATTEMPTS,
    AgentWorkflowStatus,
    AttemptStatus,
    NodeStatus,
    Stage,
)
from waypost.api.wire.by_phase import Statuses, of_status
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.graph import Graph
from waypost.engine.state import visible
from waypost.engine.state.decision import After, Before, EntriesStored, PutRecord, RunEvent
from waypost.engine.state.observed import Observed
from waypost.engine.state.outcome import Remembered, Succeeded
from waypost.engine.state.paths import attempt_ref, node_of
from waypost.engine.state.slots import SlotsOfPass
from waypost.kube import names, node_records, timestamps
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import ReadProblem
from waypost.kube.items.open_map import OpenMap
from waypost.kube.manifests.attempt_job import Owner
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten
from waypost.protocol.work import Trace

INLINE_OUTPUT: Final = 2 * 1024
INLINE_TOTAL: Final = 64 * 1024
INLINE_ITEM: Final = 4 * 1024
INLINE_ITEMS: Final = 16 * 1024  # results of one map; more go into a NodeRecord
_MESSAGE: Final = 1024
TAIL: Final = 4096  # bytes of the end of a log
_STORE_AGAIN: Final = 10.0  # seconds until a result that could not be stored is tried again
# Many failures with long texts would exceed the size of a status: further texts are short.
_LONG_TEXTS: Final = 32
_SHORT: Final = 200

# What a kubelet waited for proves that it had not started the program (E3).
_KEPT_REASONS: Final = (Reason.IMAGE_PULL, Reason.MISSING_REFERENCE)

EndPhase = Literal["Failed", "Skipped", "Cancelled"]  # of a node without an output


class Transition:
    """Statuses by path (while maps advance also of open items), actions, events and timers."""

    def __init__(self, observed: Observed, *, now: datetime, settings: PodSettings) -> None:
        assert observed.spec is not None, "only accepted specs have a transition"
        self.observed = observed
        self.now = now
        self.settings = settings
        self.spec: AgentWorkflowSpec = observed.spec
        self.graph: Graph = observed.definition.graph
        self.isolation: Sequence[ControlStatus] = observed.status.isolation or ()
        self.stage: Stage = observed.status.stage or "Main"
        self.cleans_up = cleans_up(observed.status)
        self.owner = Owner(name=observed.name, namespace=observed.namespace, uid=observed.uid)
        known = of_status(observed.status)
        # Whether the stored status has exactly the nodes of the graph, as it nearly always has.
        self.complete = list(known) == list(self.graph.nodes)
        self.statuses = known.copy() if self.complete else Statuses(_initial(observed))
        self.lent: dict[str, Allotment] = {}  # to child runs that start now, by path
        self.maps: dict[str, OpenMap] = {}  # by path, while their items are in `statuses`
        self.open_children: dict[str, NodeStatus] = {}  # of items, by path, once maps are closed
        self.open_questions: dict[str, NodeStatus] = {}  # the same of items that ask people
        self.before: list[Before] = []
        self.after: list[After] = []
        self.events: list[RunEvent] = []
        self.refusals: list[str] = []
        self.traces: dict[tuple[str, int], Trace] = {}  # by path and attempt
        self.escalated: list[NodeStatus] = []  # gates and items as they were at the level before
        self.ended_items: list[NodeStatus] = []  # with an attempt or a question that ended
        self.remembered: list[Remembered] = []  # by nodes that succeed in this pass
        self.entries_stored: list[EntriesStored] = []
        self.callers: dict[str, str] = {}
        self.timers: list[datetime] = []
        self.waits_to_read: set[str] = set()  # nodes that need what could not be read
        self.outputs_wait = ""  # why the outputs of the run cannot be evaluated yet
        self.slots = SlotsOfPass(known=observed.slots)
        self.needs_right = ""  # what a person must allow the operator to read before all continues
        # By name of NodeRecord, with those of this pass; an Unavailable if it cannot be read.
        self.payloads: dict[str, JsonValue] = dict(observed.payloads)
        sizes = map(visible.output_size, self.statuses.values())
        self._inline = visible.inline_size(observed.status) if self.complete else sum(sizes)

    def in_phase(self, *phases: str) -> list[str]:
        """Paths in one of these phases, in topological order."""
        return self.statuses.in_order(self.graph.places, phases)

    def of_stage(self, *phases: str) -> list[str]:
        """Paths of the run's stage in topological order; with `phases` those in one of them."""
        whole = self.graph.stages[self.stage]
        return [path for path in self.in_phase(*phases) if path in whole] if phases else list(whole)

    @property
    def is_cancelled(self) -> bool:
        """Whether a cancel stops the nodes of the stage: compensations and finally continue unless
        they are skipped."""
        cancelled = bool(self.spec.cancel or self.observed.status.cancelled_at)
        return cancelled and (not self.cleans_up or bool(self.spec.skip_finally))

    def node(self, path: str) -> Node:
        """The definition of a node, or of the map that an item belongs to."""
        return self.graph.nodes[node_of(path)]

    @property
    def inline_size(self) -> int:
        """Bytes of the outputs in the status, without those of items."""
        return self._inline

    @property
    def node_statuses(self) -> list[NodeStatus]:
        """The statuses of all nodes, without those of items, in the order of the spec."""
        return [self.statuses[name] for name in self.graph.nodes]

    def ended(self, path: str) -> bool:
        """Whether a node has reached a final phase."""
        return path in self.statuses.ended

    def update(self, path: str, **changes: Unpack[NodeChanges]) -> None:
        """Replace fields of a node's status."""
        self.statuses[path] = changed_node(self.statuses[path], **changes)

    def stamp_fingerprint(self, path: str) -> None:
        """Record the fingerprint of the definition with which the node's checkpoint is made."""
        self.update(path, fingerprint=self.observed.definition.fingerprints[path])

    def requeue_at(self, at: datetime) -> None:
        """Requeue the run at `at`, or immediately if that has passed."""
        self.timers.append(max(at, self.now + timedelta(milliseconds=50)))

    def event(self, type_: str, reason: str, message: str) -> None:
        """Send a Kubernetes Event on the run once the status is written.

        Args:
            type_: `Normal` or `Warning`.
            reason: One word in CamelCase.
            message: Cut to 1000 characters.
        """
        self.events.append(RunEvent(type=type_, reason=reason, message=message[:1000]))

    def context(self, paths: Iterable[str]) -> JsonObject:
        """The evaluation context of expressions that refer to these nodes, with the results of this
        pass."""
        return visible.evaluation_context(
            self.observed, statuses=self.statuses, payloads=self.payloads, names=paths
        )

    def checkpoint_of(self, pod: PodFact) -> Checkpoint | None:
        """The checkpoint of the node of a pod; None if the run has no such node."""
        return checkpoint_of(self.statuses, pod.path)

    def has_closed(self, pod: PodFact) -> bool:
        """Whether the attempt of a pod has ended in this status."""
        checkpoint = self.checkpoint_of(pod)
        return checkpoint is not None and checkpoint.has_closed(pod.attempt)

    def job_of(self, pod: PodFact) -> str:
        """The name of the Job of a pod's attempt."""
        return names.job_name(
            run=self.owner.name, run_uid=self.owner.uid, path=pod.path, attempt=pod.attempt
        )

    def succeed(self, path: str, outcome: Succeeded) -> None:
        """Checkpoint a node's output: inline if it is small, else in a NodeRecord, where an output
        that the gateway has stored is already."""
        if (problem := self.result_problem(path, outcome)) is not None:
            self.without_record(path, problem)
            return
        opened = self.map_of(path)
        if opened is not None and opened.keeps_outputs:
            opened.size += outcome.size
        outcome = self.as_stored(path, outcome)
        placed: NodeChanges = {"output": outcome.output}
        if outcome.record is not None or self._needs_record(path, outcome):
            placed = {"output_record": self.keep_output(path, outcome)}
        elif opened is None:
            self._inline += outcome.size
        self.update(path, **placed)
        self.update(
            path,
            phase="Succeeded",
            reason=None,
            message=None,
            tail=None,
            wake_at=None,
            output_digest=outcome.digest,
            artifacts=list(outcome.artifacts) or None,
            finished_at=timestamps.timestamp(self.now),
        )

    def as_stored(self, path: str, outcome: Succeeded) -> Succeeded:
        """The outcome that counts: that of the NodeRecord which an earlier pass wrote for this
        attempt, from another of its pods, if there is one."""
        existing = self._existing_record(path, outcome)
        if existing is None:
            return outcome
        payload = existing.payload
        stored = Succeeded(visible.readable(existing), payload.digest, payload.size)
        return replace(stored, record=existing.name, artifacts=outcome.artifacts)

    def keep_output(self, path: str, outcome: Succeeded) -> str:
        """The NodeRecord of an output; it is written before the status unless it exists."""
        name = outcome.record or self._put_record(path, outcome)
        self.payloads[name] = outcome.output
        return name

    def result_problem(self, path: str, outcome: Succeeded) -> WriteProblem | None:
        """Why the NodeRecord that this output needs could not be written; None if it was written or
        is not needed."""
        opened = self.map_of(path)
        if opened is not None and self._fits_no_block(opened, outcome):
            return self.items_problem(opened.place.path)
        needed = self._needs_record(path, outcome)
        return self.observed.write_problems.get(self.result_record(path)) if needed else None

    def result_record(self, path: str) -> str:
        """The name of the NodeRecord that an output of a node gets, by its latest attempt."""
        return self.result_ref(path).record_name("Result")

    def items_problem(self, path: str) -> WriteProblem | None:
        """Why a NodeRecord with items of a map could not be written, if one could not."""
        prefix = names.items_prefix(run=self.owner.name, path=path)
        problems = self.observed.write_problems.items()
        return next((problem for name, problem in problems if name.startswith(prefix)), None)

    def trace_problem(self, path: str, attempt: int) -> WriteProblem | None:
        """Why the NodeRecord with an attempt's trace could not be written, if it could not."""
        return self.observed.write_problems.get(
            self.attempt_ref(path, attempt).record_name("Trace")
        )

    def name_trouble(self, path: str, reason: Reason, text: str, *, replaces: bool = False) -> None:
        """Record what a node waits for.

        The first text stays while the reason is the same: the kubelet alternates between a detailed
        and a short one, and each change would be a status write. `replaces`: the cause is another.
        """
        if text and (replaces or self.statuses[path].reason != reason):
            self.update(path, reason=str(reason), message=shorten(text, _MESSAGE))
            self.event("Warning", str(reason), f"{path}: {text}")

    def hold(self, path: str, problem: WriteProblem) -> None:
        """Keep a node whose result could not be stored as it is, show why, and try again later."""
        text = f"its result cannot be stored: {problem.message}"
        self.name_trouble(path, Reason.RECORD_REJECTED, text)
        self.requeue_at(self.now + timedelta(seconds=_STORE_AGAIN))

    def wait_to_read(self, path: str, problem: ReadProblem) -> None:
        """Keep a node as it is that needs what could not be read, and show why once it lasts."""
        if problem.is_shown(self.now) and self.statuses[path].reason not in _KEPT_REASONS:
            self.waits_to_read.add(path)
            self.name_trouble(path, Reason.READ_REJECTED, problem.text)
            if problem.permanent:
                self.needs_right = self.needs_right or f"{path}: {problem.text}"

    def read_again(self) -> None:
        """Requeue for the next tries, and clear the reason of nodes whose reads succeed."""
        for problem in self.observed.unread.values():
            self.requeue_at(problem.retry_at)
        for path in sorted(self.statuses.troubled - self.waits_to_read):
            if self.statuses[path].reason == Reason.READ_REJECTED:
                self.update(path, reason=None, message=None)

    def without_record(self, path: str, problem: WriteProblem, *, what: str = "its result") -> None:
        """Fail a node if a NodeRecord that it needs is refused permanently, else `hold` it."""
        if problem.permanent:
            text = f"{what} could not be stored: {problem.message}"
            self.end(path, "Failed", Reason.RECORD_REJECTED, text)
        else:
            self.hold(path, problem)

    def map_of(self, path: str) -> OpenMap | None:
        """The map of an item; None for a node."""
        return self.maps.get(node_of(path)) if is_item(path) else None

    def _fits_no_block(self, opened: OpenMap, outcome: Succeeded) -> bool:
        """Whether the result of an item would have to go into a NodeRecord with others."""
        if outcome.size > INLINE_ITEM or not opened.keeps_outputs:
            return False
        return opened.fresh_size + outcome.size > INLINE_ITEMS

    def _needs_record(self, path: str, outcome: Succeeded) -> bool:
        opened = self.map_of(path)
        if opened is not None:
            large = outcome.size > INLINE_ITEM and opened.keeps_outputs
        else:
            large = outcome.size > INLINE_OUTPUT or self._inline + outcome.size > INLINE_TOTAL
            large = large or self.statuses[path].loop is not None
        return outcome.record is None and large

    def _existing_record(self, path: str, outcome: Succeeded) -> RecordFact | None:
        """The NodeRecord that an earlier pass wrote for this attempt, from another of its pods."""
        if not self._needs_record(path, outcome):
            return None
        return self.observed.existing_records.get(self.result_record(path))

    def end(
        self, path: str, phase: EndPhase, reason: Reason, message: str, *, tail: str = ""
    ) -> None:
        """End a node without an output: Failed, Skipped or Cancelled."""
        long = len(self.in_phase("Failed")) < _LONG_TEXTS
        self.update(
            path,
            phase=phase,
            reason=str(reason),
            message=shorten(message, _MESSAGE if long else _SHORT) or None,
            tail=(tail[-TAIL:] or None) if long else None,
            wake_at=None,
            finished_at=timestamps.timestamp(self.now),
        )
        if phase == "Failed" and path in self.graph.nodes:  # a map reports its items together
            self.event("Warning", EventReason.NODE_FAILED, f"{path}: {reason}: {message}")

    def attempt_ref(self, path: str, attempt: int) -> AttemptRef:
        """The attempt as its NodeRecords name it."""
        return attempt_ref(self.observed, self.statuses[path], attempt)

    def record_attempt(self, path: str, attempt: AttemptStatus) -> None:
        """Add an attempt or replace the one with its number; keep the first and the last five."""
        attempts = [a for a in self.statuses[path].attempts or [] if a.number != attempt.number]
        attempts = sorted([*attempts, attempt], key=lambda a: a.number)
        if len(attempts) > KEPT_ATTEMPTS:
            attempts = [attempts[0], *attempts[-(KEPT_ATTEMPTS - 1) :]]
        self.update(path, attempts=attempts)

    def _put_record(self, path: str, outcome: Succeeded) -> str:
        ref = self.result_ref(path)
        form = node_records.form_of(outcome.output, ijson.canonical(outcome.output))
        assert form is not None, "a payload from a commit record or an answer fits"
        manifest = node_records.manifest(
            "Result",
            ref,
            digest=outcome.digest,
            size=outcome.size,
            form=form,
            owner=self.owner.reference(),
            namespace=self.owner.namespace,
        )
        self.before.append(PutRecord(manifest=manifest))
        return ref.record_name("Result")

    def result_ref(self, path: str) -> AttemptRef:
        """The attempt in the name of the NodeRecord that an output of a node gets."""
        status = self.statuses[path]
        latest = status.latest_attempt
        if status.phase == "Running" and latest is not None and latest.iteration is not None:
            return self.attempt_ref(path, latest.number)
        if status.phase == "Running" and status.loop is not None and status.child is not None:
            return self.attempt_ref(path, status.attempt or 1)  # of an iteration
        # Not the round of the attempt: an output from rerun.outputs must not replace the attempt's.
        numbers = (status.round or 1, max(status.attempt or 0, 1))
        return AttemptRef(self.owner.name, self.owner.uid, path, *numbers)


def _initial(observed: Observed) -> list[NodeStatus]:
    known: Mapping[str, NodeStatus] = {status.path: status for status in observed.status.nodes}
    graph = observed.definition.graph
    return [
        known.get(name) or NodeStatus(path=name, phase="Pending", stage=graph.stage_of(name))
        for name in graph.nodes
    ]


def is_finished(status: AgentWorkflowStatus) -> bool:
    """Whether the run has ended, until a new round begins."""
    return status.finished_at is not None and status.phase != "Rejected"


def cleans_up(status: AgentWorkflowStatus) -> bool:
    """Whether all main nodes have ended, and compensations or finally run or have run."""
    return status.stage in ("Compensating", "Finalizing")


IN_POD: Final = ("Running", "Superseding")  # phases of a node whose attempt has a pod


def wake_time(status: NodeStatus) -> datetime | None:
    """When a Waiting or Backoff node is due."""
    return timestamps.parse_timestamp(status.wake_at)
