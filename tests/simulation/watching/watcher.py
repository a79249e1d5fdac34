"""An independent watcher of the simulated API server: judges every change as it is stored.

It asks the operator nothing. What only the whole run can show is left to `verdict`.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from waypost.api import meta
from waypost.kube.objects import controller_uid, items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import Outcome, PodView, owner_of
from tests.simulation.judging.rounds import Rounds
from tests.simulation.play.templates import Pins
from tests.simulation.reference.maps import ByPath, MapWatch, running_paths
from tests.simulation.scenario import programs
from tests.simulation.scenario.plan import RUN, Scenario
from tests.simulation.watching.choices import Choices
from tests.simulation.watching.clocks import Clocks
from tests.simulation.watching.decisions import Decisions
from tests.simulation.watching.evidence import (
    FINAL,
    AttemptStory,
    Evidence,
    GateStory,
    PodStory,
    Violation,
    Waiting,
)
from tests.simulation.watching.gate_order import started_too_soon
from tests.simulation.watching.machines import Machines
from tests.simulation.watching.relaunches import Relaunches
from tests.simulation.watching.stages import Stages
from tests.support.harness import World

_LARGEST_STATUS: Final = 256 * 1024


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.seen = Evidence()
        self._world = world
        self._scenario = scenario
        self._nodes = ByPath.of(scenario)
        self._rounds = Rounds(scenario, self.seen)
        self._clocks = Clocks(scenario, self.seen)
        self._choices = Choices(scenario, self.seen)
        self._stages = Stages(scenario, self.seen)
        self._machines = Machines()
        self._decisions = Decisions(scenario)
        self._pins = Pins()
        self.relaunches = Relaunches()
        self._maps = MapWatch(scenario, self.seen, self._machines, self.tell, self.blame)
        self._hash = hashlib.sha256()
        self._outcomes: dict[str, Any] = {}
        world.cluster.server.storage.listeners.insert(0, self._changed)
        world.cluster.on_write(self._maps.written)
        world.cluster.on_read(lambda request: self.relaunches.read(request, self.now))

    @property
    def now(self) -> float:
        return self._world.clock.monotonic()

    def digest(self) -> str:
        """Of everything that was stored, in order, with its times: equal for equal plays."""
        return self._hash.hexdigest()[:16]

    def program(self, pod: PodView) -> Outcome:
        """What a pod's program does, as planned; noted in its story."""
        node, story = self._nodes.of_pod(pod), self.seen.pods.get(pod.uid)
        if node is None or story is None:
            return pod.succeeds()
        act = programs.act_of(node, pod.attempt)
        story.act, story.inputs, story.key = act, pod.inputs, pod.key
        story.outcome = programs.outcome(node, act, pod)
        story.tokens = programs.spends(node, pod)
        return story.outcome

    def blame(self, invariant: str, text: str) -> None:
        """Note a violation."""
        self.seen.violations.append(Violation(invariant, text, self.now))

    def tell(self, text: str) -> None:
        """A line of the story."""
        self.seen.story.append(f"{self.now:9.3f} {text}")

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        metadata = body["metadata"]
        name, version = metadata["name"], metadata["resourceVersion"]
        self._hash.update(f"{self.now:.6f} {kind.kind} {change} {name} {version}\n".encode())
        self._pins.see(kind, change, body)
        match kind:
            case Kind.AGENT_WORKFLOW if name == RUN:
                self._run(change, body)
            case Kind.POD if name not in self.seen.copies:
                self._pod(change, body)
            case Kind.JOB if text(metadata.get("labels", {}), meta.LABEL_RUN):
                self._job(change, body)
            case Kind.APPROVAL:
                self._approval(change, body)
            case Kind.NODE:
                self._machines.note(change, body, self.now)
            case Kind.NODE_RECORD:
                self.seen.note_record(name, body, gone=self.now if change == "DELETED" else None)

    # --- the run -----------------------------------------------------------------------------

    def _run(self, change: str, body: Obj) -> None:
        seen, before = self.seen, self.seen.run
        if change == "DELETED":
            seen.gone_at = self.now
            seen.deleted_at = seen.deleted_at or self.now
            self.tell("the run is gone")
            return
        seen.run = body
        if "deletionTimestamp" in body["metadata"] and seen.deleted_at is None:
            seen.deleted_at = self.now
        if section(body, "spec").get("cancel") and seen.cancelled_at is None:
            seen.cancelled_at = self.now
        if before.get("status") is not body.get("status"):
            self._status(section(before, "status"), section(body, "status"), before)

    def _status(self, old: Obj, new: Obj, before: Obj) -> None:
        if old == new:
            return
        self._hash.update(json.dumps(new, sort_keys=True).encode())
        if self.seen.deleted_at is not None and self.seen.deleted_at < self.now:
            self.blame("D2", "a status was written although the run is being deleted")
        size = len(json.dumps(new, separators=(",", ":")))
        if size > _LARGEST_STATUS:
            self.blame("I15", f"the status takes {size} bytes")
        self.seen.decided_at = self._decisions.earliest(self.now, len(self.seen.records))
        spec = self._pins.note(section(before, "spec"), old, new, self.seen.violations)
        begins = self._rounds.note(spec, old, new, self.now)
        self.seen.violations += self._clocks.note(old, new, self.now, begins=begins)
        self.seen.violations += self._stages.note(
            section(before, "spec"),
            old,
            new,
            self.now,
            begins=begins,
            finished=self._finished(new) and not (self._finished(old) and not begins),
        )
        known = {node["path"]: node for node in items(old, "nodes")}
        if begins:
            self.tell(f"round {self.seen.round} begins")
            known = {path: self._begun(was) for path, was in known.items()}
            for node in items(new, "nodes"):
                if node.get("disposition") != "Adopted":
                    self.seen.waiting.pop(node["path"], None)
        was_finished = self._finished(old) and not begins
        started = []
        for node in items(new, "nodes"):
            was = known.get(node["path"], {})
            if node == was:
                continue
            self._checkpoint(was, node)
            started += list(self._attempts(was, node))
            started += list(self._maps.note(node, self.now))
        if was_finished and items(old, "nodes") != items(new, "nodes"):
            self.blame("I10", "a checkpoint of a finished run was changed")
        if started:
            self._starts(started, section(before, "spec"), old, was_finished=was_finished)
        self.seen.violations += self._choices.note(old, new, self.now, begins=begins)
        self._parallel(new)
        self._paused(new, cancelled=bool(section(before, "spec").get("cancel")))
        if self._finished(new) and self.seen.finished_at is None:
            self.seen.finished_at = self.now
            self.tell(f"the run is finished: {new.get('phase')}")

    @staticmethod
    def _begun(was: Obj) -> Obj:
        """What a new round must leave of a checkpoint; the rest is judged at the end of it."""
        return {field: was[field] for field in ("path", "attempt", "attempts") if field in was}

    def _checkpoint(self, was: Obj, node: Obj) -> None:
        path = node["path"]
        if was.get("phase") in FINAL:
            for field in ("phase", "outputDigest", "output", "outputRecord", "reason"):
                if was.get(field) != node.get(field):
                    self.blame("I10" if field == "phase" else "I1", f"{path}: {field} changed")
        if node["phase"] == "Waiting":
            if was.get("startedAt", node.get("startedAt")) != node.get("startedAt"):  # S460
                self.seen.waiting.pop(path, None)
            self.seen.waiting.setdefault(path, Waiting(self.now, self.seen.decided_at))
        if was.get("phase") != node["phase"]:
            self.seen.ended[path] = self.now
            self.tell(f"{path} {node['phase']} {node.get('reason', '')}".rstrip())
        if node.get("attempt", 0) < was.get("attempt", 0):
            self.blame("I3", f"{path}: attempt numbers went back")
        # A node with effect: once keeps its attempt though a round has changed what it depends on;
        # if that turns out never to have started, the next one is of the new round.
        # Those of a loop are judged by VL1.
        known = ("fingerprint", "round")
        same = not self._nodes[path].loop and all(was.get(f) == node.get(f) for f in known)
        if same and was.get("inputDigest") not in (None, node.get("inputDigest")):
            self.blame("I6", f"{path}: the inputs of a later attempt differ from the first one's")
        if node.get("outputRecord") and node["outputRecord"] not in self.seen.records:
            self.blame("I5", f"{path}: its output is in {node['outputRecord']}, which is not there")

    def _attempts(self, was: Obj, node: Obj) -> Iterator[AttemptStory]:
        path, attempts = node["path"], self.seen.attempts
        known = {entry["number"]: entry for entry in items(was, "attempts")}
        for entry in items(node, "attempts"):
            if entry == known.get(entry["number"]):
                continue
            key = (path, entry["number"])
            if key not in attempts:
                if entry["number"] > 1 and (path, entry["number"] - 1) not in attempts:
                    self.blame("I3", f"{path}: attempt {entry['number']} without the one before")
                attempts[key] = AttemptStory(path, entry["number"], entry["job"], self.now)
                attempts[key].decided_at = self.seen.decided_at
                yield attempts[key]
            if attempts[key].finished_at is None:
                attempts[key].named = was.get("reason", "")
            self._entry(attempts[key], entry)
        unfinished = [e for e in items(node, "attempts") if not e.get("finishedAt")]
        if len(unfinished) > 1:
            self.blame("I2", f"{path}: two attempts at once")

    def _entry(self, story: AttemptStory, entry: Obj) -> None:
        story.launched_at = entry["launchedAt"]
        if entry.get("stopping"):
            story.stops.add(entry["stopping"])
            story.stopped_at = story.stopped_at or self.now
        if story.finished_at is not None:
            if entry.get("reason") != story.reason or entry.get("podUid") != story.pod_uid:
                self.blame("I1", f"{story.path}: attempt {story.number} ended twice")
        elif entry.get("finishedAt"):
            story.finished_at, story.reason = self.now, entry.get("reason", "")
            story.pod_uid, story.ended_at = entry.get("podUid"), entry["finishedAt"]
            story.accepted = self.seen.is_accepted
            pods = self.seen.pods_of(story.path, story.number)
            story.given_up = self._machines.have_lost(pods, self.now, self.seen.decided_at)
            self.tell(f"{story.path} attempt {story.number} ended: {story.reason}")

    def _starts(
        self, started: list[AttemptStory], spec: Obj, old: Obj, *, was_finished: bool
    ) -> None:
        names = ", ".join(f"{story.path} {story.number}" for story in started)
        if spec.get("suspend"):
            self.blame("S80", f"attempts of a suspended run were started: {names}")
        main = [story for story in started if not self._nodes[story.path].last]
        if (main or spec.get("skipFinally")) and (spec.get("cancel") or old.get("cancelledAt")):
            self.blame("S81", f"attempts of a cancelled run were started: {names}")
        if was_finished:
            self.blame("I10", f"attempts of a finished run were started: {names}")

    def _parallel(self, status: Obj) -> None:
        running = running_paths(status)
        if len(running) > self._scenario.parallelism:
            self.blame("parallelism", f"{', '.join(running)} run at the same time")

    def _paused(self, status: Obj, *, cancelled: bool) -> None:
        """S42: what needs a node that waits for a person waits too, and nothing else does."""
        entries = {node["path"]: node for node in items(status, "nodes")}
        failed = {path for path, entry in entries.items() if entry["phase"] == "Failed"}
        held = {path for path in failed if self._nodes[path].pauses}
        fatal = any(self._is_fatal(path) for path in failed)
        if not held or cancelled or fatal or self._clocks.run_is_late(self.now):
            return
        self.seen.exercised["pause"] = 1
        if self._finished(status):
            self.blame("S42", f"the run ended, and {', '.join(sorted(held))} waits for a person")
        below = {name for path in held for name in self._scenario.downstream(path)}
        for path, entry in entries.items():
            waits = entry["phase"] not in FINAL and not self._nodes[path].last
            if status.get("phase") == "Paused" and waits and path not in below:
                self.blame("S42", f"{path} is {entry['phase']} while the run is paused")
            doomed = failed.intersection(self._nodes[path].hard)
            if doomed and doomed <= held and entry.get("reason") == "DependencyFailed":
                self.blame("S42", f"{path} is Skipped, and {', '.join(doomed)} only pause")

    def _is_fatal(self, path: str) -> bool:
        node = self._nodes[path]
        return not node.tolerated and not node.pauses and not node.last

    @staticmethod
    def _finished(status: Obj) -> bool:
        conditions = items(status, "conditions")
        return any(c["type"] == "Finished" and c["status"] == "True" for c in conditions)

    # --- what it made ------------------------------------------------------------------------

    def _job(self, change: str, body: Obj) -> None:
        metadata = body["metadata"]
        if change == "DELETED" or "deletionTimestamp" in metadata:
            self.relaunches.deleted(metadata["name"], self.now)
        if change != "ADDED":
            return
        path, _ = self._nodes.place_of(metadata)
        number = int(metadata["labels"][meta.LABEL_ATTEMPT])
        self.seen.jobs[metadata["uid"]] = self.now
        self.tell(f"Job of {path} {number}")
        story = self.seen.attempts.get((path, number))
        ended = story is not None and story.is_over
        excused = self.relaunches.created(metadata["name"], self.now)
        if excused:
            self.seen.relaunched[metadata["uid"]] = ended
        if story is None or story.job != metadata["name"]:
            self.blame("I3", f"a Job of {path} {number}, which no status names")
        elif ended and not excused:
            self.blame("I3", f"a Job of {path} {number}, which has ended: {story.reason}")
        node = self._nodes[path]
        for problem in started_too_soon(self._scenario, self.seen, node, self.now):
            self.blame("I8", problem)

    def _pod(self, change: str, body: Obj) -> None:
        metadata, uid = body["metadata"], body["metadata"]["uid"]
        story = self.seen.pods.get(uid)
        if story is None:
            path, iteration = self._nodes.place_of(metadata)
            if owner_of(path) not in self._nodes:
                return  # somebody else's
            number = int(metadata["labels"][meta.LABEL_ATTEMPT])
            self.seen.pods[uid] = story = PodStory(
                uid, metadata["name"], path, number, self.now, controller_uid(body), iteration
            )
            self.relaunches.has_pod(body, self.now)
            self._alone(story)
            self.tell(f"pod of {path} {number}")
        if change == "DELETED":
            story.gone_at = self.now
            return
        self._progress(story, body)

    def _progress(self, story: PodStory, body: Obj) -> None:
        metadata, status = body["metadata"], section(body, "status")
        story.body = body
        if "deletionTimestamp" in metadata and story.deleting_at is None:
            story.deleting_at = self.now
        conditions = items(status, "conditions")
        story.disrupted |= any(c["type"] == "DisruptionTarget" for c in conditions)
        state = [section(s, "state") for s in items(status, "containerStatuses")]
        if any("running" in s for s in state) and story.started_at is None:
            story.started_at = self.now
            self.seen.violations += self._stages.started(story, self.now)
        ended = status.get("phase") in ("Succeeded", "Failed") or any(
            "terminated" in s for s in state
        )
        if ended and story.over_at is None:
            story.over_at = self.now
        if meta.FINALIZER_RESULT not in metadata.get("finalizers", []) and not story.released_at:
            story.released_at = self.now
            self._let_go(story)

    def _let_go(self, story: PodStory) -> None:
        """The finalizer goes only when the result is recorded, or nobody will ask for it."""
        if not self.seen.may_be_let_go(story):
            self.blame("I4", f"{story.path} {story.attempt}: its pod was let go unread")

    def _alone(self, new: PodStory) -> None:
        """I2: no other pod of the node is still to end."""
        for other in self.seen.pods.values():
            if other.path != new.path or other.gone_at is not None or other.over_at is not None:
                continue
            if other is new or self.seen.may_run_beside(other.uid, new.uid):
                continue
            if self.seen.was_given_up(other.uid):
                continue
            scheduled = section(other.body, "spec").get("nodeName")
            if other.deleting_at is None or scheduled:
                text = f"{new.path}: a pod of attempt {new.attempt} beside that of {other.attempt}"
                self.blame("I2", text)

    def _approval(self, change: str, body: Obj) -> None:
        metadata, spec, status = body["metadata"], section(body, "spec"), section(body, "status")
        path = text(metadata.get("annotations", {}), meta.ANNOTATION_PATH)
        if not metadata.get("ownerReferences"):
            self.seen.forged.add(path)
            return
        story = self.seen.gates.get(metadata["uid"])
        if story is None:
            story = GateStory(metadata["name"], metadata["uid"], path, self.now)
            waiting = self.seen.waiting.get(path, Waiting(self.now, self.now))
            story.waiting_since, story.decided_at = waiting.since, waiting.decided_at
            story.expires_at, story.level = spec.get("expiresAt", ""), spec.get("level", 0)
            self.seen.gates[metadata["uid"]] = story
            self.tell(f"Approval of {path} is asked")
        if change == "DELETED":
            story.gone_at = self.now
            return
        decision = spec.get("decision")
        if decision and (not story.answers or story.answers[-1][1] != decision):
            story.answers.append((self.now, decision))
            self.tell(f"Approval of {path} is answered: {decision}")
        state = status.get("state", "Open")
        if state == story.state:
            return
        if story.state != "Open":
            self.blame("I9", f"{path}: recorded as {story.state}, then as {state}")
        if state in ("Approved", "Denied") and not status.get("expired") and decision != state:
            self.blame("I9", f"{path}: {state} was recorded, and the answer is {decision}")
        story.settle(status, self.now)
        self.tell(f"Approval of {path} is recorded: {state}{' (expired)' * story.expired}")
