"""Characters where they cannot stand (K7): what ends in a header, an address, an argument, a key or
a program is refused before the run; what is only data keeps them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from waypost.cli.app import app

NUL = "a\0b"
PYTHON = {"source": "def run(**inputs):\n    return inputs\n"}
CONTAINER = {"image": "registry/image:1", "command": ["true"]}
HTTP = {"url": "http://example.com"}
AGENT = {"model": {"provider": "p", "name": "m"}, "prompt": "a"}


def header(value: str) -> Any:
    return {"http": {**HTTP, "headers": [{"name": "A", "value": value}]}}


REFUSED: dict[str, tuple[Any, str]] = {
    "program": ({"python": {"source": f"x = '{NUL}'"}}, "null bytes"),
    "image": ({"container": {**CONTAINER, "image": NUL}}, "is no name of an image"),
    "argument": ({"container": {**CONTAINER, "args": [NUL]}}, "contains a NUL character"),
    "variable": (
        {"python": {**PYTHON, "env": [{"name": "A", "value": NUL}]}},
        "contains a NUL character",
    ),
    "name-of-a-variable": (
        {"python": {**PYTHON, "env": [{"name": NUL, "value": "1"}]}},
        "env[0].name",
    ),
    "header": (header(NUL), "has characters that no header can hold"),
    "header-of-two-lines": (header("a\r\nB: c"), "has characters that no header can hold"),
    "address": ({"http": {"url": f"http://x/{NUL}"}}, "has a control character"),
    "address-of-two-lines": ({"http": {"url": "http://x/a\nb"}}, "has a control character"),
    "literal-of-an-expression": (
        {"python": PYTHON, "when": f"${{'{NUL}' == 'x'}}"},
        "holds a character that is not text",
    ),
}
KEPT: dict[str, Any] = {
    "input": {"python": PYTHON, "inputs": {"v": NUL}},
    "body": {"http": {**HTTP, "method": "POST", "body": NUL}},
    "prompt": {"agent": {**AGENT, "prompt": NUL}},
    "schema": {"python": PYTHON, "outputSchema": {"const": NUL}},
    "colours-of-a-terminal": {"container": {**CONTAINER, "args": ["\x1b[31mred"]}},
}


def linted(folder: Path, node: Any) -> str:
    head = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    spec = {"nodes": [{"name": "a", **node}]}
    file = folder / "x.json"
    file.write_text(json.dumps({**head, "metadata": {"name": "t"}, "spec": spec}))
    return CliRunner().invoke(app, ["lint", str(file)]).output


@pytest.mark.parametrize(("node", "says"), REFUSED.values(), ids=REFUSED)
def test_a_character_that_cannot_stand_there_is_refused(
    tmp_path: Path, node: Any, says: str
) -> None:
    assert says in linted(tmp_path, node)


@pytest.mark.parametrize("node", KEPT.values(), ids=KEPT)
def test_a_character_in_data_is_kept(tmp_path: Path, node: Any) -> None:
    assert linted(tmp_path, node).startswith("0 errors, 0 warnings in 1 object")


@pytest.mark.parametrize("key", [NUL, "a\nb", "\x7f"], ids=["nul", "line", "delete"])
def test_a_key_of_slots_is_one_printable_line(tmp_path: Path, key: str) -> None:
    head = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    spec = {
        "nodes": [{"name": "a", "python": PYTHON}],
        "concurrency": {"key": key, "limit": 1},
    }
    file = tmp_path / "x.json"
    file.write_text(json.dumps({**head, "metadata": {"name": "t"}, "spec": spec}))
    answer = CliRunner().invoke(app, ["lint", str(file)]).output
    assert "concurrency.key" in answer
    assert "cannot be printed" in answer
