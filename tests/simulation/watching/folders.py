"""VA1: artifacts, from what the API server stored and what pods were given. It asks no operator."""

import json
from collections.abc import Callable

from waypost.api import meta
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import PodView
from tests.simulation.scenario.folders import content, taken_by
from tests.simulation.scenario.plan import RUN, Scenario
from tests.simulation.watching.evidence import Evidence
from tests.support import artifact_store
from tests.support.harness import World


class FolderWatcher:
    """Stores what programs make, as a gateway does, and follows what becomes of it."""

    def __init__(
        self,
        world: World,
        scenario: Scenario,
        seen: Evidence,
        blame: Callable[[str, str], None],
    ) -> None:
        self._world, self._seen, self._blame = world, seen, blame
        self._nodes = {n.name: n for n in scenario.nodes if n.makes or n.takes}
        self._made: dict[tuple[str, int], str] = {}  # digests, by path and attempt
        if self._nodes:
            world.cluster.server.storage.listeners.insert(0, self._changed)

    async def store(self, pod: PodView) -> None:
        """The program of a pod has made its artifact, and the gateway stores it."""
        node = self._nodes.get(pod.path)
        if node is None or not node.makes:
            return
        made = content(pod.path, pod.attempt, taken_by(pod.request))
        self._made[pod.path, pod.attempt] = made.digest
        artifact_store.store(self._world, pod, made)
        self._exercise("stored")

    def _exercise(self, what: str) -> None:
        self._seen.exercised[what] = self._seen.exercised.get(what, 0) + 1

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.POD and change == "ADDED":
            self._given(body)
        if kind is Kind.NODE_RECORD and change == "DELETED":
            self._removed(body)
        if kind is Kind.AGENT_WORKFLOW and body["metadata"]["name"] == RUN:
            for entry in items(body, "status", "nodes"):
                self._named(entry)

    def _named(self, entry: Obj) -> None:
        """A checkpoint names what its attempt has made, and nothing else."""
        node = self._nodes.get(entry["path"])
        if node is None or not node.makes:
            return
        found = [one["digest"] for one in items(entry, "artifacts")]
        number = entry.get("attempt", 0)
        expected = [self._made.get((entry["path"], number))]
        if found != (expected if entry["phase"] == "Succeeded" else []):
            text = f"{entry['path']} names {found}, and attempt {number} made {expected}"
            self._blame("VA1", f"{text} ({entry['phase']})")

    def _given(self, body: Obj) -> None:
        """A pod gets what the checkpoints of the producers name."""
        notes = section(body, "metadata", "annotations")
        node = self._nodes.get(text(notes, meta.ANNOTATION_PATH))
        if node is None or not node.takes or body["metadata"]["name"] in self._seen.copies:
            return
        pins = json.loads(notes.get(meta.ANNOTATION_ARTIFACTS, "{}")).get("in", [])
        found = [(pin["record"], pin["digest"]) for pin in pins]
        made = [items(self._seen.nodes.get(name, {}), "artifacts") for name in node.takes]
        expected = [(one["record"], one["digest"]) for listed in made for one in listed]
        self._exercise("taken")
        if found != expected:
            self._blame("VA1", f"{node.name} was given {found}, its producers made {expected}")

    def _removed(self, record: Obj) -> None:
        """No record is removed that the status names, while its run is there."""
        name = record["metadata"]["name"]
        named = [a for e in self._seen.nodes.values() for a in items(e, "artifacts")]
        if self._seen.deleted_at is None and name in [one["record"] for one in named]:
            self._blame("VA1", f"{name} was removed, and the status names it")
