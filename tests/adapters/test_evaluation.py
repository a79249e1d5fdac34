"""The child process that evaluates: the same values, and limits that hold whatever happens."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waypost.adapters.evaluation import pool
from waypost.adapters.evaluation.child import Limits
from waypost.adapters.evaluation.pool import ChildProcess
from waypost.adapters.evaluation.thread import OneThread
from waypost.expressions import evaluation
from waypost.expressions.expression import Compiled, EvaluationError, compile_expression, evaluate
from waypost.protocol import ijson, schema, uploads

from tests.unit.expressions.test_everyday import DATA, EVERYDAY

MIB = 1024 * 1024
BAD: Any = {"items": {"type": "string"}}


@pytest.fixture(scope="module")
def shared() -> Iterator[ChildProcess]:
    child = ChildProcess()
    yield child
    child.close()


@pytest.fixture
def child(shared: ChildProcess) -> Iterator[ChildProcess]:
    pool.use(shared)
    yield shared
    pool.use(None)


@pytest.fixture
def strict() -> Iterator[ChildProcess]:
    child = ChildProcess(Limits(cpu_seconds=0.3, questions=50))
    yield child
    child.close()


def accepted(source: str) -> Compiled:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    return compiled


@pytest.mark.parametrize("source", EVERYDAY)
def test_everyday_expressions_give_the_same_there(child: ChildProcess, source: str) -> None:
    there = evaluate(accepted(source), DATA)
    pool.use(None)
    assert there == evaluate(accepted(source), DATA)
    assert not isinstance(there, EvaluationError)


SAME: tuple[tuple[str, Any], ...] = (
    ("inputs.a / 2", {"a": 3.0}),
    ("inputs.a + 0.5", {"a": 1}),
    ("1 / 0", {}),
    ("timestamp('2026-01-01T00:00:00Z')", {}),
    ("inputs.?x", {}),
    ("inputs.?x", {"x": None}),
    ("inputs.t + 'ü\U0001f600'", {"t": "\x7f\u2028"}),
    ("[1.0, 2.5, null, true]", {}),
    ("inputs.x.y.z + 1", {"x": {}}),
    ("{'b': 1, 'a': inputs.l}", {"l": [1, 2.5]}),
)


@pytest.mark.parametrize(("source", "inputs"), SAME)
def test_values_and_errors_are_the_same_there(
    child: ChildProcess, source: str, inputs: Any
) -> None:
    there = evaluate(accepted(source), {"inputs": inputs})
    pool.use(None)
    here = evaluate(accepted(source), {"inputs": inputs})
    assert repr(there) == repr(here)


def test_violations_are_the_same_there(child: ChildProcess) -> None:
    there = schema.validate(BAD, ["a", 1, None, 2], limit=2)
    unusable = schema.check_schema({"type": "text"})
    pool.use(None)
    assert there == schema.validate(BAD, ["a", 1, None, 2], limit=2)
    assert unusable == schema.check_schema({"type": "text"})
    assert unusable


def test_an_unusable_schema_is_a_value_error_there_too(child: ChildProcess) -> None:
    with pytest.raises(ValueError, match="text"):
        schema.validate({"type": "text"}, 1)


def direct(child: ChildProcess, source: str, **inputs: Any) -> evaluation.Outcome:
    """Without the estimate that would refuse it."""
    return child.run(accepted(source).program, {"inputs": inputs})


@pytest.mark.parametrize(
    ("source", "inputs", "limit"),
    [
        pytest.param(
            "inputs.l.all(a, !inputs.s.contains('xxxxxxxxxxxxxxxxxxz'))",
            {"s": "x" * 250_000, "l": list(range(9000))},
            "0.3 s of processor time",
            id="time",
        ),
        pytest.param(
            f"[{','.join(['inputs.s + inputs.s'] * 40)}].size()",
            {"s": "x" * 8_000_000},
            "128 MiB of memory",
            id="memory",
        ),
        pytest.param(
            "json(" * 22 + "inputs.s" + ")" * 22,
            {"s": '"' * 100},
            "128 MiB of memory",
            id="result",
        ),
    ],
)
def test_what_gets_past_the_estimate_is_stopped(
    strict: ChildProcess, source: str, inputs: Any, limit: str
) -> None:
    stopped = direct(strict, source, **inputs)
    assert isinstance(stopped, evaluation.Stopped)
    assert limit in stopped.limit
    assert direct(strict, "inputs.a + 1", a=1) == evaluation.Value(2), "the next one is answered"


def test_validation_is_stopped_too(strict: ChildProcess) -> None:
    (found,) = strict.violations({"items": {"type": "string"}}, ["a" * 10] * 3_000_000, 5)
    assert "more than" in found.found


def test_a_stop_names_the_expression_and_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = evaluation.Stopped("it took more than 3 s of processor time")
    monkeypatch.setattr(evaluation, "run", lambda *_: stopped)
    value = evaluate(accepted("inputs.a + 1"), {"inputs": {"a": 1}})
    assert value == EvaluationError(
        "inputs.a + 1 was stopped: it took more than 3 s of processor time"
    )


def workers_of(child: ChildProcess) -> list[int]:
    assert child._process is not None
    pid = child._process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_breaks_down_is_replaced(strict: ChildProcess) -> None:
    assert direct(strict, "inputs.a + 1", a=1) == evaluation.Value(2)
    for worker in workers_of(strict):
        os.kill(worker, signal.SIGSEGV)
    for number in range(5):
        assert direct(strict, "inputs.a + 1", a=number) == evaluation.Value(number + 1)
    assert strict.workers == 2


def test_a_child_that_is_gone_is_started_again(strict: ChildProcess) -> None:
    assert direct(strict, "inputs.a + 1", a=1) == evaluation.Value(2)
    assert strict._process is not None
    os.killpg(strict._process.pid, signal.SIGKILL)
    assert direct(strict, "inputs.a + 1", a=2) == evaluation.Value(3)
    assert strict.started == 2


def test_a_child_that_is_silent_is_replaced() -> None:
    child = ChildProcess(patience_seconds=5.0)
    assert direct(child, "inputs.a + 1", a=1) == evaluation.Value(2)
    child._patience = 0.2
    for worker in workers_of(child):
        os.kill(worker, signal.SIGSTOP)
    first = child._process
    direct(child, "inputs.a + 1", a=1)
    assert child._process is not first
    child.close()


# A stand-in for the child: reads one question, then does what is said.
ASKED = (
    "import os, time; n = int.from_bytes(os.read(0, 8), 'big')\nwhile n: n -= len(os.read(0, n))"
)
SENDS = "os.write(1, len({0}).to_bytes(8, 'big') + {0})"


@pytest.mark.parametrize(
    ("then", "says"),
    [
        pytest.param("os.kill(os.getpid(), 9)", "it ended", id="killed-while-it-works"),
        pytest.param("os.abort()", "it ended", id="aborted-while-it-works"),
        pytest.param(
            "os.write(1, (100).to_bytes(8, 'big') + b'{'); os.kill(os.getpid(), 9)",
            "it ended",
            id="killed-in-the-middle-of-its-answer",
        ),
        pytest.param("os.close(1); time.sleep(99)", "it ended", id="closed"),
        pytest.param("time.sleep(99)", "does not answer", id="hangs"),
        pytest.param(
            "os.write(1, b'\\0' * 7); time.sleep(99)", "does not answer", id="hangs-in-its-answer"
        ),
        pytest.param(
            "os.write(1, b'warning: deprecated')", "cannot be read", id="a-library-prints"
        ),
        pytest.param(SENDS.format("b'{\"value\"'"), "cannot be read", id="no-json"),
        pytest.param(SENDS.format("b'\\xff'"), "cannot be read", id="no-text"),
        pytest.param(SENDS.format("b'[]'"), "cannot be read", id="no-answer"),
    ],
)
def test_whatever_a_child_does_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, then: str, says: str
) -> None:
    """K16: never an exception, and the next question is answered."""
    (tmp_path / "broken_child.py").write_text(f"{ASKED}\n{then}\n")
    child = ChildProcess(patience_seconds=3.0)
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(tmp_path))
        patched.setattr(pool, "_CHILD", "broken_child")
        stopped = direct(child, "inputs.a + 1", a=1)
        assert isinstance(stopped, evaluation.Stopped)
        assert says in stopped.limit
        assert child.started == 2, "asked once more"
    child._patience = 60.0
    assert direct(child, "inputs.a + 1", a=1) == evaluation.Value(2)
    child.close()


def refusing(number: int) -> Any:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refused


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_a_child_that_cannot_be_started_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The machine has no process id, no memory, no file left: the question is not at fault."""
    slept: list[float] = []
    child = ChildProcess(patience_seconds=5.0, sleep=slept.append)
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", refusing(number))
        for ask in (
            lambda: direct(child, "inputs.a + 1", a=1),
            lambda: child.violations(BAD, [1], 5),
            lambda: child.problem(BAD),
        ):
            slept.clear()
            with pytest.raises(OSError, match=os.strerror(number)):
                ask()
            assert sum(slept) == 5.0, "the patience"
    assert direct(child, "inputs.a + 1", a=1) == evaluation.Value(2)
    child.close()


