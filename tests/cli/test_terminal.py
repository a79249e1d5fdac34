"""S377: no foreign text reaches a terminal with characters that it would obey or hide."""

import io
import sys
from typing import Any

import pytest
from rich.table import Table
from rich.text import Text
from rich.tree import Tree
from waypost.api.meta import LABEL_ATTEMPT
from waypost.cli.app import main
from waypost.cli.report import render
from waypost.cli.report.format import tame
from waypost.protocol.text import UNSAFE, printable

from tests.cli.conftest import Api
from tests.cli.runs import NAMESPACE, run, serve

HOSTILE = {
    "escape": "\x1b[2J",
    "title": "\x1b]0;owned\x07",
    "csi-of-one-byte": "\x9b2J",
    "backspace": "denied\b\b\b\b\b\bapproved",
    "carriage-return": "denied\rapproved",
    "delete": "\x7f",
    "turned": "\u202egnp.exe",
    "isolated": "\u2066x\u2069",
    "left-to-right": "\u200ex",
    "right-to-left": "\u200fx",
    "arabic-letter-mark": "\u061cx",
    "line-separator": "a\u2028b\u2029c",
    "tags": "hi\U000e0041\U000e007f",
    "surrogate": "\ud800",
}
EACH = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


class Terminal(io.StringIO):
    """A terminal that keeps what it is given."""

    def isatty(self) -> bool:
        return True


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output of this test. No fixture: pytest sets its own before a test is called."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "1000")
    return shown


@EACH
def test_s377_printable(text: str) -> None:
    assert UNSAFE.search(text)
    assert not UNSAFE.search(printable(text))
    assert not UNSAFE.search(tame(text))


# Code points that a terminal obeys or hides: C0 and C1, marks of direction and their isolates, line
# and paragraph separators, tags, and surrogates, which are no characters. Tab and line break stay.
RANGES = (
    *((0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0x061C, 0x061C), (0x200E, 0x200F)),
    *((0x2028, 0x202E), (0x2066, 0x2069), (0xD800, 0xDFFF), (0xE0000, 0xE007F)),
)


def test_s377_these_code_points_and_no_others() -> None:
    replaced = {at for at in range(sys.maxunicode + 1) if UNSAFE.fullmatch(chr(at))}
    assert replaced == {at for first, last in RANGES for at in range(first, last + 1)}


@pytest.mark.parametrize("text", ["a\tb\n", "Grüße", "日本語", "עברית", "👩‍💻", "naïve\u00a0x"])
def test_s377_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text


@EACH
def test_s377_reports(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    terminal = terminal_of(monkeypatch)
    out = render.console()
    table = Table()
    table.add_column(Text(text))
    table.add_row(Text(text))
    tree = Tree(Text(text))
    tree.add(Text(text))
    for what in (Text(text), table, tree):
        render.show(out, what)
    monkeypatch.undo()
    assert len(terminal.getvalue()) > 10
    assert not UNSAFE.search(terminal.getvalue())


LOG = "\x1b[31mred\x1b[0m\n"


@pytest.fixture
def logged(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node with this log."""
    serve(api, run())
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    api.items(pods, {"metadata": {"name": "p-1", "labels": {LABEL_ATTEMPT: "1"}}})
    monkeypatch.setattr("waypost.adapters.kube.KubeCluster.read_log", _log)


def test_s377_logs_on_a_terminal(logged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    assert main(["logs", "notes", "draft"]) == 0
    assert terminal.getvalue() == "\ufffd[31mred\ufffd[0m\n"


def test_s377_raw_logs(logged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    assert main(["logs", "notes", "draft", "--raw"]) == 0
    assert terminal.getvalue() == LOG


def test_s377_logs_in_a_pipe(logged: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "notes", "draft"]) == 0
    assert capsys.readouterr().out == LOG


async def _log(*_: Any, **__: Any) -> bytes:
    return LOG.encode()


@pytest.mark.parametrize("form", ["wide", "json", "yaml", "jsonpath={.nodes[0].message}"])
def test_s377_what_a_run_says(api: Api, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    terminal = terminal_of(monkeypatch)
    found = run()
    for node in found["status"]["nodes"]:
        node["phase"] = "Failed"
        node["message"] = "".join(HOSTILE.values()).replace("\ud800", "")
    found["status"]["message"] = found["status"]["nodes"][0]["message"]
    serve(api, found)
    main(["get", "notes", "-o", form])
    assert "denied" in terminal.getvalue()
    assert not UNSAFE.search(terminal.getvalue())
