"""`waypost dev model-server` as a process."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

SCRIPT = "scripts:\n  hi:\n    turns: [{say: hello}]\n"
BODY = {"model": "scripted/hi", "messages": [{"role": "user", "content": "go"}]}


def test_it_says_what_it_is_and_stops_when_told(tmp_path: Path) -> None:
    script, log = tmp_path / "script.yaml", tmp_path / "log"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "waypost", "dev", "model-server", "--port=0"]
    with subprocess.Popen(
        [*command, f"--script={script}", f"--log={log}"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        banner = "".join(process.stdout.readline() for _ in range(6))
        assert "no model is used" in banner
        found = re.search(r"OpenAI +(\S+)", banner)
        assert found is not None
        got = httpx2.post(f"{found[1]}/chat/completions", json=BODY)
        assert got.json()["choices"][0]["message"]["content"] == "hello"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=100)
    assert log.read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        pytest.param(None, "No such file", id="no-file"),
        pytest.param("scripts: {hi: {turns: [{shout: hi}]}}", "turns[0].shout", id="wrong"),
    ],
)
def test_wrong_scripts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, reported: str
) -> None:
    path = tmp_path / "script.yaml"
    if text is not None:
        path.write_text(text)
    assert main(["dev", "model-server", f"--script={path}"]) == Exit.USAGE
    assert reported in capsys.readouterr().err


def test_a_name_stands_in_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path in paths:
        path.write_text(SCRIPT)
    options = [f"--script={path}" for path in paths]
    assert main(["dev", "model-server", *options]) == Exit.USAGE
    assert "'hi' is also in another file" in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    options = [f"--script={path}", "--host=192.0.2.1", "--port=1"]
    assert main(["dev", "model-server", *options]) == Exit.FAILED
    assert "192.0.2.1:1" in capsys.readouterr().err
