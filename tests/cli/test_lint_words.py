"""What a new user writes, with the words and habits of other systems: each answer names the field,
what was found, what is expected and what to write."""

from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner
from waypost.cli.app import app

from tests.support.documents import document

HEAD: Final = """\
apiVersion: waypost.dev/v1alpha1
kind: AgentWorkflow
metadata: {name: t}
"""
NODE: Final = """\
spec:
  nodes:
  - name: a
    python: {source: "def run(): return 1"}
"""
CASES: Final = document((Path(__file__).parent / "lint_words.yaml").read_text())


def linted(tmp_path: Path, text: str) -> str:
    """The answer to a file."""
    file = tmp_path / "x.yaml"
    file.write_bytes(text.encode())
    result = CliRunner().invoke(app, ["lint", str(file)])
    return f"{result.output} {result.exception}"


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_an_answer_says_what_was_found_and_what_to_write(
    tmp_path: Path, case: dict[str, Any]
) -> None:
    text = case["text"].replace("HEAD\n", HEAD).replace("NODE\n", NODE)
    answer = " ".join(linted(tmp_path, text).split())
    assert [word for word in case["says"] if word not in answer] == [], f"{case['why']}: {answer}"
    assert "pydantic" not in answer
    assert "Extra inputs" not in answer


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + HEAD + NODE, id="byte-order-mark"),
        pytest.param((HEAD + NODE).replace("\n", "\r\n"), id="line-ends-of-windows"),
        pytest.param(
            "{kind: AgentWorkflow, apiVersion: waypost.dev/v1alpha1, metadata: {name: t},"
            "spec: {nodes: [{name: a, wait: {duration: 1s}},]}}",
            id="a-last-comma",
        ),
    ],
)
def test_what_kubectl_takes_is_clean(tmp_path: Path, text: str) -> None:
    assert linted(tmp_path, text).startswith("0 errors, 0 warnings in 1 object")
