"""examples/reviewed-report with its own programs and real folders: a loop passes a folder on, and a
person approves exactly what is published."""

from pathlib import Path
from typing import Any

import yaml
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind
from waypost.protocol.artifacts.request import Content
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost_node.artifacts.pack import Packing
from waypost_node.artifacts.unpack import unpack

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support import artifact_store
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "reviewed-report" / "workflow.yaml"
RUN = "reviewed-report"
PODS = PodSettings(runner_image="runner:test", gateway_url="http://gateway")
MANIFEST: Any = yaml.safe_load(FILE.read_text(encoding="utf-8"))
NODES = {node["name"]: node for node in MANIFEST["spec"]["nodes"]}


class Store:
    """Runs the programs of the example in folders, and keeps what they make by its digest."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.kept: dict[str, bytes] = {}

    def program(self, pod: PodView) -> Outcome:
        """An attempt: it takes what the operator pinned, and stores what is in its folder."""
        node, root = NODES[pod.path.partition("/")[0]], self.folder / pod.uid
        for at, one in enumerate(pod.request["artifacts"]["in"]):
            self._taken(one, root / self._place(node, at))
        for one in node["artifacts"].get("out", ()):
            (root / one["path"].lstrip("/")).mkdir(parents=True)
        names: JsonObject = {}
        exec(node["python"]["source"].replace("/data/", f"{root}/data/"), names)
        output = names["run"](**pod.inputs)
        made = {one["name"]: self._made(root, one) for one in node["artifacts"].get("out", ())}
        for name, content in made.items():
            artifact_store.store(self.world, pod, content, name=name)
        me = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
        record = CommitRecord(me, "Succeeded", output, artifacts=made or None)
        return Outcome(message=encode(record).decode(), seconds=1.0)

    def _place(self, node: JsonObject, at: int) -> str:
        [entry] = node["artifacts"]["in"]
        listed = entry["from"].startswith("${[")
        path = entry["path"].lstrip("/")
        return f"{path}/{at}" if listed else path

    def _taken(self, one: JsonObject, folder: Path) -> None:
        folder.mkdir(parents=True)
        content = Content(one["digest"], one["bytes"], one["files"])
        unpack([self.kept[content.digest]], str(folder), expected=content)

    def _made(self, root: Path, one: JsonObject) -> Content:
        packing = Packing(str(root / one["path"].lstrip("/")), max_bytes=1_000_000)
        content = packing.measure()
        self.kept[content.digest] = b"".join(packing.compressed(content))
        return content


@virtual
async def test_s500_what_the_person_has_seen_is_published(tmp_path: Path) -> None:
    """S498, S499"""
    async with World() as world:
        store = Store(world, tmp_path)
        world.script = {name: [store.program] for name in ("write", "publish")}
        world.start(pods=PODS)
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=MANIFEST)
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "the question")
        [question] = world.all(Kind.APPROVAL)
        [shown] = question["spec"]["attachments"]
        assert question["spec"]["message"].endswith("01-Summary.md, 02-Findings.md, 03-Outlook.md?")
        assert len(store.kept) == 3, "each iteration has made another folder"
        await world.answer(decision="Approved", decidedBy="ann")
        status = await world.finished(RUN)
    assert status["outputs"] == {
        "published": ["Summary", "Findings", "Outlook"],
        "digest": shown["digest"],
    }


def test_it_has_no_problems() -> None:
    definition = define(MANIFEST["spec"])
    assert (definition.problems, definition.warnings) == ((), ())
