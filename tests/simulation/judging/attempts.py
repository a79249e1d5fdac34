"""The judgement of attempts: why each one ended, what followed it, and after which wait."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from waypost.kube.objects import section

from tests.fakes.nodes.programs import is_part
from tests.simulation.judging import map_items
from tests.simulation.judging.starts import ProgramsJudge
from tests.simulation.reference.interpreter import CANCELLED, Again, End, Patience, end_of
from tests.simulation.scenario.plan import Node
from tests.simulation.scenario.programs import Gave
from tests.simulation.watching import choices
from tests.simulation.watching.evidence import AttemptStory, PodStory, Violation

_SLACK: Final = 2.0  # seconds; Kubernetes stamps whole ones
_STOPPING: Final = 15.0  # from a timeout to the end of a program that takes its SIGTERM
_RETRIED: Final = 40.0  # from a create that failed to the next one
_UNREAD: Final = frozenset({"garbage", "foreign", "oom", "silent"})
_QUEUED: Final = frozenset({"Unschedulable", "ImagePull"})
_WAITED: Final = frozenset({"ImagePull", "MissingReference"})  # what a kubelet waited for


class AttemptsJudge(ProgramsJudge):
    """The attempts of one run under judgement."""

    def _attempts(self) -> Iterator[Violation]:
        for node in self._programs:
            patience = Patience()
            follows: list[Again | End] = []
            for story in self._seen.attempts_of(node.name):
                again = next((f for f in follows if isinstance(f, Again)), None)
                if again is not None:
                    yield from self._waited(node, story, again)
                elif follows:
                    yield Violation("T11", f"{node.name}: attempt {story.number} after {follows}")
                if story.finished_at is None:
                    break
                yield from self._attempt(node, story)
                follows = self._follows(node, story, patience)
            yield from self._last(node, follows)
            yield from map_items.last(
                node, follows, self._seen, budget=self._scenario.tokens is not None
            )

    def _follows(self, node: Node, story: AttemptStory, patience: Patience) -> list[Again | End]:
        """What may come after an attempt."""
        if self._scenario.template is not None and not story.accepted:  # S107
            node = replace(node, limit=0, once=False, codes=None, method="GET")
        if story.reason == "Succeeded":
            given = self._meanings.get(node.name)
            if node.loop is None or given is None:
                return [End("Succeeded")]
            return [patience.after_iteration(node, node.loop, given.output)]
        if not story.reason and is_part(node.name):
            return [CANCELLED]
        ran = any(
            e.attempt == story.number and not self._seen.is_too_late(e.pod_uid)
            for e in self._ledger.of(node.name)
        )
        follows = [patience.after(node, story, started=ran)]
        pods = self._seen.pods_of(node.name, story.number)
        if not ran and any(section(pod.body, "spec").get("nodeName") for pod in pods):
            # It had a machine, so the operator cannot know that it did not run.
            follows.append(replace(patience).after(node, story, started=True))
        return follows

    def _waited(self, node: Node, story: AttemptStory, again: Again) -> Iterator[Violation]:
        before = self._seen.attempts[node.name, story.number - 1]
        pause = story.recorded_at - self._seen.over_at(before)
        if pause < again.wait - 0.001:  # times are written in milliseconds
            yield Violation("T11", f"{node.name}: attempt {story.number} after {pause:.2f} s")

    def _last(self, node: Node, follows: list[Again | End]) -> Iterator[Violation]:
        """What status says of the node agrees with its last attempt."""
        entry = self._seen.nodes.get(node.name)
        if entry is None or not follows or self._seen.finished_at is None:
            return
        found = End(entry["phase"], entry.get("reason"))
        legal = {CANCELLED if isinstance(each, Again) else each for each in follows}
        if CANCELLED in legal or "NotChosen" in self._seen.attempts_of(node.name)[-1].stops:
            legal |= self._unneeded(node)
        if CANCELLED in legal and node.kind == "agent" and self._scenario.tokens is not None:
            legal.add(End("Failed", "BudgetExceeded"))  # others have used up the rest
        if found not in legal:
            yield Violation("T11", f"{node.name}: expected {legal}, found {found}")

    def _attempt(self, node: Node, story: AttemptStory) -> Iterator[Violation]:
        pods = self._seen.pods_of(node.name, story.number)
        if not story.reason and is_part(node.name):
            return  # of an item, whose status does not say it
        if story.reason == "NodeLost":
            if not story.given_up:
                text = f"{node.name}: attempt {story.number} was given up for nothing"
                yield Violation("I4", text)
            return
        legal: set[str] = set()
        for pod in pods:
            legal |= self._legal(node, story, pod)
        if not pods:
            legal = self._without_pod(node, story)
        if story.given_up and self._seen.cancelled_at is not None:
            legal |= story.stops & {"Cancelled"}  # it is over, whatever its pod reports later
        if story.reason not in legal and not self._next_was_cancelled(node, story, legal):
            text = f"{node.name}: attempt {story.number} ended as {story.reason}, not as {legal}"
            yield Violation("I4" if legal == {"Succeeded"} else "T11", text)
        if not self._scenario.troubles:
            yield from self._prompt(node, pods)
        if story.reason != "Succeeded":
            return
        given = [m for pod in pods if isinstance(m := pod.meaning(node), Gave)]
        foreign = story.pod_uid not in {pod.uid for pod in pods}
        if foreign and not is_part(node.name):
            yield Violation("I14", f"{node.name}: the result is of the foreign pod {story.pod_uid}")
        if given:
            self._meanings[node.name] = given[0]

    def _next_was_cancelled(self, node: Node, story: AttemptStory, legal: set[str]) -> bool:
        """Whether an attempt of an item ended by itself while it was being stopped, and would have
        been repeated. Its state says only that the next attempt was cancelled."""
        if not is_part(node.name) or story.reason not in story.stops:
            return False
        began = max(
            (r.began_at for r in self._seen.rounds if r.began_at <= story.recorded_at), default=0
        )
        patience = Patience()
        for earlier in self._seen.attempts_of(node.name):
            if began <= earlier.recorded_at and earlier.number < story.number:
                patience.after(node, earlier, started=True)
        ends = [replace(story, reason=reason) for reason in legal - {"Succeeded"}]
        found = [replace(patience).after(node, end, started=True) for end in ends]
        return any(isinstance(each, Again) for each in found)

    def _prompt(self, node: Node, pods: list[PodStory]) -> Iterator[Violation]:
        """Where nothing goes wrong, clocks are kept to, except while a person asks for a round that
        cannot begin."""
        for pod in pods:
            if pod.started_at is not None and pod.over_at is not None:
                halted = self._seen.halted_between(pod.started_at, pod.over_at)
                ran = pod.over_at - pod.started_at - halted
                if ran > node.timeout + _STOPPING:
                    yield Violation("T11", f"{node.name} ran for {ran:.0f} s")

    def _without_pod(self, node: Node, story: AttemptStory) -> set[str]:
        legal = set(story.stops) & {"Cancelled", "NotChosen", "PodRejected"}
        if self._was_refused(node, story):
            legal.add("LaunchRejected")
        if node.places:
            legal |= story.stops & {"SlotTaken"}
        if self._touched("delete_job", "delete_pod"):
            legal.add("Disrupted")
        if self._seen.cancelled_at is not None:
            legal.add("Cancelled")
        return legal

    def _was_refused(self, node: Node, story: AttemptStory) -> bool:
        """Whether creates of its Job may have failed until its queueTimeout (S54)."""
        expires = story.launched + node.queue_timeout
        refused = self._scenario.may_refuse_creates(expires, retried=_RETRIED)
        return (story.finished_at or 0.0) >= expires - _SLACK and refused

    def _legal(self, node: Node, story: AttemptStory, pod: PodStory) -> set[str]:
        """How an attempt may be judged, from how its pod ended."""
        meaning = pod.meaning(node)
        stops = self._stops(node, story, pod)
        plain = node.kind == "container"
        cut = pod.disrupted or pod.deleting_at is not None
        if meaning is not None:
            recorded = bool(pod.outcome and pod.outcome.message) and not plain
            if pod.reported.get("message", "") == "" or (pod.act and pod.act.name in _UNREAD):
                recorded = False
            if recorded:
                return {end_of(meaning)}
            good = plain and pod.reported.get("exitCode") == 0
            stopped = pod.deleting_at is not None or pod.disrupted or "reason" in pod.body["status"]
            if good and not stopped:
                return {end_of(meaning)}  # whatever was meant to stop it came too late
            obeyed = good and story.stops and not self._was_done(pod)
            legal = set() if obeyed else {end_of(meaning)}
            legal |= stops
            silent = good and not pod.reported.get("message")
            if cut and (pod.evicted or not good or silent):
                legal.add("Disrupted")  # exit 0 without an output may be the answer to SIGTERM
            return legal | ({"OutOfDisk"} if pod.evicted else set())
        legal = set(stops)
        if pod.evicted:
            legal.add("Disrupted" if pod.disrupted else "OutOfDisk")
            if self._touched("evict", "lose", "remove"):
                legal.add("OutOfDisk")  # it may have been judged before it was disrupted, too
        elif cut:
            legal.add("Disrupted")
        return legal

    def _was_done(self, pod: PodStory) -> bool:
        """Whether its program may have ended before it was asked to."""
        asked = self._asked_at(pod) + _SLACK
        return any(
            (r.ended_at or asked) < asked for r in self._ledger.executions if r.pod_uid == pod.uid
        )

    def _asked_at(self, pod: PodStory) -> float:
        """When its machine knows that the pod is deleted: a lost machine, when it comes back."""
        at = pod.deleting_at or float("inf")
        for trouble in self._scenario.troubles:
            back = trouble.at + trouble.seconds
            if trouble.kind == "lose" and trouble.choice == pod.machine and trouble.at <= at < back:
                return back
        return at

    def _stops(self, node: Node, story: AttemptStory, pod: PodStory) -> set[str]:
        """The reasons for which it may have been stopped, and was."""
        allowed = story.stops & {"NotChosen"}  # VC1 says whether it was legal
        if node.places and "SlotTaken" in story.stops:
            allowed.add("Disrupted" if pod.started_at is not None else "SlotTaken")
        end = pod.over_at or story.finished_at or 0.0
        if "Cancelled" in story.stops and self._seen.cancelled_at is not None:
            allowed.add("Cancelled")
        late = section(pod.body, "status").get("reason") == "DeadlineExceeded"
        if pod.started_at is None:
            if any(name != "immediate" for name in self._scenario.deliveries):
                end = max(end, story.finished_at or 0.0)  # its end may have been seen later
            if end - story.launched >= node.queue_timeout - _SLACK:
                allowed |= {"Unschedulable", "ImagePull"} & (story.stops if not late else _QUEUED)
                if late and pod.machine and story.named not in _WAITED:
                    allowed.add("Timeout")  # no operator saw why it did not start (E3)
        elif end - pod.started_at >= node.timeout - _SLACK and ("Timeout" in story.stops or late):
            allowed.add("Timeout")
        return allowed

    def _touched(self, *kinds: str) -> bool:
        return any(trouble.kind in kinds for trouble in self._scenario.troubles)

    def _unneeded(self, node: Node) -> set[End]:
        """How a node also ends if another candidate was chosen."""
        lost = choices.is_lost(self._scenario, node.name, self._seen.nodes)
        return {choices.NOT_CHOSEN} if lost else set()
