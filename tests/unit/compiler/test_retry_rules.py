"""Retries that would have no effect are refused (S49, S52)."""

from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.ports.cluster import Obj

from tests.support.builders import container, gate, http, python, spec

CODES: Obj = {"exitCodes": {"retry": [75]}}
FAIL: Obj = {"exitCodes": {"fail": [2]}}
NO_ATTEMPT = "has no effect without extra attempts; set retry.limit, or remove this"
ONCE = "has no effect with effect: once, as a program that ended with an exit code has started"


def base(**retry: Any) -> Obj:
    """spec.defaults with these retries."""
    return {"defaults": {"retry": retry}}


def one(*nodes: Obj, **fields: Any) -> Obj:
    return spec(*nodes, **fields)


REFUSED = [
    pytest.param(
        one(container("a", retry=CODES)), "nodes.a.retry.exitCodes", NO_ATTEMPT, id="no-limit"
    ),
    pytest.param(
        one(container("a", retry={**CODES, "limit": 0})),
        "nodes.a.retry.exitCodes",
        NO_ATTEMPT,
        id="limit-0",
    ),
    pytest.param(
        one(container("a", retry=CODES), **base(never=True)),
        "nodes.a.retry.exitCodes",
        NO_ATTEMPT,
        id="never-in-defaults",
    ),
    pytest.param(
        one(python("a", retry={**CODES, "limit": 1})),
        "nodes.a.retry.exitCodes",
        "is only used with container; use retry.reasons",
        id="a-kind-without-exit-codes",
    ),
    pytest.param(
        one(http("a", retry={**FAIL, "limit": 1})),
        "nodes.a.retry.exitCodes",
        "is only used with container; use retry.reasons",
        id="http",
    ),
    pytest.param(
        one(container("a", retry={**CODES, "limit": 1}, effect="once")),
        "nodes.a.retry.exitCodes",
        ONCE,
        id="effect-once",
    ),
    pytest.param(
        one(container("a", retry={**FAIL, "limit": 1}, effect="once")),
        "nodes.a.retry.exitCodes",
        ONCE,
        id="effect-once-and-fail",
    ),
    pytest.param(
        one(container("a", retry={**FAIL, "limit": 1, "reasons": ["Timeout", "OutOfMemory"]})),
        "nodes.a.retry.exitCodes",
        "fail has no effect, as retry.reasons (OutOfMemory, Timeout) has no NodeError",
        id="fail-without-NodeError",
    ),
    pytest.param(
        one(container("a", retry={**FAIL, "limit": 1}), **base(reasons=["Timeout"], limit=1)),
        "nodes.a.retry.exitCodes",
        "fail has no effect, as retry.reasons (Timeout) has no NodeError",
        id="fail-without-NodeError-in-defaults",
    ),
    pytest.param(
        one(python("a", retry={"reasons": ["Timeout"]})),
        "nodes.a.retry.reasons",
        NO_ATTEMPT,
        id="reasons-without-limit",
    ),
    pytest.param(
        one(container("a"), **base(**CODES)), "defaults.retry.exitCodes", NO_ATTEMPT, id="defaults"
    ),
    pytest.param(
        one(container("a"), python("b", retry={"limit": 2}), **base(**CODES)),
        "defaults.retry.exitCodes",
        NO_ATTEMPT,
        id="defaults-with-a-limit-of-another-kind",
    ),
    pytest.param(
        one(python("a"), gate("b"), **base(limit=1, **CODES)),
        "defaults.retry.exitCodes",
        "is only used with container, and no node is one; remove it",
        id="defaults-without-container",
    ),
    pytest.param(
        one(container("a", effect="once"), **base(limit=1, **CODES)),
        "defaults.retry.exitCodes",
        ONCE,
        id="defaults-with-effect-once",
    ),
    pytest.param(
        one(container("a"), **base(limit=1, reasons=["Timeout"], **FAIL)),
        "defaults.retry.exitCodes",
        "fail has no effect, as retry.reasons (Timeout) has no NodeError",
        id="defaults-fail-without-NodeError",
    ),
    pytest.param(
        one(python("a"), **base(reasons=["Timeout"])),
        "defaults.retry.reasons",
        NO_ATTEMPT,
        id="defaults-reasons",
    ),
]
ACCEPTED = [
    pytest.param(one(container("a", retry={**CODES, "limit": 1})), id="retry"),
    pytest.param(one(container("a", retry=CODES), **base(limit=1)), id="limit-of-defaults"),
    pytest.param(
        one(container("a", retry={**CODES, "limit": 1, "reasons": ["Timeout"]})),
        id="retry-counts-whatever-reasons-lists",
    ),
    pytest.param(
        one(container("a", retry={**FAIL, "limit": 1, "reasons": ["NodeError"]})), id="fail"
    ),
    pytest.param(
        one(container("a", effect="once"), container("b"), **base(limit=1, **CODES)),
        id="defaults-for-one-of-two",
    ),
    pytest.param(
        one(container("a", retry={"limit": 2}), python("b"), **base(**CODES)),
        id="defaults-with-the-limit-of-a-node",
    ),
]


@pytest.mark.parametrize(("raw", "field", "text"), REFUSED)
def test_s52_retries_without_an_effect_are_refused(raw: Obj, field: str, text: str) -> None:
    problems = define(raw).problems
    assert [problem.field for problem in problems] == [field]
    assert problems[0].message.startswith(text)


@pytest.mark.parametrize("raw", ACCEPTED)
def test_s49_retries_with_an_effect_are_accepted(raw: Obj) -> None:
    assert define(raw).problems == ()