def test_a_child_that_can_be_started_later_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            patched.undo()

    child = ChildProcess(patience_seconds=5.0, sleep=sleep)
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", refusing(errno.EAGAIN))
        assert direct(child, "inputs.a + 1", a=1) == evaluation.Value(2)
    assert (len(slept), child.started) == (3, 1)
    child.close()


def test_a_child_that_is_closed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    child = ChildProcess(sleep=lambda _: setattr(child, "_closed", True))
    monkeypatch.setattr(subprocess, "Popen", refusing(errno.EAGAIN))
    assert direct(child, "inputs.a + 1", a=1) == evaluation.Stopped("it was closed")


def test_nothing_is_started_after_the_end() -> None:
    child = ChildProcess()
    child.close()
    assert isinstance(direct(child, "inputs.a + 1", a=1), evaluation.Stopped)
    assert child.started == 0


def test_ten_thousand_evaluations_leave_memory_as_it_was() -> None:
    child = ChildProcess()
    rows = [{"id": at, "name": "abc"} for at in range(20)]
    program = accepted("json(inputs.l.map(x, x.id))").program
    sizes = []
    for at in range(10_000):
        child.run(program, {"inputs": {"l": rows}})
        if at in (1000, 9999):
            sizes.append(sum(resident(pid) for pid in (os.getpid(), *workers_of(child))))
    assert child.workers == 20, "a worker answers 500 questions"
    assert sizes[1] - sizes[0] < 24 * MIB
    child.close()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("json(inputs.l)", id="text"),
        pytest.param("inputs.l.map(x, x.id)", id="loop"),
        pytest.param("keys(inputs.o)", id="keys"),
        pytest.param("inputs.b ? null : null", id="null"),
    ],
)
def test_what_the_library_keeps_ends_with_its_worker(source: str) -> None:
    """Of 500 KB it kept up to 2.6 MB at each evaluation."""
    child = ChildProcess()
    rows = [{"id": at, "name": "a" * 70} for at in range(5000)]
    inputs = {"l": rows, "o": {f"k{at}": at for at in range(1000)}, "b": True}
    compiled = accepted(source)
    data: Any = {"inputs": {name: inputs[name] for name in inputs if f"inputs.{name}" in source}}
    sizes = []
    for at in range(60):
        outcome = child.run(compiled.program, data)
        assert isinstance(outcome, evaluation.Value)
        if at in (10, 59):
            sizes.append(sum(resident(pid) for pid in (os.getpid(), *workers_of(child))))
    assert sizes[1] - sizes[0] < 64 * MIB, "a worker ends when it has grown by 48 MiB"
    child.close()


