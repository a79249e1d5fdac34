"""The runner as its pod runs it: a process with a request file and a termination file.

Each row is one way a node's program can end; the record it leaves is what the operator will act
on, so it is read back with the operator's own decoder.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.record import LIMIT, RecordProblem, decode

from tests.runner.bench import ENDS_WITHIN, WHOSE, Bench


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
        pytest.param(
            "def run(): return 'scraped \ufffd text'",
            {},
            "scraped \ufffd text",
            "the mark of cut bytes may be a program's own text",
            id="replacement-character",
        ),
        pytest.param(
            """
            class Model:  # what pydantic looks like from outside
                def model_dump(self, mode): return {"mode": mode}
            def run(): return {"m": [Model()]}
            """,
            {},
            {"m": [{"mode": "json"}]},
            "pydantic models are serialised wherever they stand",
            id="pydantic",
        ),
        pytest.param(
            """
            def with_database(run): return lambda **inputs: run("db", **inputs)
            @with_database
            def run(database, a): return [database, a]
            """,
            {"a": 1},
            ["db", 1],
            "a decorated run is called as it is",
            id="decorated",
        ),
        pytest.param(
            "def run(*, a, b=2): return [a, b]",
            {"a": 1},
            [1, 2],
            "keyword-only parameters are parameters",
            id="keyword-only",
        ),
        pytest.param(
            """
            import multiprocessing, time
            def run():
                child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
                child.start()
                child.terminate()
                child.join(100)
                return child.exitcode
            """,
            {},
            -signal.SIGTERM,
            "what the program forks has the usual signals and stops nothing but itself",
            id="multiprocessing",
        ),
        pytest.param(
            "import sys\ndef run():\n    sys.stdout.close()\n    sys.stderr = None\n    return 1",
            {},
            1,
            "closed streams cost no result",
            id="closed-streams",
        ),
        pytest.param(
            """
            import os
            def run():
                child = os.fork()
                if not child: return "copy"
                os.waitpid(child, 0)
                return "me"
            """,
            {},
            "me",
            "a forked copy that runs on has nothing to say",
            id="fork",
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
            "the message names what is missing",
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
            "run requires 'a'",
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
            "$: NaN",
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
            "def run(a, b): return a",
            {},
            Reason.INPUT_INVALID,
            "run requires 'a', 'b'",
            "all that is missing is named at once",
            id="missing-inputs",
        ),
        pytest.param(
            "def run(a, /): return a",
            {"a": 1},
            Reason.INPUT_INVALID,
            "positional-only parameter 'a'",
            "inputs are given by name",
            id="position-only",
        ),
        pytest.param(
            "def run():\n    me = []\n    me.append(me)\n    return me",
            {},
            Reason.OUTPUT_INVALID,
            "nested deeper",
            "a value that contains itself has no JSON form",
            id="endless-value",
        ),
        pytest.param(
            """
            class Odd(Exception):
                def __str__(self): raise RuntimeError("no text")
            def run(): raise Odd()
            """,
            {},
            Reason.NODE_ERROR,
            "Odd: (its message",
            "an exception that cannot be printed is still reported",
            id="unprintable-exception",
        ),
        pytest.param(
            """
            class Model:
                def model_dump(self, mode): raise ValueError("not today")
            def run(): return Model()
            """,
            {},
            Reason.NODE_ERROR,
            "ValueError: not today",
            "a model that does not serialise is the node's error",
            id="model-that-breaks",
        ),
        pytest.param(
            "import sys\ndef run():\n    sys.stderr.close()\n    raise ValueError('b')",
            {},
            Reason.NODE_ERROR,
            "ValueError: b",
            "closed streams cost no record",
            id="closed-stderr",
        ),
        pytest.param(
            "def run(): raise ValueError(b'\\xff'.decode(errors='replace'))",
            {},
            Reason.NODE_ERROR,
            "ValueError: \ufffd",
            "the mark of cut bytes may be a program's own text",
            id="replacement-character",
        ),
        pytest.param(
            "raise KeyError('at import')\ndef run(): return 1",
            {},
            Reason.NODE_ERROR,
            "KeyError: 'at import'",
            "what the top of the source raises is the node's error",
            id="import-time",
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
        pytest.param(
            "def run(): return sum(range(10**12))",
            {},
            Reason.TIMEOUT,
            "timeout of 0.7 s",
            "nor can a C call that never lets another thread run",
            id="c-call-that-keeps-the-lock",
        ),
        pytest.param(
            """
            import signal, time
            def run():
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                while True:
                    try:
                        time.sleep(60)
                    except BaseException:
                        pass
            """,
            {},
            Reason.TIMEOUT,
            "timeout of 0.7 s",
            "nor a program that refuses every signal and exception",
            id="stubborn",
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
        pytest.param("time.sleep(3600)", "a program that sleeps", id="sleeping"),
        pytest.param("while True: pass", "a program that computes", id="computing"),
        pytest.param("sum(range(10**12))", "a C call that keeps the lock", id="in-a-c-call"),
        pytest.param(
            "import asyncio; asyncio.run(asyncio.sleep(3600))", "an event loop", id="asyncio"
        ),
    ],
)
def test_sigterm_leaves_a_record_and_ends_the_process(bench: Bench, body: str, reason: str) -> None:
    process = bench.start(f"import time\ndef run():\n    print('up')\n    {body}")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    ended = bench.finish(process)
    assert ended.code == 128 + signal.SIGTERM, (reason, ended)
    assert ended.record.reason == Reason.DISRUPTED, reason


def test_a_child_process_can_still_be_terminated(bench: Bench) -> None:
    source = """
    import subprocess
    def run():
        child = subprocess.Popen(["sleep", "60"])
        child.terminate()
        return child.wait()
    """
    assert bench.run(source).record.output == -signal.SIGTERM


@pytest.mark.parametrize(
    ("body", "code", "reported"),
    [
        pytest.param("os._exit(0)", 0, "exit code 0", id="exit-0: the operator says ResultLost"),
        pytest.param("os._exit(7)", 7, "exit code 7", id="exit-7"),
        pytest.param("os.abort()", 134, "signal 6", id="crash"),
        pytest.param("os.kill(os.getpid(), 9)", 137, "signal 9", id="kill: as out of memory does"),
    ],
)
def test_a_program_that_ends_the_process_leaves_no_record(
    bench: Bench, body: str, code: int, reported: str
) -> None:
    ended = bench.run(f"import os\ndef run(): {body}")
    assert ended.code == code, "the exit code is the program's own"
    assert reported in ended.stderr, "kubectl logs says how it ended"
    found = decode(ended.message, expect=WHOSE)
    assert isinstance(found, RecordProblem)
    assert found.reason == "Missing"


def test_the_signature_is_judged_before_any_user_code_runs(bench: Bench) -> None:
    ended = bench.run("print('charged a card')\ndef run(a): return a")
    assert ended.record.reason == Reason.INPUT_INVALID
    assert ended.stdout == ""


def test_tracebacks_that_the_program_prints_show_its_lines(bench: Bench) -> None:
    source = """
    import inspect, traceback
    def run():
        try:
            1 / 0
        except ZeroDivisionError:
            return [traceback.format_exc(), inspect.getsource(run)]
    """
    printed, shown = bench.run(source).record.output
    assert 'File "draft.py", line 5, in run\n    1 / 0' in printed
    assert shown.startswith("def run():")


def test_the_cause_of_an_exception_is_told(bench: Bench) -> None:
    source = """
    def run():
        try:
            {}["customer"]
        except KeyError as error:
            raise LookupError("no customer") from error
    """
    ended = bench.run(source)
    assert "KeyError: 'customer'" in ended.stderr
    assert "direct cause" in ended.stderr
    assert (ended.record.tail or "").endswith("LookupError: no customer")


def test_what_the_program_left_running_is_killed(bench: Bench) -> None:
    source = """
    import subprocess
    def run():
        return subprocess.Popen(["sleep", "300"]).pid
    """
    left = Path("/proc") / str(bench.run(source).record.output) / "stat"
    deadline = time.monotonic() + ENDS_WITHIN
    # Gone, or dead and waiting for the process that adopted it.
    while left.exists() and " Z " not in left.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left.exists() or " Z " in left.read_text()


def test_a_daemon_that_the_program_forked_does_not_hold_up_its_end(bench: Bench) -> None:
    written = bench.folder / "daemon"
    source = f"""
    import os, time
    def run():
        if (daemon := os.fork()) == 0:
            os.setsid()
            for stream in range(3): os.dup2(os.open(os.devnull, os.O_RDWR), stream)
            time.sleep(3600)
        with open({str(written)!r}, "w") as file: file.write(str(daemon))
        os._exit(3)
    """
    try:
        assert bench.run(source).code == 3
    finally:
        os.kill(int(written.read_text()), signal.SIGKILL)


def test_the_record_is_written_in_place(bench: Bench) -> None:
    output = bench.folder / "termination-log"
    output.write_text("left by whom" * 1000)
    before = output.stat().st_ino
    assert bench.run("def run(): return 1").record.output == 1
    assert output.stat().st_ino == before, "the file is a bind mount: a rename onto it fails"


def test_what_the_program_wrote_to_the_termination_file_gives_way(bench: Bench) -> None:
    source = """
    import os
    def run():
        with open(os.environ["WAYPOST_OUTPUT"], "w") as output:
            output.write("x" * 100_000)
        return "mine"
    """
    assert bench.run(source).record.output == "mine"


@pytest.mark.parametrize(
    ("environment", "limit"),
    [
        pytest.param({}, 256 * 1024 * 1024, id="no-storage-limit"),
        pytest.param({"WAYPOST_STORAGE_BYTES": "4294967296"}, 4 * 1024**3, id="declared-4Gi"),
    ],
)
def test_no_file_outgrows_the_storage_limit(
    bench: Bench, environment: dict[str, str], limit: int
) -> None:
    source = """
    import os, resource
    def run():
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        with open(os.environ["WAYPOST_OUTPUT"], "wb", buffering=0) as output:
            output.seek(limit)
            try:
                output.write(b"x")
            except OSError as error:
                return [limit, error.strerror]
    """
    ended = bench.run(source, environment=environment)
    assert ended.record.output == [limit, "File too large"]


def test_nul_characters_go_in_and_out_as_they_are(bench: Bench) -> None:
    value = {"t": "a\0b"}
    record = bench.run("def run(v): return v", inputs={"v": value}).record
    assert (record.outcome, record.output) == ("Succeeded", value)


@pytest.mark.parametrize("number", ["EFBIG", "ENOSPC", "EDQUOT"])
def test_a_program_without_room_is_out_of_disk(bench: Bench, number: str) -> None:
    source = (
        f"import errno, os\ndef run(): raise OSError(errno.{number}, os.strerror(errno.{number}))"
    )
    record = bench.run(source).record
    assert record.reason == Reason.OUT_OF_DISK
    assert "raise resources.limits.ephemeral-storage" in (record.message or "")


def test_a_file_above_the_storage_limit_is_out_of_disk(bench: Bench) -> None:
    source = """
    import tempfile
    def run():
        with tempfile.TemporaryFile(buffering=0) as file:
            file.seek(1_000_000)
            file.write(b"x")
    """
    record = bench.run(source, environment={"WAYPOST_STORAGE_BYTES": "1000000"}).record
    assert record.reason == Reason.OUT_OF_DISK


def test_a_lower_limit_of_the_machine_is_kept(bench: Bench) -> None:
    lower = 1024 * 1024
    source = "import resource\ndef run(): return resource.getrlimit(resource.RLIMIT_FSIZE)[0]"
    assert bench.run(source, file_limit=lower).record.output == lower


def test_a_thread_left_behind_does_not_keep_a_finished_attempt_alive(bench: Bench) -> None:
    source = """
    import threading, time
    def run():
        threading.Thread(target=time.sleep, args=(3600,)).start()
        return "done"
    """
    assert bench.run(source).record.output == "done"


def test_a_missing_request_is_told_and_is_no_result(tmp_path: Path) -> None:
    environment = {**os.environ, "WAYPOST_REQUEST": str(tmp_path / "nothing.json")}
    ended = subprocess.run(
        [sys.executable, "-m", "waypost_node"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS_WITHIN,
    )
    assert ended.returncode == 2
    assert "cannot read the request" in ended.stderr
