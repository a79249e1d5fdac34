"""Outputs that a run remembers have no value of a secret of the pod (S750)."""

from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.record import CommitRecord, decode
from waypost.protocol.request import PythonWork
from waypost_node import execute

from tests.runner.bench import WHOSE, request_of

SECRET = 'hunter2/"long"'


def ran(output: Any, **places: Any) -> CommitRecord:
    """The record of a python node that returns this."""
    code = PythonWork(source=f"def run():\n    return {output!r}\n")
    asked = request_of(kind="python", python=code, **places)
    verdict = execute.perform(asked, WHOSE, deadline=None, work_is_over=lambda: None)
    found = decode(verdict.record.decode(), expect=WHOSE)
    assert isinstance(found, CommitRecord), found
    return found


@pytest.mark.parametrize(
    "output",
    [
        {"facts": [{"text": f"the password is {SECRET}"}]},
        {SECRET: 1},
        {"text": "aHVudGVyMi8ibG9uZyI="},
    ],
    ids=["in-a-text", "as-a-key", "in-base64"],
)
def test_a_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch, output: Any) -> None:
    monkeypatch.setenv("TOKEN", f"{SECRET}\n")
    found = ran(output, secret_env=("TOKEN",))
    assert (found.outcome, found.reason) == ("Failed", Reason.OUTPUT_INVALID)
    assert found.message == (
        "the output contains the value of a Secret (env TOKEN), and this run remembers what the "
        "node returns; leave the value out of the output"
    )
    assert found.output is None


@pytest.mark.parametrize("whole", [True, False], ids=["folder", "subPath"])
def test_a_secret_in_a_file(tmp_path: Path, whole: bool) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "password").write_text(SECRET)
    place = tmp_path if whole else tmp_path / "password"
    found = ran({"text": f"[{SECRET}]"}, secret_folders=(str(place),))
    assert found.reason == Reason.OUTPUT_INVALID
    assert f"({tmp_path}/password)" in (found.message or "")


def test_what_is_no_secret_is_returned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    monkeypatch.setenv("SHORT", "7")
    places: dict[str, Any] = {"secret_env": ("TOKEN", "SHORT", "ABSENT")}
    places["secret_folders"] = (str(tmp_path / "none"),)
    assert ran({"text": "7 letters"}, **places).outcome == "Succeeded"
    assert ran({"text": SECRET}).outcome == "Succeeded", "its output is not remembered"
