"""VF1: the stage of finally, from what the API server stored and which programs ran."""

from collections.abc import Iterator
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.fakes.nodes.programs import node_of
from tests.simulation.scenario.plan import Scenario
from tests.simulation.watching.evidence import FINAL, Evidence, PodStory, Violation

_OUT_OF_TIME: Final = "DeadlineExceeded"


class Stages:
    """Follows one run, write by write."""

    def __init__(self, scenario: Scenario, seen: Evidence) -> None:
        self._seen = seen
        self._last = {node.name for node in scenario.nodes if node.last}

    def note(
        self, spec: Obj, old: Obj, new: Obj, now: float, *, begins: bool, finished: bool
    ) -> Iterator[Violation]:
        """What is wrong with a status write. `finished`: the run has finished in it."""
        if not self._last or new.get("phase") == "Rejected":
            return
        entries = {entry["path"]: entry for entry in items(new, "nodes")}
        main = [entry for path, entry in entries.items() if path not in self._last]
        verdict, before = new.get("verdict"), None if begins else old.get("verdict")
        if begins and old.get("verdict") and not old.get("finishedAt"):
            yield Violation("VF1", "a round began while finally ran", now)
        if before is not None and verdict != before:
            yield Violation("VF1", f"the verdict changed from {before} to {verdict}", now)
        if verdict is not None and before is None:
            self._seen.exercised["finally"] = self._seen.exercised.get("finally", 0) + 1
            self._seen.verdict_cancelled = bool(new.get("cancelledAt"))
            busy = [entry["path"] for entry in main if entry["phase"] not in FINAL]
            if busy:
                yield Violation("VF1", f"a verdict, and {', '.join(busy)} has not ended", now)
        if verdict is None and finished and entries:  # a run without nodes was never accepted
            yield Violation("VF1", "the run finished without finally", now)
        for path in self._last & entries.keys():
            yield from self._node(spec, entries[path], verdict, now)

    def _node(self, spec: Obj, entry: Obj, verdict: Obj | None, now: float) -> Iterator[Violation]:
        path = entry["path"]
        if verdict is None and entry["phase"] not in ("Pending", "Superseding"):
            yield Violation("VF1", f"{path} is {entry['phase']} before the verdict", now)
        cut = entry["phase"] == "Cancelled" and entry.get("reason") != _OUT_OF_TIME
        if cut and not spec.get("skipFinally"):
            yield Violation("VF1", f"{path} was cancelled, and nobody asked to skip it", now)

    def started(self, story: PodStory, now: float) -> Iterator[Violation]:
        """What is wrong with the start of a program."""
        if not self._last:
            return
        finalizing = section(self._seen.run, "status").get("verdict") is not None
        others = [
            pod
            for pod in self._seen.pods.values()
            if self._is_last(pod) is not self._is_last(story)
            and pod.started_at is not None
            and pod.over_at is None
            and pod.gone_at is None
        ]
        beside = [pod.path for pod in others if not self._is_excused(pod)]
        if beside and not self._is_excused(story):
            text = f"the program of {story.path} started beside that of {', '.join(beside)}"
            yield Violation("VF1", text, now)
        late = finalizing and not self._is_last(story)
        if late and not self._is_excused(story):
            yield Violation("VF1", f"the program of {story.path} started after the verdict", now)

    def _is_last(self, pod: PodStory) -> bool:
        """Whether it is a program of finally."""
        return node_of(pod.path) in self._last

    def _is_excused(self, pod: PodStory) -> bool:
        """Whether no operator could have known of it, or prevented it."""
        return self._seen.was_given_up(pod.uid) or self._seen.is_relaunched(pod.uid)
