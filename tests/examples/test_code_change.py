"""examples/code-change with its own programs, git and real folders: a repository is cloned, edited,
tested and pushed, and what one node leaves is what the next one gets."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.compiler.definition import define
from waypost_node.artifacts.pack import Packing
from waypost_node.artifacts.unpack import unpack

from tests.examples.conftest import EXAMPLES

FOLDER = "/data/repo"
TEXT = (EXAMPLES / "code-change" / "workflow.yaml").read_text(encoding="utf-8")
SPEC: Any = yaml.safe_load(TEXT)["spec"]
NODES: dict[str, Any] = {node["name"]: node for node in SPEC["nodes"]}
APP = "def greet(name):\n    return 'hello ' + name\n"
TEST = (
    "import unittest, app\n\n\nclass Test(unittest.TestCase):\n    def test(self):\n"
    "        self.assertEqual(app.greet('x'), 'hello x')\n"
)


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


def _called(node: str, folder: Path, **inputs: Any) -> Any:
    """The program of a python node, whose folder is here."""
    names: dict[str, Any] = {}
    exec(NODES[node]["python"]["source"].replace(FOLDER, str(folder)), names)
    return names["run"](**inputs)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize(
    ("old", "new", "changed", "passed"),
    [
        pytest.param("greet(", "welcome(", ["app.py", "test_app.py"], True, id="renamed"),
        pytest.param("'hello '", "'bye '", ["app.py"], False, id="broken"),
        pytest.param("absent", "x", [], True, id="nothing-to-change"),
    ],
)
def test_it_clones_edits_and_tests(
    tmp_path: Path, old: str, new: str, changed: list[str], passed: bool
) -> None:
    repository = _repository(tmp_path / "server")
    command = NODES["clone"]["container"]["command"]
    # As from a server: a plain path would be cloned with hard links.
    cloned = [*command, f"file://{repository}", str(tmp_path / "cloned")]
    subprocess.run(cloned, check=True)
    first = _handed_on(tmp_path / "cloned", tmp_path / "edited")
    assert _called("edit", tmp_path / "edited", old=old, new=new) == {"changed": changed}
    second = _handed_on(tmp_path / "edited", tmp_path / "tested")
    assert (first == second) is (changed == [])
    assert _called("test", tmp_path / "tested")["passed"] is passed
    assert Packing(str(tmp_path / "tested"), max_bytes=500_000_000).measure().digest == second


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_it_pushes_the_same_commit_twice(tmp_path: Path) -> None:
    """A push whose pod was lost is tried again: the second attempt finds nothing to do."""
    server = tmp_path / "server.git"
    source = _repository(tmp_path / "source")
    subprocess.run(["git", "clone", "--quiet", "--bare", source, server], check=True)
    command = NODES["clone"]["container"]["command"]
    subprocess.run([*command, f"file://{server}", str(tmp_path / "cloned")], check=True)
    _handed_on(tmp_path / "cloned", tmp_path / "edited")
    _called("edit", tmp_path / "edited", old="greet(", new="welcome(")
    commits = {_pushed(tmp_path / "edited", tmp_path / f"pushed{n}", server) for n in (1, 2)}
    assert len(commits) == 1
    shown = ["git", "-C", str(server), "show", "rename:app.py"]
    assert b"def welcome(name)" in subprocess.run(shown, check=True, capture_output=True).stdout


def _pushed(edited: Path, folder: Path, server: Path) -> bytes:
    """The commit on the server after the program of `push` has run in its copy of the folder."""
    _handed_on(edited, folder)
    block = NODES["push"]["container"]
    given = {"${inputs.branch}": "rename", "${run.createdAt}": "2026-11-29T12:00:00Z"}
    values = {one["name"]: given.get(one["value"], one["value"]) for one in block["env"]}
    script = block["args"][0].replace(FOLDER, str(folder))
    subprocess.run([*block["command"], script], check=True, env={**os.environ, **values})
    found = ["git", "-C", str(server), "rev-parse", "rename"]
    return subprocess.run(found, check=True, capture_output=True).stdout


def test_the_folders_are_those_of_the_programs() -> None:
    definition = define(SPEC)
    assert definition.problems == ()
    assert definition.warnings == ()
    for node in (one for one in NODES.values() if "artifacts" in one):
        listed = [*node["artifacts"].get("in", ()), *node["artifacts"].get("out", ())]
        assert {one["path"] for one in listed} == {FOLDER}
