"""VF1, VF2: the stages of compensations and of finally, from what the API server stored and which
programs ran."""

from collections.abc import Iterator
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.fakes.nodes.programs import owner_of
from tests.simulation.reference.undo import may_begin
from tests.simulation.scenario.plan import Scenario
from tests.simulation.scenario.undo import path_of
from tests.simulation.watching.evidence import FINAL, Evidence, PodStory, Violation

_OUT_OF_TIME: Final = "DeadlineExceeded"
_NOT_BEGUN: Final = ("Pending", "Superseding")


class Stages:
    """Follows one run, write by write."""

    def __init__(self, scenario: Scenario, seen: Evidence) -> None:
        self._scenario = scenario
        self._seen = seen
        self._last = {node.name for node in scenario.nodes if node.last}
        self._undo = {path_of(n.name): n.name for n in scenario.nodes if n.undo is not None}

    def note(
        self, spec: Obj, old: Obj, new: Obj, now: float, *, begins: bool, finished: bool
    ) -> Iterator[Violation]:
        """What is wrong with a status write. `finished`: the run has finished in it."""
        if not (self._last or self._undo) or new.get("phase") == "Rejected":
            return
        entries = {entry["path"]: entry for entry in items(new, "nodes")}
        later = self._last | self._undo.keys()
        main = [entry for path, entry in entries.items() if path not in later]
        verdict, before = new.get("verdict"), None if begins else old.get("verdict")
        if begins and old.get("verdict") and not old.get("finishedAt"):
            yield Violation("VF1", "a round began while finally ran", now)
        if before is not None and verdict != before:
            yield Violation("VF1", f"the verdict changed from {before} to {verdict}", now)
        if verdict is not None and before is None:
            self._exercise("finally" if self._last else "undo")
            self._seen.verdict_cancelled = bool(new.get("cancelledAt"))
            busy = [entry["path"] for entry in main if entry["phase"] not in FINAL]
            if busy:
                yield Violation("VF1", f"a verdict, and {', '.join(busy)} has not ended", now)
        # A run without nodes was never accepted.
        if verdict is None and finished and entries and self._last:
            yield Violation("VF1", "the run finished without finally", now)
        for path in self._last & entries.keys():
            yield from self._node(spec, entries, path, verdict, now)
        yield from self._undone(spec, old, entries, now)

    def _exercise(self, what: str) -> None:
        self._seen.exercised[what] = self._seen.exercised.get(what, 0) + 1

    def _node(
        self, spec: Obj, entries: dict[str, Obj], path: str, verdict: Obj | None, now: float
    ) -> Iterator[Violation]:
        entry = entries[path]
        begun = entry["phase"] not in _NOT_BEGUN
        if verdict is None and begun:
            yield Violation("VF1", f"{path} is {entry['phase']} before the verdict", now)
        left = [p for p in self._undo.keys() & entries.keys() if entries[p]["phase"] not in FINAL]
        if begun and left:
            yield Violation("VF1", f"{path} is {entry['phase']} before {left} has ended", now)
        yield from self._uncut(spec, entry, now)

    @staticmethod
    def _uncut(spec: Obj, entry: Obj, now: float) -> Iterator[Violation]:
        cut = entry["phase"] == "Cancelled" and entry.get("reason") != _OUT_OF_TIME
        if cut and not spec.get("skipFinally"):
            text = f"{entry['path']} was cancelled, and nobody asked to skip it"
            yield Violation("VF1", text, now)

    # --- compensations ---------------------------------------------------------------------------

    def _undone(
        self, spec: Obj, old: Obj, entries: dict[str, Obj], now: float
    ) -> Iterator[Violation]:
        """VF2: one at a time, and each when it is its turn."""
        was = {entry["path"]: entry for entry in items(old, "nodes")}
        for path in self._undo.keys() & entries.keys():
            yield from self._uncut(spec, entries[path], now)
            begins = was.get(path, {}).get("phase", "Pending") == "Pending"
            if begins and entries[path]["phase"] not in ("Pending", "Cancelled"):
                self._exercise("undone")
                yield from self._begun(path, was, entries, now)

    def _begun(
        self, path: str, was: dict[str, Obj], entries: dict[str, Obj], now: float
    ) -> Iterator[Violation]:
        left = {
            name: entries[name].get("finishedAt", "")
            for other, name in self._undo.items()
            if other in entries and (other == path or entries[other]["phase"] not in FINAL)
        }
        if path not in was:
            yield Violation("VF2", f"{path} began in the write of the verdict", now)
        name = self._undo[path]
        if not may_begin(self._scenario, name, left):
            yield Violation("VF2", f"undo: it is not the turn of {name} among {left}", now)

    # --- programs --------------------------------------------------------------------------------

    def started(self, story: PodStory, now: float) -> Iterator[Violation]:
        """What is wrong with the start of a program."""
        if not (self._last or self._undo):
            return
        finalizing = section(self._seen.run, "status").get("verdict") is not None
        stage = self._stage_of(story)
        others = [
            pod
            for pod in self._seen.pods.values()
            if self._stage_of(pod) != stage
            and pod.started_at is not None
            and pod.over_at is None
            and pod.gone_at is None
        ]
        beside = [pod.path for pod in others if not self._is_excused(pod)]
        if beside and not self._is_excused(story):
            text = f"the program of {story.path} started beside that of {', '.join(beside)}"
            yield Violation("VF1", text, now)
        late = finalizing and not stage
        if late and not self._is_excused(story):
            yield Violation("VF1", f"the program of {story.path} started after the verdict", now)

    def _stage_of(self, pod: PodStory) -> str:
        """Of a program: of finally, of a compensation (which run one at a time), or "" of main."""
        path = owner_of(pod.path)
        return "finally" if path in self._last else path if path in self._undo else ""

    def _is_excused(self, pod: PodStory) -> bool:
        """Whether no operator could have known of it, or prevented it."""
        return self._seen.was_given_up(pod.uid) or self._seen.is_relaunched(pod.uid)
