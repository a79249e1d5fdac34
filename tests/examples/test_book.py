"""examples/book with its own programs and real folders: items make folders, and other nodes take
them all, or one each."""

from pathlib import Path
from typing import Any

import yaml
from waypost.compiler.definition import define
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.own_folders import PODS, Folders
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "book" / "workflow.yaml").read_text(encoding="utf-8"))


@virtual
async def test_s592_a_chapter_that_fails_leaves_a_gap(tmp_path: Path) -> None:
    async with World() as world:
        Folders(world, tmp_path, MANIFEST["spec"]["nodes"])
        world.start(pods=PODS)
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=MANIFEST)
        status = await world.finished("book")
    assert status["outputs"]["bound"] == [0, 2]
    assert status["outputs"]["correct"] == [True, False, True]
    assert status["outputs"]["book"]["files"] == 1


def test_it_has_no_problems() -> None:
    definition = define(MANIFEST["spec"])
    assert (definition.problems, definition.warnings) == ((), ())
