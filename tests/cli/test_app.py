"""The program: its commands, exit codes, and what a command costs to import."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from waypost import __version__
from waypost.cli.app import COMMANDS, main
from waypost.cli.errors import Exit

LARGE = {"kopf", "aiohttp", "kubernetes", "waypost.main", "opentelemetry.sdk", "starlette", "rich"}


def modules_after(*argv: str) -> set[str]:
    """The modules that are imported after the command has run, in a separate interpreter."""
    call = f"from waypost.cli.app import main; main({list(argv)!r})"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {call}; print(*sys.modules)"],
        env={"WAYPOST_WORKERS": "0", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("command", ["operator", "run"])
def test_bad_settings_exit_with_2(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAYPOST_RUNNER_IMAGE", "runner:1")
    monkeypatch.setenv("WAYPOST_WORKERS", "0")
    monkeypatch.setenv("WAYPOST_HTTP_PORT", "99999")
    assert main([command]) == Exit.USAGE
    printed = capsys.readouterr().err
    assert printed.count("\n") == (2 if command == "run" else 1), "the old name is deprecated"
    assert "WAYPOST_WORKERS" in printed
    assert "WAYPOST_HTTP_PORT" in printed


@pytest.mark.parametrize("argv", [["operator"], ["--help"], ["version"]], ids=" ".join)
def test_nothing_large_is_imported_before_it_is_needed(argv: list[str]) -> None:
    assert not modules_after(*argv) & LARGE


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_version_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        pytest.param("lst", "Did you mean list", id="near"),
        pytest.param("xyzzy", "See `waypost --help`.", id="like-none"),
    ],
)
def test_a_command_that_there_is_not(
    typed: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typed]) == Exit.USAGE
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["fly"]], ids=["nothing", "unknown"])
def test_other_commands(argv: list[str]) -> None:
    assert main(argv) == Exit.USAGE


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    reported = capsys.readouterr().out
    assert f"Usage: waypost {command}" in reported
    assert main(["--help"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if f"  {command} " in line)
    assert re.search(r"[^.]\.$", line.rstrip()), "a whole sentence, not cut"


def test_run_without_a_file_is_no_operator_on_a_laptop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WAYPOST_RUNNER_IMAGE", raising=False)
    assert main(["run"]) == Exit.USAGE
    assert "expected a FILE" in capsys.readouterr().err


def test_an_old_name_still_works(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--help"]) == 0
    assert "List runs" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "  runs " not in capsys.readouterr().out


def test_the_documented_exit_codes_are_those_of_the_commands() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/cli.md").read_text(encoding="utf-8")
    table = text.partition("## Exit codes")[2].partition("\n## ")[0]
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    assert codes == [*Exit]
