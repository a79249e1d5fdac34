"""examples/reviewed-report with its own programs and real folders: a loop passes a folder on, and a
person approves exactly what is published."""

from pathlib import Path
from typing import Any

import yaml
from waypost.compiler.definition import define
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.own_folders import PODS, Folders
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "reviewed-report" / "workflow.yaml"
RUN = "reviewed-report"
MANIFEST: Any = yaml.safe_load(FILE.read_text(encoding="utf-8"))


@virtual
async def test_s500_what_the_person_has_seen_is_published(tmp_path: Path) -> None:
    """S498, S499"""
    async with World() as world:
        folders = Folders(world, tmp_path, MANIFEST["spec"]["nodes"])
        world.start(pods=PODS)
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=MANIFEST)
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "the question")
        [question] = world.all(Kind.APPROVAL)
        [shown] = question["spec"]["attachments"]
        assert question["spec"]["message"].endswith("01-Summary.md, 02-Findings.md, 03-Outlook.md?")
        assert len(folders.kept) == 3, "each iteration has made another folder"
        await world.answer(decision="Approved", decidedBy="ann")
        status = await world.finished(RUN)
    assert status["outputs"] == {
        "published": ["Summary", "Findings", "Outlook"],
        "digest": shown["digest"],
    }


def test_it_has_no_problems() -> None:
    definition = define(MANIFEST["spec"])
    assert (definition.problems, definition.warnings) == ((), ())
