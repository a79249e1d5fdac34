"""The judgement of a run whose cluster others had a hand in (`play/strange`)."""

from collections.abc import Iterator
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.fakes.nodes.programs import node_of
from tests.simulation.judging.rounds import RoundsJudge
from tests.simulation.play.standstill import EXCUSES
from tests.simulation.reference.interpreter import End, outputs_of
from tests.simulation.scenario.plan import REPEATED_ACTS, Node
from tests.simulation.scenario.programs import act_of
from tests.simulation.watching.evidence import AttemptStory, PodStory, Violation

_BEGAN: Final = "2020"  # no play is earlier
_ENDS: Final[dict[str, frozenset[str]]] = {
    "records": frozenset({"RecordRejected", "Cancelled", "DeadlineExceeded"}),
    "approvals": frozenset({"Cancelled"}),
    "answers": frozenset({"Cancelled"}),
    "jobs": frozenset({"LaunchRejected", "Cancelled"}),
    "maps": frozenset({"LaunchRejected", "Cancelled"}),
}
# How a program ends that never started, by its act.
NEVER_STARTED: Final = {"unstartable": "NodeError", "initless": "PodRejected"}
_COUNTS: Final = 120.0  # seconds for which a refusal counts
_TO_STORE: Final = 21.0  # seconds from a decision to its status (A11)
_SLACK: Final = 2.0  # Kubernetes stamps whole seconds
_TO_LOOK: Final = 5.0  # seconds from a time to the status that follows from it
NOT_STARTED: Final = frozenset({"Unschedulable", "ImagePull"})
_OUTPUT_FORMS: Final = frozenset({"whole", "field", "text", "maybe", "large", "approved"})
_DISRUPTIONS: Final = (
    *("delete_pod", "evict", "pressure", "delete_job", "lose", "remove", "queue", "suspend_job"),
)


def _read_by(node: Node) -> set[str]:
    """The nodes whose outputs are read before it begins or ends without an attempt."""
    names = {read.node for read in node.reads if read.form in _OUTPUT_FORMS}
    if node.when is not None and node.when.form in _OUTPUT_FORMS:
        names.add(node.when.node)
    return names | set(node.of if node.accepts == "large" else ())


