"""What must hold of a run over its rounds, judged without a second interpreter of rounds: the
ledger of program starts and the watcher's notes decide, never what the operator says it kept."""

from collections.abc import Iterator
from typing import Any, Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.fakes.nodes.programs import Ledger
from tests.simulation.judging import map_items, unsealed_maps
from tests.simulation.judging.verdict import Judge
from tests.simulation.reference import loops
from tests.simulation.reference.interpreter import VERDICT, End, Starts, start
from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.scenario.programs import digest
from tests.simulation.watching.choices import NOT_CHOSEN, deciding, end_of, is_lost, stays_lost
from tests.simulation.watching.evidence import (
    AttemptStory,
    Evidence,
    RoundStory,
    Violation,
    is_accepted,
)

_LEFT_OUT: Final = End("Skipped", "SkippedByUser")
_LATE: Final = "DeadlineExceeded"
_KEPT: Final = ("phase", "reason", "attempt", "attempts", "outputDigest")


class Rounds:
    """Follows the rounds of one run, from the specs and statuses that the API server stored."""

    def __init__(self, scenario: Scenario, seen: Evidence) -> None:
        self._scenario = scenario
        self._seen = seen

    def note(self, spec: Obj, old: Obj, new: Obj, now: float) -> bool:
        """Take note of a status write; whether a round begins with it. `spec` is the one that it
        was decided on."""
        halted = self._seen.halted
        if not is_accepted(old) and halted:
            halted[-1] = (halted[-1][0], now if is_accepted(new) else float("inf"))
        elif not is_accepted(new):
            halted.append((now, float("inf")))
        before, self._seen.round = self._seen.round, int(new.get("round", 1))
        begins = self._seen.round > before
        if begins:
            self._begin(spec, old, new, now)
        if begins or not self._seen.spec:
            self._seen.spec = spec
        return begins

    def _begin(self, spec: Obj, old: Obj, new: Obj, now: float) -> None:
        asked = section(spec, "rerun")
        named = set(asked.get("from") or ())
        put = put_by_a_person(spec) | put_by_a_person(self._seen.spec)  # in this round or before
        was = {node["name"]: node for node in items(self._seen.spec, "nodes")}
        present = {node["name"] for node in items(spec, "nodes")}
        edited = {n["name"] for n in items(spec, "nodes") if n != was.get(n["name"])}
        edited |= was.keys() - present  # for the gates before it
        lists = self._new_lists(spec)  # a gate covers definitions, and not inputs of the run
        known = {entry["path"]: entry for entry in items(old, "nodes")}
        story = RoundStory(self._seen.round, now, frozenset(named), before=known)
        story.repeated = map_items.repeated(self._seen, known, named)
        named |= {name for name, _ in story.repeated}  # but each.named has only whole nodes
        doubtful: set[str] = set()
        again: set[str] = set()  # certainly
        for node in self._scenario.nodes:
            if node.name not in present:
                continue
            entry = known.get(node.name, {})
            gate, after = (
                node.kind == "approval",
                {node.name} | self._scenario.downstream(node.name),
            )
            touched = bool(after & edited) if gate else node.name in edited | lists
            follows = touched or again.intersection(deciding(node, entry))
            stays = node.never_twice or is_lost(self._scenario, node.name, known)
            if node.name in named or (follows and not stays):
                again.add(node.name)
            gated = gate and after & put
            done = entry.get("phase") in ("Succeeded", "Skipped")
            above = doubtful.intersection(node.upstream)
            if node.name in named | put or touched or gated or above or not done:
                doubtful.add(node.name)
            else:
                story.kept[node.name] = kept(entry)
            if gate and node.name in again:
                self._seen.stale[node.name] = now
        self._announced(story, known, new)
        self._note_given(asked, known, named)
        if self._seen.rounds:
            self._seen.rounds[-1].ended = known
            self._seen.rounds[-1].ended_at = now
        self._seen.rounds.append(story)
        self._seen.finished_at = None

    def _note_given(self, asked: Obj, known: dict[str, Obj], named: set[str]) -> None:
        for path in [p for p in self._seen.given if known[p]["phase"] != "Succeeded"]:
            del self._seen.given[path]  # the next round has come before it
        self._seen.given |= {name: digest(v) for name, v in (asked.get("outputs") or {}).items()}
        self._seen.left_out |= set(asked.get("skip") or ())
        for name in (*named, *(asked.get("skip") or ())):
            self._seen.given.pop(name, None)

    def _new_lists(self, spec: Obj) -> set[str]:
        """The maps whose list a person has changed."""
        lists = [section(each, "inputs") for each in (spec, self._seen.spec)]
        return {
            node.name
            for node in self._scenario.nodes
            if node.is_map and len({str(each.get(node.list_input)) for each in lists}) > 1
        }

    def _announced(self, story: RoundStory, known: dict[str, Obj], new: Obj) -> None:
        """What the operator says it keeps must be kept, too."""
        for entry in items(new, "nodes"):
            path, disposition = entry["path"], entry.get("disposition")
            if disposition == "Reused":
                story.kept[path] = kept(known.get(path, {}))
            elif disposition in ("Rerun", "New", "SkippedByUser"):
                self._seen.given.pop(path, None)


def put_by_a_person(spec: Obj) -> set[str]:
    """Nodes that a person decided on instead of their programs."""
    asked = section(spec, "rerun")
    return {*(asked.get("outputs") or {}), *(asked.get("skip") or ())}


def kept(entry: Obj) -> dict[str, Any]:
    """Of a checkpoint, what a round that keeps it must not change."""
    return {field: entry.get(field) for field in _KEPT}


