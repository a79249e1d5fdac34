"""From what a kind's program hands over to the commit record of the attempt."""

import gc
import math
import signal
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.record import CommitRecord, decode
from waypost.protocol.request import Request
from waypost.protocol.work import Trace, Usage, WorkFailed, WorkResult
from waypost_node import execute

from tests.runner.bench import WHOSE, request_of

USAGE = Usage(model_calls=2, input_tokens=100, tool_calls=1, tools={"search": 1}, cost_usd="0.01")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """An agent's start changes the process, which in a pod is its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
    gc.enable()


def traced() -> Trace:
    trace = Trace()
    trace.add("wait", start="2026-01-01T00:00:00.000Z", end="2026-01-01T00:00:01.000Z")
    return trace


Agent = Callable[..., WorkResult]


def performed(monkeypatch: pytest.MonkeyPatch, agent: Agent | None, **request: Any) -> CommitRecord:
    """The record of an agent node whose loop is `agent`; None: an image without one."""
    module = None if agent is None else cast(ModuleType, SimpleNamespace(perform=agent))
    monkeypatch.setitem(sys.modules, "waypost_agent", module)
    asked = request_of(kind="agent", agent={"prompt": "p"}, **request)
    verdict = execute.perform(asked, WHOSE, deadline=None, work_is_over=lambda: None)
    found = decode(verdict.record.decode(), expect=WHOSE)
    assert isinstance(found, CommitRecord), found
    assert verdict.succeeded is (found.outcome == "Succeeded")
    return found


def test_a_result_comes_with_its_usage_and_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def agent(request: Request, *, deadline: float, stop: Any) -> WorkResult:
        seen.append((request.agent, deadline))
        return WorkResult({"n": 1}, USAGE, traced())

    record = performed(monkeypatch, agent)
    assert seen == [({"prompt": "p"}, math.inf)]
    assert (record.output, record.usage) == ({"n": 1}, USAGE)
    assert isinstance(record.trace, Trace)
    assert record.trace.to_json() == traced().to_json()


def test_a_failure_keeps_what_it_used_and_what_the_provider_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def agent(_request: Request, *, deadline: float, stop: Any) -> WorkResult:
        raise WorkFailed(
            Reason.RATE_LIMITED, "429", usage=USAGE, trace=traced(), retry_after=120, tail="t"
        )

    record = performed(monkeypatch, agent)
    assert (record.outcome, record.reason, record.message) == ("Failed", "RateLimited", "429")
    assert (record.usage, record.retry_after_seconds, record.tail) == (USAGE, 120, "t")
    assert isinstance(record.trace, Trace)


@pytest.mark.parametrize(
    ("output", "output_schema", "expected"),
    [
        pytest.param("text", {"type": "object"}, Reason.OUTPUT_INVALID, id="schema"),
        pytest.param(float("nan"), None, Reason.OUTPUT_INVALID, id="no-json"),
        pytest.param("x" * 5000, None, Reason.OUTPUT_TOO_LARGE, id="too-large"),
    ],
)
def test_an_output_that_is_refused_has_still_cost_something(
    monkeypatch: pytest.MonkeyPatch, output: Any, output_schema: Any, expected: Reason
) -> None:
    def agent(_request: Request, *, deadline: float, stop: Any) -> WorkResult:
        return WorkResult(output, USAGE, traced())

    record = performed(monkeypatch, agent, output_schema=output_schema)
    assert (record.reason, record.usage) == (expected, USAGE)
    assert isinstance(record.trace, Trace)


def test_an_image_without_the_loop_is_told_how_to_be_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = performed(monkeypatch, None)
    assert record.reason == Reason.NODE_ERROR
    assert "build it FROM Waypost's agent image" in (record.message or "")


def test_tools_of_an_agent_can_import_the_modules_of_the_workflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def agent(_request: Request, *, deadline: float, stop: Any) -> WorkResult:
        import pagetools  # type: ignore[import-not-found]

        return WorkResult(pagetools.LIMIT)

    modules = {"pagetools": "LIMIT = 3"}
    assert performed(monkeypatch, agent, modules=modules).output == 3
    del sys.modules["pagetools"]