def test_a_worker_that_grows_ends_before_its_time() -> None:
    child = ChildProcess()
    rows = [{"id": at, "name": "abc" * 30} for at in range(5000)]
    program = accepted("json(inputs.l).size()").program
    for _ in range(40):
        child.run(program, {"inputs": {"l": rows}})
        assert all(resident(pid) < 260 * MIB for pid in workers_of(child))
    child.close()


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0


def test_the_child_knows_nothing_of_the_environment(
    strict: ChildProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    direct(strict, "inputs.a + 1", a=1)
    assert strict._process is not None
    environment = Path(f"/proc/{strict._process.pid}/environ").read_bytes()
    assert b"secret" not in environment


async def test_the_event_loop_goes_on_while_a_pass_takes_its_time() -> None:
    passes = OneThread()
    done = threading.Event()
    asyncio.get_running_loop().call_soon(done.set)
    assert await passes(done.wait, 30.0), "it waited for the loop, which was free"
    with pytest.raises(ZeroDivisionError):
        await passes(lambda: 1 / 0)
    passes.close()


BODIES: tuple[tuple[str, bytes, Any], ...] = (
    ("as-it-is", b'{"a":1}', None),
    ("in-another-form", b' {"b": 1.0, "a": [null] } ', None),
    ("not-ascii", '"ü\u2028"'.encode(), None),
    ("empty", b"", None),
    ("twice", b'{"a":1,"a":2}', None),
    ("not-utf-8", b'"\xff"', None),
    ("a-large-integer", b"12345678901234567890", None),
    ("deep", b"[" * 100 + b"]" * 100, None),
    ("very-deep", b"[" * 100_000 + b"]" * 100_000, None),
    ("conforms", b'["a"]', BAD),
    ("does-not-conform", b"[1, 2]", BAD),
    ("too-many-values", b"[" + b"0," * uploads.MOST_VALUES + b"0]", None),
    ("a-large-text", b'"' + b"x" * (8 * MIB) + b'"', None),
)


def judged(body: bytes, declared: Any, digest: str) -> Any:
    try:
        return uploads.check(body, digest, declared=declared)
    except uploads.Unusable as unusable:
        return unusable.fault, unusable.message


@pytest.mark.parametrize(("body", "declared"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
def test_a_body_is_judged_the_same_there(child: ChildProcess, body: bytes, declared: Any) -> None:
    """With its digest, and with another one. The questions after it are answered."""
    wrong = "sha256:" + "0" * 64
    try:
        digest = ijson.digest(ijson.parse(body))
    except ijson.IJsonError:
        digest = wrong
    there = [judged(body, declared, digest), judged(body, declared, wrong)]
    pool.use(None)
    assert there == [judged(body, declared, digest), judged(body, declared, wrong)]


def test_a_body_that_takes_too_much_memory_is_refused_and_the_next_is_checked() -> None:
    child = ChildProcess(Limits(memory=32 * MIB))
    try:
        body = b'"' + b"x" * (40 * MIB) + b'"'
        with pytest.raises(uploads.Unusable, match="32 MiB of memory") as refused:
            child.upload(body, "sha256:" + "0" * 64, None, 0)
        assert refused.value.fault == "TooLarge"
        assert child.upload(b"1", ijson.digest(1), None, 0) == uploads.Checked(b"1")
    finally:
        child.close()


def test_a_body_that_no_process_checks_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pod sends it again."""

    def gone(*_: object) -> None:
        raise pool._Broken("it ended")

    monkeypatch.setattr(pool, "_send", gone)
    child = ChildProcess()
    try:
        with pytest.raises(uploads.Unusable, match="could not be checked: it ended") as refused:
            child.upload(b"1", ijson.digest(1), None, 0)
        assert refused.value.fault == "Busy"
    finally:
        child.close()
