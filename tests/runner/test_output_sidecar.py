"""The program beside a foreign image: what stands in the shared file, and the record of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol import carrying, ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.record import LIMIT, CommitRecord, Stored, decode
from waypost_node import output_sidecar

from tests.runner.bench import ENDS_WITHIN, WHOSE, request_of
from tests.runner.servers import Reply, serving

BIG = {"pages": ["x" * 1000] * 300}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "token").write_text("pod-token")
    monkeypatch.setenv("WAYPOST_TOKEN", str(tmp_path / "token"))
    return tmp_path


def carried(
    folder: Path, content: bytes | None, *, secrets: str = "/none", **request: Any
) -> CommitRecord:
    """The record of what the image's program left in the shared file."""
    source, written = folder / "output", folder / "termination-log"
    if content is not None:
        source.write_bytes(content)
    asked = request_of(kind="container", **request)
    output_sidecar.carry(
        asked, WHOSE, source=str(source), record_file=str(written), secrets=secrets
    )
    assert len(written.read_bytes()) < LIMIT
    found = decode(written.read_text(), expect=WHOSE)
    assert isinstance(found, CommitRecord), found
    return found


@pytest.mark.parametrize(
    ("content", "output_schema", "output", "reason"),
    [
        pytest.param(b'{"n": 1}', None, {"n": 1}, "JSON", id="json"),
        pytest.param(None, None, None, "no file is null", id="no-file"),
        pytest.param(b" \n", None, None, "nothing is null", id="blank"),
        pytest.param("deployed ü\n".encode(), None, "deployed ü\n", "text is a string", id="text"),
        pytest.param(b"v1.2", {"type": "string"}, "v1.2", "if it may be one", id="text-by-schema"),
        pytest.param(b"42", {"type": "integer"}, 42, "JSON first", id="number"),
        pytest.param(b"9509425e4\n", {"type": "string"}, "9509425e4\n", "a commit id", id="commit"),
        pytest.param(b"true", {"type": "string"}, "true", "a word", id="word"),
        pytest.param(b"1" * 20, {"type": "string"}, "1" * 20, "an id", id="long-id"),
        pytest.param(b"\xef\xbb\xbf[1]", {"type": "array"}, [1], "no part of it", id="mark"),
        pytest.param(b'{"t": "a\\u0000b"}', None, {"t": "a\0b"}, "NUL is JSON", id="nul-in-json"),
        pytest.param(b"a\0b", None, "a\0b", "and text", id="nul-in-text"),
    ],
)
def test_small_outputs_ride_in_the_record(
    folder: Path, content: bytes | None, output_schema: Any, output: Any, reason: str
) -> None:
    record = carried(folder, content, output_schema=output_schema)
    assert (record.outcome, record.output) == ("Succeeded", output), (reason, record)


def test_big_outputs_go_to_the_gateway(folder: Path) -> None:
    with serving(Reply(503), Reply(201)) as server:
        record = carried(folder, json.dumps(BIG, indent=1).encode(), gateway=server.url)
    canonical = ijson.canonical(BIG)
    assert record.stored == Stored(ijson.digest(BIG), len(canonical))
    assert server.asked[-1].body == canonical, "in canonical form, whatever its own was"


@pytest.mark.parametrize(
    ("content", "output_schema", "expected", "fragment"),
    [
        pytest.param(
            b"<html>", {"type": "object"}, Reason.OUTPUT_INVALID, "found '<html>'", id="text"
        ),
        pytest.param(b"\xff\xfe", None, Reason.OUTPUT_INVALID, "not UTF-8 at byte 0", id="bytes"),
        pytest.param(
            b'{"a": 1, "a": 2}', None, Reason.OUTPUT_INVALID, 'the key "a" stands twice', id="twice"
        ),
        pytest.param(
            b'{"n": "1"}',
            {"properties": {"n": {"type": "integer"}}},
            Reason.OUTPUT_INVALID,
            "$.n: expected integer, found",
            id="schema",
        ),
        pytest.param(
            b"", {"type": "object"}, Reason.OUTPUT_INVALID, "expected object, found null", id="null"
        ),
        pytest.param(
            b'"' + b"x" * 5000 + b'"', None, Reason.OUTPUT_TOO_LARGE, "gateway.enabled", id="big"
        ),
    ],
)
def test_what_is_no_output_has_a_reason(
    folder: Path, content: bytes, output_schema: Any, expected: Reason, fragment: str
) -> None:
    record = carried(folder, content, output_schema=output_schema)
    assert (record.reason, fragment in (record.message or "")) == (expected, True), record


def test_a_file_without_end_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_sidecar, "LARGEST", 1000)
    record = carried(folder, b"1" * 1001)
    assert record.reason == Reason.OUTPUT_TOO_LARGE
    assert "more than 1000 bytes" in (record.message or "")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_a_plain_file_is_read(folder: Path, kind: str) -> None:
    source = folder / "output"
    if kind == "link":
        source.symlink_to(folder / "token")  # would give away what is only in our container
    elif kind == "pipe":
        os.mkfifo(source)  # would never end
    else:
        source.mkdir()
    record = carried(folder, None)
    assert record.reason == Reason.OUTPUT_INVALID
    assert "expected a regular file" in (record.message or "")


def _until_sigterm_is_caught(pid: int) -> None:
    """Wait until the shell has set its trap: a SIGTERM before that would end it."""
    status, deadline = Path(f"/proc/{pid}/status"), time.monotonic() + ENDS_WITHIN
    while time.monotonic() < deadline:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} has set no trap for SIGTERM")


def test_the_shell_waits_and_hands_over_on_sigterm(folder: Path) -> None:
    (folder / "request.json").write_text(json.dumps(request_of(kind="container").to_json()))
    environment = {
        **os.environ,
        "WAYPOST_REQUEST": str(folder / "request.json"),
        "WAYPOST_OUTPUT": str(folder / "output"),
        "WAYPOST_RECORD": str(folder / "termination-log"),
        "WAYPOST_POD_UID": WHOSE.pod_uid,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    process = subprocess.Popen(carrying.COMMAND, env=environment, start_new_session=True)
    _until_sigterm_is_caught(process.pid)  # the program is not over before that
    assert not (folder / "termination-log").exists()
    (folder / "output").write_text('"late"')
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(timeout=ENDS_WITHIN) == 0
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the shell's sleep, where nobody is PID 1
    found = decode((folder / "termination-log").read_text(), expect=WHOSE)
    assert isinstance(found, CommitRecord)
    assert found.output == "late"


def test_a_secret_of_the_program_in_an_output_that_is_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S750: the message names the place in the container of the program."""
    monkeypatch.setenv(f"{carrying.SECRET_VARIABLE}TOKEN", "hunter22")
    monkeypatch.setenv("TOKEN", "of-the-sidecar")
    keys = folder / "secrets" / "0"
    keys.mkdir(parents=True)
    (keys / "pin").write_text("471147\n")
    names = {"secret_env": ("TOKEN",), "secret_folders": ("/keys",)}
    said = {
        b'{"a": "is hunter22"}': "env TOKEN",
        b'"NDcxMTQ3"': "/keys/pin",
        b'"of-the-sidecar"': "",
    }
    for content, place in said.items():
        record = carried(folder, content, secrets=str(folder / "secrets"), **names)
        assert (record.reason == Reason.OUTPUT_INVALID) is bool(place), content
        assert place in (record.message or "")
    unasked = carried(folder, b'"hunter22"', secrets=str(folder / "secrets"))
    assert unasked.output == "hunter22", "nothing of it is remembered"
