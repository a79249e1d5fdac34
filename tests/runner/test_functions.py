"""Nodes that name a function, and the modules that their code imports."""

import os
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.request import PythonWork

from tests.runner.bench import Bench

TOOLS = dedent(
    """
    import functools

    def clean(text, mark="!"):
        return text.strip() + mark

    async def later(n):
        return n + 1

    def broken():
        raise LookupError("no such page")

    def only(text, /):
        return text

    def with_database(function):
        @functools.wraps(function)
        def wrapped(**inputs):
            return function("db", **inputs)
        return wrapped

    @with_database
    def stored(database, key):
        return [database, key]

    LIMIT = 3
    """
)


def run(bench: Bench, function: str, inputs: dict[str, Any] | None = None, **how: Any) -> Any:
    modules = how.pop("modules", {"texttools": TOOLS})
    work = PythonWork(function=function)
    return bench.run(python=work, modules=modules, inputs=inputs, **how)


@pytest.mark.parametrize(
    ("function", "inputs", "output", "reason"),
    [
        pytest.param("texttools:clean", {"text": " a "}, "a!", "defaults apply", id="default"),
        pytest.param("texttools:later", {"n": 1}, 2, "a coroutine is awaited", id="async"),
        pytest.param(
            "texttools:stored",
            {"key": "k"},
            ["db", "k"],
            "a wrapper may add arguments",
            id="wrapped",
        ),
        pytest.param("json:dumps", {"obj": [1]}, "[1]", "any importable module", id="library"),
        pytest.param("math:gcd", {}, 0, "built in C, without a signature", id="built-in"),
    ],
)
def test_a_function_is_called_by_name(
    bench: Bench, function: str, inputs: dict[str, Any], output: Any, reason: str
) -> None:
    ended = run(bench, function, inputs)
    assert (ended.code, ended.record.output) == (0, output), (reason, ended)


@pytest.mark.parametrize(
    ("function", "inputs", "expected", "fragment"),
    [
        pytest.param(
            "texttools:clean",
            {"text": "a", "sign": "?"},
            Reason.INPUT_INVALID,
            "clean has no parameter 'sign', which inputs contains",
            id="unexpected",
        ),
        pytest.param(
            "texttools:clean",
            {},
            Reason.INPUT_INVALID,
            "clean requires 'text', missing in inputs",
            id="missing",
        ),
        pytest.param(
            "texttools:only",
            {"text": "a"},
            Reason.INPUT_INVALID,
            "only has the positional-only parameter 'text'",
            id="by-position",
        ),
        pytest.param(
            "texttools:cleen",
            {},
            Reason.NODE_ERROR,
            "module 'texttools' has no function 'cleen'; it has broken, clean, later,",
            id="no-function",
        ),
        pytest.param(
            "texttools:LIMIT", {}, Reason.NODE_ERROR, "has no function 'LIMIT'", id="no-callable"
        ),
        pytest.param(
            "texttolls:clean",
            {},
            Reason.NODE_ERROR,
            "module 'texttolls' is neither in spec.modules nor in the image",
            id="no-module",
        ),
        pytest.param(
            "texttools.sub:clean",
            {},
            Reason.NODE_ERROR,
            "module 'texttools.sub' is neither in spec.modules nor in the image",
            id="no-package",
        ),
        pytest.param(
            "clean", {}, Reason.NODE_ERROR, "expected module:name, found 'clean'", id="no-colon"
        ),
    ],
)
def test_what_cannot_be_called_is_named(
    bench: Bench, function: str, inputs: dict[str, Any], expected: Reason, fragment: str
) -> None:
    record = run(bench, function, inputs).record
    assert (record.reason, fragment in (record.message or "")) == (expected, True), record


def test_the_tail_shows_the_lines_of_a_module(bench: Bench) -> None:
    record = run(bench, "texttools:broken").record
    assert record.message == "LookupError: no such page"
    tail = record.tail or ""
    assert 'File "texttools.py", line 11, in broken\n    raise LookupError' in tail
    assert "waypost_node" not in tail


def test_a_module_that_a_module_lacks_is_told_with_the_line(bench: Bench) -> None:
    record = run(bench, "mine:f", modules={"mine": "import nowhere\ndef f(): pass"}).record
    assert record.message == "ModuleNotFoundError: No module named 'nowhere'"
    assert 'File "mine.py", line 1' in (record.tail or "")


def test_sources_and_modules_import_each_other(bench: Bench) -> None:
    modules = {"texttools": TOOLS, "pages": "from texttools import clean\ntitle = clean(' x ')"}
    source = "import pages, texttools\ndef run(): return [pages.title, texttools.LIMIT]"
    assert bench.run(source, modules=modules).record.output == ["x!", 3]


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        pytest.param("json", "Python's standard library", id="standard-library"),
        pytest.param("waypost", "Waypost", id="ours"),
        pytest.param("node", "Waypost", id="the-node's-own"),
    ],
)
def test_a_module_whose_name_is_taken_is_refused(bench: Bench, name: str, owner: str) -> None:
    record = bench.run("def run(): return 1", modules={name: "x = 1"}).record
    assert record.reason == Reason.NODE_ERROR
    assert record.message == f"spec.modules.{name}: {owner} has a module of this name; rename it"


@pytest.fixture
def image(tmp_path: Path) -> dict[str, str]:
    """The environment of an image built FROM ours: a separate folder on PYTHONPATH."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "billing.py").write_text("def total(lines): return sum(lines)\nWHOSE = 'the image'")
    # No empty part: to Python that is the working folder.
    path = ":".join(filter(None, (os.environ.get("PYTHONPATH"), str(folder))))
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def test_modules_of_the_image_are_importable(bench: Bench, image: dict[str, str]) -> None:
    ended = run(bench, "billing:total", {"lines": [1, 2]}, environment=image)
    assert ended.record.output == 3


def test_modules_of_the_workflow_come_before_those_of_the_image(
    bench: Bench, image: dict[str, str]
) -> None:
    source = "import billing\ndef run(): return billing.WHOSE"
    ended = bench.run(source, modules={"billing": "WHOSE = 'the run'"}, environment=image)
    assert ended.record.output == "the run"


def test_nothing_in_the_working_folder_is_imported(
    bench: Bench, image: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / "planted.py").write_text("")
    monkeypatch.chdir(bench.folder)
    ended = bench.run("import planted\ndef run(): pass", environment=image)
    assert ended.record.message == "ModuleNotFoundError: No module named 'planted'"
