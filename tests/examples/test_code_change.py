"""examples/code-change with its own programs, git and real folders: a repository is cloned, edited,
tested and pushed, and what one node leaves is what the next one gets."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_ai.toolsets import FunctionToolset
from waypost.compiler.definition import define
from waypost_node.artifacts.pack import Packing
from waypost_node.artifacts.unpack import unpack

from tests.dev.serving import serving
from tests.examples.conftest import EXAMPLES
from tests.examples.test_agents import Play as Conversation
from tests.examples.test_agents import script

FOLDER = "/data/repo"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
TEXT = (EXAMPLES / "code-change" / "workflow.yaml").read_text(encoding="utf-8")
SPEC: Any = yaml.safe_load(TEXT)["spec"]
NODES: dict[str, Any] = {node["name"]: node for node in SPEC["nodes"]}
APP = "def greet(name):\n    return 'hello ' + name\n"
TEST = (
    "import unittest, app\n\n\nclass Test(unittest.TestCase):\n    def test(self):\n"
    "        self.assertEqual(app.greet('x'), 'hello x')\n"
)


def _git(*arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def _repository(folder: Path) -> Path:
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "test_app.py").write_text(TEST)

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    return folder


def _handed_on(source: Path, target: Path) -> str:
    """What one node leaves in its folder is unpacked for the next one; its digest."""
    packing = Packing(str(source), max_bytes=500_000_000)
    content = packing.measure()
    target.mkdir()
    unpack(packing.compressed(content), str(target), expected=content)
    assert Packing(str(target), max_bytes=500_000_000).measure() == content
    return content.digest


def _tested(folder: Path) -> Any:
    """What the program of `test` finds in its folder."""
    names: dict[str, Any] = {}
    exec(NODES["test"]["python"]["source"].replace(FOLDER, str(folder)), names)
    return names["run"]()


def _tools(folder: Path) -> dict[str, Any]:
    """The tools of the agent, whose folder is here."""
    names: dict[str, Any] = {}
    exec(SPEC["modules"]["files"].replace(FOLDER, str(folder)), names)
    return {name: names[name] for name in NODES["edit"]["agent"]["tools"][0]["functions"]}


def _cloned(server: Path, folder: Path) -> Path:
    """As from a server: a plain path would be cloned with hard links."""
    command = NODES["clone"]["container"]["command"]
    subprocess.run([*command, f"file://{server}", str(folder)], check=True)
    return folder


async def _edited(cloned: Path, folder: Path) -> Any:
    """What the agent says after it has changed its copy of a folder."""
    _handed_on(cloned, folder)
    async with serving(script("code-change")) as server:
        tools = FunctionToolset(list(_tools(folder).values()))
        answer, _ = await Conversation("code-change", server).agent(
            "edit", tools, task=SPEC["inputs"]["task"]
        )
    return answer


@needs_git
async def test_it_clones_edits_and_tests(tmp_path: Path) -> None:
    cloned = _cloned(_repository(tmp_path / "server"), tmp_path / "cloned")
    answer = await _edited(cloned, tmp_path / "edited")
    assert answer["changed"] == ["app.py", "test_app.py"]
    digest = _handed_on(tmp_path / "edited", tmp_path / "tested")
    assert _tested(tmp_path / "tested")["passed"]
    assert Packing(str(tmp_path / "tested"), max_bytes=500_000_000).measure().digest == digest


@needs_git
def test_a_change_that_breaks_the_tests_is_noticed(tmp_path: Path) -> None:
    cloned = _cloned(_repository(tmp_path / "server"), tmp_path / "cloned")
    assert _tools(cloned)["replace"]("app.py", "'hello '", "'bye '") == 1
    found = _tested(cloned)
    assert not found["passed"]
    assert "bye x" in found["report"]


@pytest.mark.parametrize("path", ["../other.py", "/etc/passwd", ".git/config"])
def test_the_tools_see_no_other_file(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="is not a file of the repository"):
        _tools(tmp_path)["replace"](path, "a", "b")


@needs_git
async def test_it_pushes_the_same_commit_twice(tmp_path: Path) -> None:
    """A push whose pod was lost is tried again: the second attempt finds nothing to do."""
    server = tmp_path / "server.git"
    source = _repository(tmp_path / "source")
    _git("clone", "--quiet", "--bare", str(source), str(server))
    await _edited(_cloned(server, tmp_path / "cloned"), tmp_path / "edited")
    commits = {_pushed(tmp_path / "edited", tmp_path / f"pushed{n}", server) for n in (1, 2)}
    assert len(commits) == 1
    assert "def welcome(name)" in _git("-C", str(server), "show", "rename:app.py")


def _pushed(edited: Path, folder: Path, server: Path) -> str:
    """The commit on the server after the program of `push` has run in its copy of the folder."""
    _handed_on(edited, folder)
    block = NODES["push"]["container"]
    given = {"${inputs.branch}": "rename", "${run.createdAt}": "2026-11-29T12:00:00Z"}
    values = {one["name"]: given.get(one["value"], one["value"]) for one in block["env"]}
    script = block["args"][0].replace(FOLDER, str(folder))
    subprocess.run([*block["command"], script], check=True, env={**os.environ, **values})
    return _git("-C", str(server), "rev-parse", "rename")


def test_the_folders_are_those_of_the_programs() -> None:
    definition = define(SPEC)
    assert definition.problems == ()
    assert definition.warnings == ()
    for node in (one for one in NODES.values() if "artifacts" in one):
        listed = [*node["artifacts"].get("in", ()), *node["artifacts"].get("out", ())]
        assert {one["path"] for one in listed} == {FOLDER}
