"""VA1: an artifact that is read has the digest in the producer's checkpoint, and no record is
removed while a live status names it. VA2: nor while its attempt runs, and what nothing names does
not stay. Judged by what the API server stores."""

import json

from waypost.api import meta
from waypost.engine.state.paths import node_of
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.simulation.folders.plan import ASK, RUN, Plan
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World


class Watcher:
    """Receives every change before any operator does, and asks no operator."""

    def __init__(self, world: World, planned: Plan) -> None:
        self.violations: list[Violation] = []
        self.reads = 0  # artifacts that pods were given
        self._world = world
        self._steps = planned.by_name
        self._shown = planned.asked
        self.questions: list[list[str]] = []  # the digests that each is about
        self.runs: dict[str, Obj] = {}  # by uid, without those that are gone
        self._records: dict[str, Obj] = {}
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, invariant: str, found: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, found, self._world.clock.monotonic()))

    def made(self, path: str) -> Obj:
        """The artifact that the checkpoint of a node names; empty if there is none."""
        nodes = items(self._root, "status", "nodes")
        node = next((one for one in nodes if one["path"] == path), {})
        listed = items(node, "artifacts")
        return listed[0] if listed and node.get("phase") == "Succeeded" else {}

    def attempts_of(self, node: Obj) -> list[int]:
        """The attempt of a node, or of a node in its child run, that made its artifact; of a loop
        that of each iteration."""
        uid = section(node, "child").get("uid")
        inner = items(self.runs.get(uid, {}), "status", "nodes") if uid else [node]
        if not inner:
            return [0]
        return _iterated(inner[0]) or [int(inner[0]["attempt"])]

    @property
    def _root(self) -> Obj:
        return next((run for run in self.runs.values() if run["metadata"]["name"] == RUN), {})

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        name = text(body["metadata"], "name")
        if kind is Kind.AGENT_WORKFLOW:
            uid = text(body["metadata"], "uid")
            self.runs[uid] = body
            if change == "DELETED":
                del self.runs[uid]
                return
            for node in items(body, "status", "nodes"):
                self._checkpoint(uid, node)
        elif kind is Kind.NODE_RECORD and change == "DELETED":
            self._removed(name)
        elif kind is Kind.NODE_RECORD:
            self._records[name] = body
        elif kind is Kind.POD and change == "ADDED":
            self._given(body)
        elif kind is Kind.APPROVAL and change == "ADDED":
            self._asked(body)

    def _checkpoint(self, uid: str, node: Obj) -> None:
        """Each artifact that a success names is recorded, by its attempt, with that digest."""
        maker = section(node, "child").get("uid") or uid
        if node["phase"] != "Succeeded" or node["path"] == ASK:
            return
        listed = items(node, "artifacts")
        if [one["name"] for one in listed] != ["repo"]:
            self.blame("VA1", f"{node['path']} succeeded with the artifacts {listed}")
        for one in listed:
            spec = section(self._records.get(one["record"], {}), "spec")
            if (spec.get("type"), spec.get("digest")) != ("Artifact", one["digest"]):
                self.blame("VA1", f"{node['path']}: no record has the digest of {one}")
            elif (spec["runUid"], node_of(spec["path"])) != (maker, node["path"]):
                self.blame("VA1", f"{node['path']}: {one} is of {spec['path']} in another run")
            elif maker == uid and spec["attempt"] != node["attempt"]:
                self.blame("VA1", f"{node['path']}: {one} is of attempt {spec['attempt']}")

    def unnamed(self) -> list[str]:
        """The artifacts of runs that nobody deletes which are in no run."""
        return [
            name
            for name, body in self._records.items()
            if body["spec"]["type"] == "Artifact"
            and body["spec"]["runUid"] in self._alive
            and not any(name in json.dumps(run) for run in self.runs.values())
        ]

    @property
    def _alive(self) -> dict[str, Obj]:
        """The runs that nobody deletes, by uid."""
        return {u: r for u, r in self.runs.items() if "deletionTimestamp" not in r["metadata"]}

    def _removed(self, name: str) -> None:
        spec = section(self._records.pop(name, {}), "spec")
        nodes = [node for run in self._alive.values() for node in items(run, "status", "nodes")]
        if any(one["record"] == name for node in nodes for one in items(node, "artifacts")):
            self.blame("VA1", f"{name} was removed, and the status names it")
        maker = self._alive.get(spec.get("runUid", ""))
        if maker is not None and spec["type"] == "Artifact":
            self._swept(name, spec, maker)

    def _swept(self, name: str, spec: Obj, maker: Obj) -> None:
        """Its run is alive, so the operator has removed it."""
        if any(name in json.dumps(run) for run in self._alive.values()):
            self.blame("VA2", f"{name} was removed, and a run names it")
        for node in items(maker, "status", "nodes"):
            latest = (node.get("attempts") or [{}])[-1]
            open_ = latest.get("number") == spec["attempt"] and not latest.get("finishedAt")
            if node["path"] == node_of(spec["path"]) and open_:
                self.blame("VA2", f"{name} was removed, and its attempt has not ended")

    def _before(self, labels: Obj, path: str) -> list[Obj]:
        """What the iteration before has made: the record of the last attempt that it had."""
        name, _, number = path.partition("/")
        if number in ("", "0"):
            return []
        run = self.runs.get(labels.get(meta.LABEL_RUN, ""), {})
        node = next((one for one in items(run, "status", "nodes") if one["path"] == name), {})
        last = _iterated(node)[-1:]
        specs = [
            (body["metadata"]["name"], section(body, "spec")) for body in self._records.values()
        ]
        return [
            {"record": record, "digest": spec["digest"]}
            for record, spec in specs
            if spec.get("type") == "Artifact"
            and (spec["runUid"], spec["path"])
            == (labels[meta.LABEL_RUN], f"{name}/{int(number) - 1}")
            and spec["attempt"] in last
        ]

    def _asked(self, approval: Obj) -> None:
        """A question is about what the checkpoints of the producers name (S498)."""
        shown = items(approval, "spec", "attachments")
        found = [(one["record"], one["digest"]) for one in shown]
        made = [self.made(name) for name in self._shown]
        expected = [(one.get("record"), one.get("digest")) for one in made]
        if found != expected:
            self.blame("VA1", f"the question is about {found}, the producers made {expected}")
        self.questions.append([digest for _, digest in found])

    def _given(self, pod: Obj) -> None:
        """What the operator pinned is what the checkpoints of the producers name."""
        notes = section(pod, "metadata", "annotations")
        path = text(notes, meta.ANNOTATION_PATH)
        step = self._steps.get(node_of(path))
        if step is None:
            return
        pins = json.loads(notes.get(meta.ANNOTATION_ARTIFACTS, "{}")).get("in", [])
        found = [(pin["record"], pin["digest"]) for pin in pins]
        made = [self.made(name) for name in step.takes]
        made[:0] = self._before(section(pod, "metadata", "labels"), path)
        expected = [(one.get("record"), one.get("digest")) for one in made]
        self.reads += len(found)
        if found != expected:
            self.blame("VA1", f"{step.name} was given {found}, its producers made {expected}")


def _iterated(node: Obj) -> list[int]:
    """The attempts of the iterations that have ended; an entry is `7`, or `7/2` in round 2."""
    done = text(section(node, "loop"), "done").split()
    return [int(entry.partition("/")[0]) for entry in done]
