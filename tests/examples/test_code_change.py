"""examples/code-change with its own programs, git and real folders: a repository is cloned, edited
and tested, and what one node leaves is what the next one gets."""

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


def test_the_folders_are_those_of_the_programs() -> None:
    definition = define(SPEC)
    assert definition.problems == ()
    assert definition.warnings == ()
    for node in NODES.values():
        listed = [*node["artifacts"].get("in", ()), *node["artifacts"].get("out", ())]
        assert {one["path"] for one in listed} == {FOLDER}
