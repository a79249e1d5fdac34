"""Runs the `python` nodes of an example in real folders, packed and unpacked as the runner does."""

from pathlib import Path
from typing import Any

from waypost.api.base import JsonObject
from waypost.kube.manifests.pod import PodSettings
from waypost.protocol.artifacts.request import Content
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost_node.artifacts.pack import Packing
from waypost_node.artifacts.unpack import unpack

from tests.fakes.nodes.programs import Outcome, PodView
from tests.support import artifact_store
from tests.support.harness import World

PODS = PodSettings(runner_image="runner:test", gateway_url="http://gateway")


class Folders:
    """The programs of an example. `kept` has what they make, by its digest."""

    def __init__(self, world: World, folder: Path, nodes: list[Any]) -> None:
        self.world, self.folder = world, folder
        self.nodes = {node["name"]: node for node in nodes}
        self.kept: dict[str, bytes] = {}
        programs = (node["name"] for node in nodes if "python" in node)
        world.script = {name: [self.program] for name in programs}

    def program(self, pod: PodView) -> Outcome:
        """An attempt: it takes what the operator pinned, and stores what is in its folders."""
        node, root = self.nodes[pod.path.partition("/")[0]], self.folder / pod.uid
        made = {one["name"]: one["path"] for one in node["artifacts"].get("out", ())}
        taken = [one["path"] for one in node["artifacts"].get("in", ())]
        for path in (*made.values(), *taken):
            (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        volumes = list(dict.fromkeys((*taken, *made.values())))
        for one in pod.request["artifacts"]["in"]:
            path = volumes[int(one["volume"].removeprefix("artifact-"))]
            self._unpack(one, root / path.lstrip("/") / one["folder"])
        names: JsonObject = {}
        exec(node["python"]["source"].replace("/data/", f"{root}/data/"), names)
        try:
            output = names["run"](**pod.inputs)
        except ValueError as error:
            return pod.fails(f"ValueError: {error}")
        stored = {name: self._pack(root / path.lstrip("/")) for name, path in made.items()}
        for name, content in stored.items():
            artifact_store.store(self.world, pod, content, name=name)
        me = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
        record = CommitRecord(me, "Succeeded", output, artifacts=stored or None)
        return Outcome(message=encode(record).decode(), seconds=1.0)

    def _unpack(self, one: JsonObject, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        content = Content(one["digest"], one["bytes"], one["files"])
        unpack([self.kept[content.digest]], str(folder), expected=content)

    def _pack(self, folder: Path) -> Content:
        packing = Packing(str(folder), max_bytes=1_000_000)
        content = packing.measure()
        self.kept[content.digest] = b"".join(packing.compressed(content))
        return content
