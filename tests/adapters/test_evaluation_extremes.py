"""Values at the edges of what a library can hold (K16): each gives a value or an error, and the
worker that evaluates it lives on."""

from typing import Any

import pytest
from waypost.adapters.evaluation import pool
from waypost.adapters.evaluation.pool import ChildProcess
from waypost.expressions.expression import Compiled, compile_expression, evaluate

DEEP: Any = 1
for _ in range(60):
    DEEP = [DEEP]
DATA: Any = {
    "inputs": {
        "most": 2**53 - 1,
        "beyond": 2**63 - 1,
        "float": 1.7976931348623157e308,
        "text": "x" * 1000,
        "astral": "\U0010ffff" * 1000,
        "nul": "a\0b",
        "list": list(range(1000)),
        "deep": DEEP,
        "zero": 0,
        "odd": {"": 1, "a.b": 2, "\0": 3},
    }
}
NOT_A_NUMBER = "NaN and Infinity are not JSON"
EXTREMES: dict[str, tuple[str, Any]] = {
    "integer-overflow": ("inputs.most * inputs.most * inputs.most", "overflow"),
    "beyond-2-53": ("inputs.beyond + 1", "beyond 2^53"),
    "infinite": ("inputs.float * 10.0", NOT_A_NUMBER),
    "not-a-number": ("0.0 / 0.0", NOT_A_NUMBER),
    "rounded": ("math.round(0.0 / 0.0)", NOT_A_NUMBER),
    "float-as-integer": ("int(inputs.float)", "out of int64 range"),
    "negative-unsigned": ("uint(inputs.zero - 1)", "out of uint64 range"),
    "division-by-zero": ("inputs.list.map(x, x / inputs.zero)", "a division by zero"),
    "shift": ("math.bitShiftRight(1, inputs.zero - 1)", "negative shift"),
    "pattern-of-another-library": ("inputs.text.matches('(?P<n>')", "not a pattern"),
    "pattern-of-a-kilobyte": ("inputs.text.matches(inputs.text + '((((')", "not a pattern"),
    "backtracking": ("inputs.text.matches('(x*)*y')", False),
    "astral-characters": ("inputs.astral.reverse().substring(999)", "\U0010ffff"),
    "nul": ("inputs.nul.split('')", "NUL"),
    "nul-as-a-key": ("inputs.odd['\\x00']", 3),
    "no-key": ("inputs.odd['']", 1),
    "deep-list": ("flatten(inputs.deep).size()", 1),
    "wrong-verb": ("'%d'.format([inputs.text])", "can only be used on numbers"),
    "no-verb": ("'%'.format([])", "unexpected end"),
    "long-precision": ("'%.9999f'.format([1.5])", "maximum of 1000"),
    "after-the-last-time": (
        "timestamp('9999-12-31T23:59:59.999999999Z') + duration('1s')",
        "timestamp overflow",
    ),
    "before-the-first-time": (
        "timestamp('0001-01-01T00:00:00Z') - duration('1s')",
        "timestamp overflow",
    ),
    "longest-duration": ("duration('9223372036s') + duration('9223372036s')", "overflow"),
    "no-time-zone": ("timestamp('2026-01-01T00:00:00Z').getHours('Mars/X')", "Invalid timezone"),
    "bytes-that-are-no-text": ("string(b'\\xff')", "malformed UTF-8"),
    "same-key-twice": ("{inputs.text: 1, inputs.text: 2}", "duplicate key"),
    "empty-separator": ("''.split('')", [""]),
    "negative-limit": ("inputs.text.split('x', -5).size()", 1001),
    "position-before-the-text": ("inputs.text.substring(inputs.zero - 1)", "outside the text"),
    "element-before-the-list": ("inputs.list[inputs.zero - 1]", "there is no element -1"),
    "lists-of-other-lengths": ("zip([], inputs.list)", "must have the same length"),
    "chunks-of-nothing": ("chunk(inputs.list, inputs.zero)", "n must be 1 or more"),
}


@pytest.mark.parametrize(("source", "expected"), EXTREMES.values(), ids=EXTREMES)
def test_an_extreme_value_ends_no_worker(
    source: str, expected: Any, shared_child: ChildProcess
) -> None:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    pool.use(shared_child)
    try:
        value = evaluate(compiled, DATA)
    finally:
        pool.use(None)
    message = getattr(value, "message", None)
    assert value == expected if message is None else expected in message
    assert (shared_child.started, shared_child.workers) == (1, 1)


@pytest.fixture(scope="module")
def shared_child() -> Any:
    child = ChildProcess()
    yield child
    child.close()
