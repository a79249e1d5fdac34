"""The release-notes example on made-up histories: its input maker and the code of its nodes."""

import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from waypost.compiler.definition import define
from waypost.protocol import ijson, schema

from tests.examples.conftest import EXAMPLES

FOLDER = EXAMPLES / "release-notes"
TEMPLATE = (FOLDER / "workflow.yaml").read_text(encoding="utf-8")
RECORD_LIMIT = 4096 - 400  # what a commit record leaves for the output
STATUS_LIMIT = 2048

Commits = list[dict[str, str]]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_input = load(FOLDER / "make_input.py")


def commits(*subjects: str) -> Commits:
    return [{"sha": f"{number:07x}", "subject": text} for number, text in enumerate(subjects)]


class Notes:
    """The python nodes of the workflow run one after the other, schemas checked on both sides."""

    def __init__(self, history: Commits) -> None:
        inputs = {"repository": "sample", "version": "v1", "commits": history}
        self.spec = {**yaml.safe_load(TEMPLATE)["spec"], "inputs": inputs}
        definition = define(self.spec)
        assert definition.problems == ()
        self.inputs = definition.inputs
        self.outputs: dict[str, Any] = {}
        rules = self.inputs["rules"]
        self._run("collect", commits=history)
        shared = {"commits": history, "keep": self.outputs["collect"]["keep"]}
        self._run("features", words=rules["features"], **shared)
        self._run("fixes", words=rules["fixes"], **shared)
        self._run("others", words=rules["features"] + rules["fixes"], **shared)
        sections = {name: self.outputs[name] for name in ("features", "fixes", "others")}
        # What the scripted model makes of it: test_agents.py shows that it does.
        notes = {"intro": "What is new.", **{n: s["items"] for n, s in sections.items()}}
        assert schema.validate(self._node("draft")["outputSchema"], notes) == ()
        counts = {name: section["count"] for name, section in sections.items()}
        dropped = self.outputs["collect"]["dropped"]
        self._run("typeset", title="sample v1", notes=notes, counts=counts, dropped=dropped)

    def _node(self, name: str) -> dict[str, Any]:
        return next(node for node in self.spec["nodes"] if node["name"] == name)

    def _run(self, name: str, **inputs: Any) -> None:
        node = self._node(name)
        assert schema.validate(node["inputSchema"], inputs) == ()
        namespace: dict[str, Any] = {}
        exec(node["python"]["source"], namespace)
        run: Callable[..., Any] = namespace["run"]
        assert set(inspect.signature(run).parameters) == set(node["inputs"])
        output = run(**inputs)
        assert schema.validate(node["outputSchema"], output) == ()
        assert len(ijson.canonical(output)) < min(RECORD_LIMIT, STATUS_LIMIT), name
        self.outputs[name] = output


def test_each_commit_is_in_exactly_one_section() -> None:
    notes = Notes(
        commits("Add x", "fix(api): y", "Docs", "FEAT: z", "Merge branch 'a'", "add x", "", "Adder")
    )
    counts = {name: notes.outputs[name]["count"] for name in ("features", "fixes", "others")}
    assert counts == {"features": 2, "fixes": 1, "others": 2}
    assert notes.outputs["collect"] == {"keep": [0, 1, 2, 3, 7], "dropped": 3}
    assert notes.outputs["typeset"]["commits"] == 5


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("Add " + "x" * 96, id="long"),
        pytest.param("Ä" * 100, id="two-byte"),
        pytest.param('Add "' + '\\"' * 40, id="escaped"),
        pytest.param("Fix ${inputs.x} $(SECRET) {{x}}", id="looks-like-code"),
    ],
)
def test_full_history_stays_small_enough(subject: str) -> None:
    history = commits(*(f"{subject[:95]} {number:03}" for number in range(200)))
    text = Notes(history).outputs["typeset"]["text"]
    assert "${inputs.x}" in text or "${" not in subject


def test_empty_history_gives_notes() -> None:
    assert Notes([]).outputs["typeset"] == {"text": "# sample v1\n\nWhat is new.", "commits": 0}


def test_block_of_inputs_is_replaced_and_nothing_else() -> None:
    history = [{"sha": "abcdef0", "subject": 'quote " backslash \\1 colon: # hash ${x} é 🙂'}]
    inputs = {"repository": "r", "version": "v", "commits": history}
    filled = yaml.safe_load(make_input.fill(TEMPLATE, inputs=inputs, name="rn-1"))
    expected = yaml.safe_load(TEMPLATE)
    expected["metadata"]["name"] = "rn-1"
    expected["spec"]["inputs"] = inputs
    assert filled == expected


def test_history_of_a_repository_is_read(tmp_path: Path) -> None:
    repository = tmp_path / "shop"
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    for subject in ("First", "Second\twith a tab", "Third " + "x" * 200):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", subject], check=True)
    inputs = make_input.read_history(repository, version="v2")
    assert (inputs["repository"], inputs["version"]) == ("shop", "v2")
    subjects = [commit["subject"] for commit in inputs["commits"]]
    assert subjects == [("Third " + "x" * 200)[:100], "Second with a tab", "First"]
    assert len(make_input.read_history(repository, limit=2)["commits"]) == 2
    spec = yaml.safe_load(make_input.fill(TEMPLATE, inputs=inputs))["spec"]
    assert define(spec).problems == ()


def test_folder_without_history_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_input.main([str(tmp_path)]) == 1
    assert "not a git repository" in capsys.readouterr().err


def test_script_needs_nothing_but_python() -> None:
    command = [sys.executable, "-I", "-S", str(FOLDER / "make_input.py"), "--help"]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
