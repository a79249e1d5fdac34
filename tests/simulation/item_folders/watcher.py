"""VA1 and VA2 of items: what a pod is given is recorded, what the operator removes is named by no
run, and nothing else of that kind stays. Judged by what the API server stores."""

import json
import re

from waypost.api import meta
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind, Obj

from tests.simulation.reference.maps import payload
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

_ITEMS = re.compile(r"items-scan-items-[0-9a-f]{10}")


class Watcher:
    """Receives every change before any operator does, and asks no operator."""

    def __init__(self, world: World) -> None:
        self.violations: list[Violation] = []
        self.reads = 0  # artifacts that pods were given
        self._world = world
        self._runs: dict[str, Obj] = {}
        self.records: dict[str, Obj] = {}
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, invariant: str, found: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, found, self._world.clock.monotonic()))

    def unnamed(self) -> list[str]:
        """The artifacts that are in no run."""
        said = self._said()
        return [name for name, spec in self._artifacts() if name not in said]

    def _artifacts(self) -> list[tuple[str, Obj]]:
        listed = [(name, section(body, "spec")) for name, body in self.records.items()]
        return [(name, spec) for name, spec in listed if spec["type"] == "Artifact"]

    def _said(self) -> str:
        """All that runs say, also in the NodeRecords with items that they name."""
        found = "".join(json.dumps(run) for run in self._runs.values())
        left, seen = set(_ITEMS.findall(found)), set[str]()
        while left:
            name = left.pop()
            seen.add(name)
            stored = json.dumps(payload(self.records[name])) if name in self.records else ""
            found += stored
            left |= set(_ITEMS.findall(stored)) - seen
        return found

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        name, uid = text(body["metadata"], "name"), text(body["metadata"], "uid")
        if kind is Kind.AGENT_WORKFLOW:
            self._runs[uid] = body
            if change == "DELETED":
                del self._runs[uid]
        elif kind is Kind.NODE_RECORD and change == "DELETED":
            self._removed(name)
        elif kind is Kind.NODE_RECORD:
            self.records[name] = body
        elif kind is Kind.POD and change == "ADDED":
            self._given(body)

    def _removed(self, name: str) -> None:
        spec = section(self.records.pop(name, {}), "spec")
        alive = [r for r in self._runs.values() if "deletionTimestamp" not in r["metadata"]]
        if spec.get("runUid") not in {run["metadata"]["uid"] for run in alive}:
            return
        if name in self._said():
            self.blame("VA2", f"{name} was removed, and a run names it")
        key = (spec.get("runUid"), spec.get("path"), spec.get("attempt"))
        for one in self._world.ledger.executions:
            if one.key == key and one.ended_at is None:
                self.blame("VA2", f"{name} was removed, and its attempt has not ended")

    def _given(self, pod: Obj) -> None:
        notes = section(pod, "metadata", "annotations")
        pins = json.loads(notes.get(meta.ANNOTATION_ARTIFACTS, "{}")).get("in", [])
        self.reads += len(pins)
        for pin in pins:
            spec = section(self.records.get(pin["record"], {}), "spec")
            if (spec.get("type"), spec.get("digest")) != ("Artifact", pin["digest"]):
                self.blame("VA1", f"{pod['metadata']['name']} was given {pin}, which is not there")