class StrangeJudge(RoundsJudge):
    """Every attempt is judged by its pod, but for what was refused; and what the kubelet cannot
    know is in no status."""

    def all(self) -> Iterator[Violation]:
        yield from super().all()
        yield from self._placeholders()
        yield from self._sidecars()
        yield from self._overdue()
        yield from self._untried()

    def _attempt(self, node: Node, story: AttemptStory) -> Iterator[Violation]:
        pods = self._seen.pods_of(node.name, story.number)
        if not story.reason and "/" in node.name:
            return  # of an item whose next attempt was cancelled: no status says how it ended
        if any(pod.act and pod.act.name in REPEATED_ACTS for pod in pods):
            yield from self._repeated(node, story)
            return
        never = [NEVER_STARTED[p.act.name] for p in pods if p.act and p.act.name in NEVER_STARTED]
        cut = {"Disrupted"} if self._touched(*_DISRUPTIONS) else set()
        if any(pod.evicted for pod in pods):
            cut.add("OutOfDisk")
        for pod in pods:  # it was stopped at its queueTimeout, before its kubelet said why
            cut |= self._stops(node, story, pod) & NOT_STARTED
            cut |= self._stopped_podless(node, story, pod)
        if never and story.reason not in {*never, "Cancelled", "DeadlineExceeded", *cut}:
            text = f"{node.name}: attempt {story.number} ended as {story.reason}, not as {never}"
            yield Violation("K2", text)
        if not never and story.reason not in self._excused:
            yield from super()._attempt(node, story)

    def _repeated(self, node: Node, story: AttemptStory) -> Iterator[Violation]:
        """S524: no later run of a program gives a result, and nothing is said of the first one that
        nobody knows."""
        if story.reason not in {"ContainerRestarted", *(story.stops & {"Cancelled", "NotChosen"})}:
            text = f"{node.name}: attempt {story.number} ended as {story.reason}"
            yield Violation("S524", f"{text}, and its program was started again")
        shown = self._seen.nodes.get(node.name, {})
        for entry in items(shown, "attempts"):
            if entry["number"] == story.number and not self._is_known_end(node, entry):
                text = f"{node.name}: attempt {story.number} has {entry.get('exitCode')}"
                yield Violation("K2", f"{text}, {entry.get('message')}")

    @staticmethod
    def _is_known_end(node: Node, entry: Obj) -> bool:
        """Whether what status says of the first run is what it did."""
        act = act_of(node, entry["number"])
        said, code = entry.get("message", ""), entry.get("exitCode")
        true = act.code if act.name == "repeats" else None
        return code in (None, true) and (code is not None or "ended with exit code" not in said)

    @staticmethod
    def _stopped_podless(node: Node, story: AttemptStory, pod: PodStory) -> set[str]:
        """PodRejected, if it was stopped at its queueTimeout, as its Job had no pod yet."""
        stopped = story.stopped_at or 0.0
        waited = stopped - story.launched >= node.queue_timeout - _SLACK
        return story.stops & {"PodRejected"} if waited and stopped < pod.created_at else set()

    @property
    def _excused(self) -> set[str]:
        found: set[str] = set()
        for trouble in self._scenario.troubles:
            if trouble.kind == "refuse":
                found |= _ENDS[trouble.choice.split()[1]]
            if trouble.kind == "withhold":
                found |= {"Cancelled", "DeadlineExceeded"}
                if trouble.choice.split()[1] in ("undone", "all"):
                    found.add("LaunchRejected")
            if trouble.kind == "queue":
                found |= {"PodRejected", "Disrupted"}
            if trouble.kind == "record_gone":
                found.add("ResultLost")
        return found

    def _unneeded(self, node: Node) -> set[End]:
        """Also: a record that it reads was deleted before it began (S69)."""
        found, ended = super()._unneeded(node), self._seen.ended.get(node.name, 0.0)
        for name in _read_by(node):
            record = self._seen.nodes[name].get("outputRecord")
            if self._seen.gone_records.get(record or "", float("inf")) <= ended:
                found = found | {End("Failed", "ResultLost")}
        return found

    def _run(self) -> Iterator[Violation]:
        late = self._is_cut_by_deadline()
        # A cancel does not wait for a record that cannot be read, nor does the deadline (S85).
        cut = self._touched("withhold") and (self._seen.cancelled_at is not None or late)
        status = section(self._seen.run, "status")
        ends = {c["type"]: c.get("reason") for c in items(status, "conditions")}
        for found in super()._run():
            if found.text.startswith("outputs") and (self._touched("record_gone") or cut):
                yield from self._left_outputs(status)
                continue
            unevaluated = found.text == "the run: expected Succeeded, found Failed"
            if not (late and unevaluated and ends.get("Succeeded") == "DeadlineExceeded"):
                yield found

    def _is_cut_by_deadline(self) -> bool:
        """Whether the deadline of the run passed while records could not be read."""
        limit, ended = self._scenario.deadline, self._seen.finished_at
        reads = any(t.choice.endswith(("records", "all")) for t in self._scenario.troubles)
        return reads and limit is not None and ended is not None and ended >= limit

    def _left_outputs(self, status: Obj) -> Iterator[Violation]:
        """What is wrong with outputs of which some could not be read."""
        expected, found = outputs_of(self._scenario, self._ends), status.get("outputs") or {}
        for name in [name for name, value in found.items() if expected.get(name) != value]:
            yield Violation("T11", f"outputs: {name}: expected {expected.get(name)}")

    def _overdue(self) -> Iterator[Violation]:
        """S470: an attempt that does not start is stopped at its queueTimeout."""
        if self._touched(*EXCUSES, "withhold"):
            return  # then it is not known by when an operator should have looked
        names = self._scenario.by_name
        for story in self._seen.attempts.values():
            if story.stopped_at is None or not story.stops & {*NOT_STARTED, "PodRejected"}:
                continue
            waited = story.stopped_at - story.launched
            if waited > names[node_of(story.path)].queue_timeout + _TO_LOOK:
                text = f"{story.path}: attempt {story.number} was stopped after {waited:.1f} s"
                yield Violation("S470", text)

    def _untried(self) -> Iterator[Violation]:
        """S520: only a refusal of the last two minutes ends an attempt."""
        for story in self._seen.attempts.values():
            if story.stopped_at is None or "LaunchRejected" not in story.stops:
                continue
            tries = [at for at in self._seen.tries.get(story.job, ()) if at <= story.stopped_at]
            if story.stopped_at - max(tries, default=0.0) > _COUNTS + _TO_STORE:
                text = f"{story.path}: attempt {story.number} was stopped without another try"
                yield Violation("S520", text)

    def _placeholders(self) -> Iterator[Violation]:
        """K2: no start or end that the kubelet only made up."""
        for path, entry in self._seen.nodes.items():
            for attempt in items(entry, "attempts"):
                for field in ("startedAt", "finishedAt"):
                    if (attempt.get(field) or _BEGAN) < _BEGAN:
                        text = f"{path}: attempt {attempt['number']} has {field} {attempt[field]}"
                        yield Violation("K2", text)

    def _sidecars(self) -> Iterator[Violation]:
        """K3: nothing of a pod lives on after its attempt."""
        for pod in self._seen.pods.values():
            attempt = self._seen.attempts.get((pod.path, pod.attempt))
            ended = attempt is not None and attempt.finished_at is not None
            phase = pod.body["status"].get("phase")
            if ended and pod.gone_at is None and phase == "Running" and pod.over_at is not None:
                yield Violation("K3", f"{pod.name} lives on, and its attempt has ended")