def judge(scenario: Scenario, seen: Evidence, ledger: Ledger) -> list[Violation]:
    """Everything that is wrong with a run that has ended, or is gone."""
    kind = RoundsJudge if seen.asked_round or scenario.is_hurried else Judge
    found = [*seen.violations, *kind(scenario, seen, ledger).all()]
    return [*found, *loops.violations(scenario, seen)]


class RoundsJudge(Judge):
    """A run with rounds, or one that a deadline may have ended: every attempt is judged by its pod,
    and every round by what it had to keep."""

    def all(self) -> Iterator[Violation]:
        yield from self._executions()
        for node in self._programs:
            for story in self._seen.attempts_of(node.name):
                if story.finished_at is not None:
                    yield from self._attempt(node, story)
        yield from self._kept()
        for node in self._scenario.nodes:
            if node.is_map:
                yield from map_items.identities(self._scenario, node, self._seen)
        if self._seen.deleted_at is None:
            yield from self._checkpoints()
            if len(self._ends) == len(self._standing):
                self._ends[VERDICT] = self._verdict()
                yield from self._graph()
            yield from self._run()

    def _starts_allowed(self, node: Node) -> int:
        if node.last:
            return super()._starts_allowed(node)
        return 1 + sum(node.name in each.named for each in self._seen.rounds)

    def _attempt(self, node: Node, story: AttemptStory) -> Iterator[Violation]:
        if story.reason == _LATE:
            return  # whether it was time is watched by `clocks`
        if story.reason != "Superseded":
            yield from super()._attempt(node, story)
            return
        ended = story.finished_at or 0.0
        if not any(story.recorded_at <= each.began_at <= ended for each in self._seen.rounds):
            text = f"{node.name}: attempt {story.number} was put aside, and no round began"
            yield Violation("I4", text)

    def _kept(self) -> Iterator[Violation]:
        """I7: what a round keeps stays as it was, and no program of it starts."""
        for each in self._seen.rounds:
            ended = each.ended or self._seen.nodes
            for path, before in each.kept.items():
                after = kept(ended[path]) if path in ended else None
                if after != before:
                    text = f"{path}: round {each.number} had to keep {before}, and left {after}"
                    yield Violation("I7", text, each.began_at)
                for run in self._ledger.of(path):
                    late = each.began_at < run.started_at < each.ended_at
                    too_late = self._seen.is_too_late(run.pod_uid)
                    if late and not too_late and not self._seen.was_given_up(run.pod_uid):
                        text = f"{path} was kept in round {each.number}, and its program ran"
                        yield Violation("I7", text, run.started_at)

    def _graph(self) -> Iterator[Violation]:
        """What the last round leaves is of one piece: each node ended as those before it say, on
        the inputs that they give now."""
        cancelled = section(self._seen.run, "status").get("cancelledAt")
        main_closed = bool(self._fatal() or self._is_late() or cancelled)
        put = put_by_a_person(self._seen.spec) | self._seen.given.keys()
        for node in self._standing:
            if node.never_twice or node.name in put:
                continue  # it may stand although what came before it has changed
            closed = self._skips if node.last else main_closed
            end, follows = self._ends[node.name], start(self._scenario, node, self._ends)
            shown = End(end.phase, end.reason)
            legal = self._unneeded(node) | unsealed_maps.unstored(node, self._seen)
            if shown == _LEFT_OUT and node.name in self._seen.left_out:
                continue
            if isinstance(follows, Starts):
                yield from self._last_inputs(node, follows)
                if end.phase == "Skipped" and not closed:
                    yield Violation("T11", f"{node.name}: should have run, and is {shown}")
            elif shown in legal or self._is_kept_loser(node.name):
                continue
            elif not closed and shown not in follows and end.reason != _LATE:
                yield Violation("T11", f"{node.name}: expected one of {follows}, found {shown}")

    def _is_kept_loser(self, name: str) -> bool:
        """Whether a candidate stays as it had ended before the last round (S232)."""
        before = self._seen.rounds[-1].before if self._seen.rounds else {}
        return stays_lost(self._scenario, name, before, self._seen.nodes)

    def _is_late(self) -> bool:
        hurried = self._scenario.deadline is not None
        main = [self._ends[node.name] for node in self._standing if not node.last]
        return hurried and any(e.phase == "Cancelled" and e != NOT_CHOSEN for e in main)

    def _last_inputs(self, node: Node, follows: Starts) -> Iterator[Violation]:
        if self._ends[node.name].phase != "Succeeded" or node.name in self._seen.given:
            return
        if node.is_map:
            return  # its output is compared with what its programs gave for these inputs
        listed = items(self._seen.spec, "finally" if node.last else "nodes")
        defined = next(n for n in listed if n["name"] == node.name)
        edits = {k: v for k, v in defined.get("inputs", {}).items() if k.startswith("edit")}
        expected = follows.inputs | edits
        for pod in self._seen.pods_of(node.name, self._seen.nodes[node.name].get("attempt") or 0):
            given = loops.without_previous(node, pod.inputs)
            if pod.act is not None and given != expected:
                text = f"{node.name} stands on the inputs {pod.inputs}, and they are {expected}"
                yield Violation("I6", text)

    def _checkpoints(self) -> Iterator[Violation]:
        for node in self._standing:
            entry = self._seen.nodes.get(node.name)
            if entry is None:
                yield Violation("T11", f"{node.name} is not in the status")
                return
            given = self._seen.given.get(node.name)
            if given is None:
                yield from self._output(node, entry)
            elif entry.get("outputDigest") != given:
                yield Violation("I5", f"{node.name}: its output is not what a person gave")
            self._ends[node.name] = end_of(self._seen, entry)
