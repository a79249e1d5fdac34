"""Spans of the memory of a run: what it has read, what it remembers, what agents look up (S751)."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.adapters.metrics import Metrics
from waypost.adapters.telemetry import OperatorTelemetry
from waypost.compiler.definition import define
from waypost.kube.trace_ids import span_id
from waypost.telemetry import conventions
from waypost.telemetry.agent_spans import agent_spans
from waypost.telemetry.memory import read
from waypost.telemetry.spans import SpanFact, ended_since, spans

from tests.support.builders import agent, python
from tests.support.harness import World, gives
from tests.support.memory import entries, memory_of, ran, triage
from tests.support.virtual import virtual
from tests.unit.telemetry.test_agent_spans import ATTEMPT, OBSERVED, trace
from tests.unit.telemetry.test_spans import T0, at, observed, status

KNOWN = {"scope": "triage", "key": "customer-7", "digest": "d", "record": "m"}


def reading(time: float, **run: Any) -> Any:
    """The status of a run that has read its memory at this second."""
    return status(memory={**KNOWN, "episodes": 2, "facts": 3, "at": at(time)}, **run)


def test_s751_a_snapshot_is_a_span_once() -> None:
    before, after = status(), reading(1)
    (span,) = spans(observed(), before, after)
    assert span.name == "search_memory triage"
    assert (span.start, span.end) == (span.end, span.start)
    assert span.parent_id == span_id("uid-1", "", 1, 0)
    assert {name: span.attributes[name] for name in span.attributes if "memory" in name} == {
        conventions.MEMORY_SCOPE: "triage",
        conventions.MEMORY_EPISODES: 2,
        conventions.MEMORY_FACTS: 3,
    }
    assert "customer-7" not in str(span), "a key may be the name of a customer"
    assert spans(observed(), after, after) == ()
    (again,) = ended_since(observed(status=after), T0)
    assert again == next(read(before, after)), "an operator that takes over sends it again"


@pytest.mark.parametrize(
    ("time", "round_"), [(1, 1), (12, 2), (25, 3)], ids=["first", "second", "current"]
)
def test_s751_a_snapshot_belongs_to_the_round_that_took_it(time: float, round_: int) -> None:
    rounds = [
        {"round": 1, "startedAt": at(0), "endedAt": at(9), "phase": "Failed", "launched": 1},
        {"round": 2, "startedAt": at(10), "endedAt": at(19), "phase": "Failed", "launched": 2},
    ]
    after = reading(time, round=3, roundStartedAt=at(20), rounds=rounds)
    (fact,) = read(status(), after)
    assert fact.round == round_


def test_s751_what_an_agent_looks_up_is_a_search() -> None:
    body = {"key": "k"}
    node = agent("draft", memory={"tools": ["recall"]})
    other = agent("draft")
    entry = ("tool", 1.0, 2.0, {"name": "recall", "outcome": "ok"})
    for raw, operation in ((node, "search_memory"), (other, "execute_tool")):
        run = replace(OBSERVED, definition=define({"nodes": [raw], "memory": body}))
        _, call = agent_spans(run, ATTEMPT, trace(entry))
        assert call.name == f"{operation} recall"
        assert call.attributes[conventions.OPERATION] == operation


class Kept:
    """A tracer that keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[SpanFact] = []

    def emit(self, fact: SpanFact) -> None:
        self.spans.append(fact)

    def close(self) -> None:
        pass


@virtual
async def test_s751_a_run_that_reads_and_remembers() -> None:
    """One span for the snapshot, for the facts of each node, and for the Episode."""
    tracer = Kept()
    counted = OperatorTelemetry(metrics=Metrics(), tracer=tracer)
    memory = {"key": "customer-7", "review": "Automatic", "remember": {"n": "${run.name}"}}
    remember = {"facts": "${self.output.facts}"}
    body = triage(python("a", remember=remember), memory=memory)
    facts = {"facts": [{"text": "Prefers mail"}, {"text": "Is in Leipzig"}]}
    async with World(script={"a": [gives(facts)] * 2}) as world:
        world.start(telemetry=counted)
        for name in ("first", "second"):
            await ran(world, name, body)
        assert len(entries(world, "Fact")) == 2
        assert memory_of(world, "second")["facts"] == 2
    found = [
        (
            span.name,
            span.attributes["waypost.memory.episodes"],
            span.attributes["waypost.memory.facts"],
        )
        for span in tracer.spans
        if "memory" in span.name
    ]
    assert found == [
        ("search_memory triage", 0, 0),
        ("upsert_memory a", 0, 2),
        ("upsert_memory triage", 1, 0),
        ("search_memory triage", 1, 2),
        ("upsert_memory a", 0, 2),
        ("upsert_memory triage", 1, 0),
    ]
    roots = {span.span_id for span in tracer.spans if span.name.startswith("invoke_workflow")}
    assert {span.parent_id for span in tracer.spans if "memory" in span.name} == roots
