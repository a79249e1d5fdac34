"""The runner as its pod runs it: a process with a request file and a termination file.

Each row is one way a node's program can end; the record it leaves is what the operator will act
on, so it is read back with the operator's own decoder.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.record import LIMIT, Attempt, CommitRecord, RecordProblem, decode
from waypost.protocol.request import Request

WHOSE = Attempt(run_uid="run-uid", path="draft", round=1, attempt=2, pod_uid="pod-uid")


@dataclass(frozen=True)
class Ended:
    """What a runner left behind."""

    code: int
    message: str
    stdout: str
    stderr: str

    @property
    def record(self) -> CommitRecord:
        found = decode(self.message, expect=WHOSE)
        assert isinstance(found, CommitRecord), found
        return found


@dataclass(frozen=True)
class Bench:
    """A folder with the two files a pod has."""

    folder: Path

    def start(
        self,
        source: str,
        *,
        inputs: dict[str, Any] | None = None,
        output_schema: Any = None,
        timeout: float | None = None,
    ) -> "subprocess.Popen[str]":
        request = Request(
            run_name="run",
            namespace="default",
            run_uid=WHOSE.run_uid,
            path=WHOSE.path,
            kind="python",
            round=WHOSE.round,
            attempt=WHOSE.attempt,
            fingerprint="f",
            idempotency_key="key",
            timeout_seconds=timeout,
            traceparent=None,
            inputs=inputs or {},
            input_schema=None,
            output_schema=output_schema,
            python_source=dedent(source),
        )
        (self.folder / "request.json").write_text(json.dumps(request.to_json()))
        environment = {
            **os.environ,
            "WAYPOST_REQUEST": str(self.folder / "request.json"),
            "WAYPOST_OUTPUT": str(self.folder / "termination-log"),
            "WAYPOST_POD_UID": WHOSE.pod_uid,
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "waypost_node"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> Ended:
        stdout, stderr = process.communicate(timeout=30)
        output = self.folder / "termination-log"
        message = output.read_text() if output.exists() else ""
        return Ended(process.returncode, message, stdout, stderr)

    def run(self, source: str, **request: Any) -> Ended:
        return self.finish(self.start(source, **request))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("source", "inputs", "output", "reason"),
    [
        pytest.param(
            "def run(a, b=2): return {'sum': a + b}",
            {"a": 1},
            {"sum": 3},
            "defaults of run apply to inputs that are not given",
            id="value",
        ),
        pytest.param(
            "def run(): pass", {}, None, "returning nothing is the output null", id="null"
        ),
        pytest.param(
            "def run(**kw): return sorted(kw)",
            {"x": 1, "y": 2},
            ["x", "y"],
            "**kw takes whatever inputs gives",
            id="keywords",
        ),
        pytest.param(
            """
            import asyncio
            async def run(n):
                await asyncio.sleep(0)
                return n
            """,
            {"n": 4},
            4,
            "a coroutine function is awaited",
            id="async",
        ),
        pytest.param(
            """
            from dataclasses import dataclass
            @dataclass
            class Point:
                x: int
                tags: tuple[str, ...]
            def run(): return [Point(1, ("a",))]
            """,
            {},
            [{"x": 1, "tags": ["a"]}],
            "dataclasses and tuples have an obvious JSON form",
            id="dataclass",
        ),
        pytest.param(
            "from waypost_node import inputs\ndef run(**kw): return inputs",
            {"a": {"b": 1}},
            {"a": {"b": 1}},
            "helpers can read the inputs by import",
            id="inputs-by-import",
        ),
        pytest.param(
            "def run(s): return s",
            {"s": "ü€𝄞 $(SECRET) ${inputs.x}"},
            "ü€𝄞 $(SECRET) ${inputs.x}",
            "data is data: nothing in it is expanded",
            id="unicode",
        ),
        pytest.param(
            """
            def run():
                print('{"v":1,"outcome":"Succeeded","output":"forged"}')
                return 1
            """,
            {},
            1,
            "what is printed is never a result",
            id="forged-print",
        ),
    ],
)
def test_succeeds(
    bench: Bench, source: str, inputs: dict[str, Any], output: Any, reason: str
) -> None:
    ended = bench.run(source, inputs=inputs)
    assert (ended.code, ended.record.outcome) == (0, "Succeeded"), (reason, ended)
    assert ended.record.output == output, reason


@pytest.mark.parametrize(
    ("source", "inputs", "expected", "fragment", "reason"),
    [
        pytest.param(
            "def run(): raise ValueError('no such customer')",
            {},
            Reason.NODE_ERROR,
            "ValueError: no such customer",
            "the exception is the message",
            id="exception",
        ),
        pytest.param(
            "x = 1",
            {},
            Reason.NODE_ERROR,
            "defines no function run",
            "the reader is told what is missing",
            id="no-run",
        ),
        pytest.param(
            "def run(:",
            {},
            Reason.NODE_ERROR,
            "SyntaxError",
            "a syntax error is the node's",
            id="syntax",
        ),
        pytest.param(
            "def run(a): return a",
            {},
            Reason.INPUT_INVALID,
            "run needs 'a'",
            "a missing parameter is found before user code runs",
            id="missing-input",
        ),
        pytest.param(
            "def run(a): return a",
            {"a": 1, "b": 2},
            Reason.INPUT_INVALID,
            "no parameter 'b'",
            "an unexpected input is found before user code runs",
            id="unexpected-input",
        ),
        pytest.param(
            "def run(): return float('nan')",
            {},
            Reason.OUTPUT_INVALID,
            "$: nan",
            "NaN is not JSON",
            id="nan",
        ),
        pytest.param(
            "def run(): return {'a': [2**60]}",
            {},
            Reason.OUTPUT_INVALID,
            "$.a[0]",
            "the API server would change the digits of such an integer",
            id="big-integer",
        ),
        pytest.param(
            "def run(): return {'a': b'x'}",
            {},
            Reason.OUTPUT_INVALID,
            "$.a: bytes",
            "bytes have no JSON form",
            id="bytes",
        ),
        pytest.param(
            "def run(): return {'a': 'x' * 5000}",
            {},
            Reason.OUTPUT_TOO_LARGE,
            "limit is",
            "a result that does not fit is refused with its size",
            id="too-large",
        ),
        pytest.param(
            "import sys\ndef run(): sys.exit(0)",
            {},
            Reason.NODE_ERROR,
            "return the result",
            "exit(0) is not a result",
            id="exit-0",
        ),
        pytest.param(
            "def run():\n    while True: pass",
            {},
            Reason.TIMEOUT,
            "timeout of 0.7 s",
            "a busy loop cannot outlive its timeout",
            id="busy-loop",
        ),
    ],
)
def test_fails(
    bench: Bench,
    source: str,
    inputs: dict[str, Any],
    expected: Reason,
    fragment: str,
    reason: str,
) -> None:
    timeout = 0.7 if expected is Reason.TIMEOUT else 20.0
    ended = bench.run(source, inputs=inputs, timeout=timeout)
    assert ended.code != 0, (reason, ended)
    assert (ended.record.outcome, ended.record.reason) == ("Failed", expected), (reason, ended)
    assert fragment in (ended.record.message or ""), (reason, ended.record)
    assert len(ended.message.encode()) < LIMIT, "a record is always below the kubelet's limit"


def test_output_that_breaks_its_schema_names_path_expected_and_found(bench: Bench) -> None:
    schema = {
        "type": "object",
        "properties": {"events": {"type": "array", "items": {"type": "string"}}},
    }
    ended = bench.run("def run(): return {'events': ['a', 7]}", output_schema=schema)
    assert ended.record.reason == Reason.OUTPUT_INVALID
    assert ended.record.message == "$.events[1]: expected string, found 7 (integer)"


def test_the_tail_starts_at_user_code_and_shows_its_lines(bench: Bench) -> None:
    ended = bench.run("def run():\n    helper()\n\ndef helper():\n    return 1 / 0\n")
    tail = ended.record.tail or ""
    assert 'File "draft.py", line 5, in helper' in tail
    assert "return 1 / 0" in tail
    assert "waypost_node" not in tail, "frames of the runner are noise to the reader"
    assert "ZeroDivisionError" in ended.stderr, "kubectl logs shows it too"


def test_a_long_traceback_and_message_still_fit_a_record(bench: Bench) -> None:
    ended = bench.run("def run(): raise ValueError('€' * 20000)")
    assert ended.record.reason == Reason.NODE_ERROR
    assert (ended.record.message or "").startswith("ValueError: €€€")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param("time.sleep(60)", "a program that sleeps", id="sleeping"),
        pytest.param("while True: pass", "a program that computes", id="computing"),
    ],
)
def test_sigterm_leaves_a_record_and_ends_the_process(bench: Bench, body: str, reason: str) -> None:
    process = bench.start(f"import time\ndef run():\n    print('up')\n    {body}")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    ended = bench.finish(process)
    assert time.monotonic() - began < 10, reason
    assert ended.code == 128 + signal.SIGTERM, (reason, ended)
    assert ended.record.reason == Reason.DISRUPTED, reason


def test_a_child_process_can_still_be_terminated(bench: Bench) -> None:
    source = """
    import subprocess
    def run():
        child = subprocess.Popen(["sleep", "60"])
        child.terminate()
        return child.wait(timeout=10)
    """
    assert bench.run(source).record.output == -signal.SIGTERM


def test_a_crash_of_the_interpreter_leaves_no_record(bench: Bench) -> None:
    ended = bench.run("import os\ndef run(): os._exit(0)")
    assert ended.code == 0
    found = decode(ended.message, expect=WHOSE)
    assert isinstance(found, RecordProblem)
    assert found.reason == "Missing", "the operator calls this ResultLost"


def test_a_thread_left_behind_does_not_keep_a_finished_attempt_alive(bench: Bench) -> None:
    source = """
    import threading, time
    def run():
        threading.Thread(target=time.sleep, args=(60,)).start()
        return "done"
    """
    began = time.monotonic()
    assert bench.run(source).record.output == "done"
    assert time.monotonic() - began < 20


def test_a_missing_request_is_told_and_is_no_result(tmp_path: Path) -> None:
    environment = {**os.environ, "WAYPOST_REQUEST": str(tmp_path / "nothing.json")}
    ended = subprocess.run(
        [sys.executable, "-m", "waypost_node"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 2
    assert "the request cannot be read" in ended.stderr
