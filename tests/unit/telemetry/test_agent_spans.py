"""Traces of agents as spans: names, parents, ids that repeat, and nothing of what was said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from waypost.api.provider import ModelProviderSpec
from waypost.api.status import AgentWorkflowStatus
from waypost.compiler.definition import define
from waypost.engine.state.observed import Observed
from waypost.kube.timestamps import timestamp
from waypost.kube.trace_ids import span_id, trace_id
from waypost.protocol.work import Trace
from waypost.telemetry import conventions
from waypost.telemetry.agent_spans import agent_spans
from waypost.telemetry.endings import AttemptEnded
from waypost.telemetry.spans import SpanFact

T0 = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
SPEC = {"nodes": [{"name": "draft", "container": {"image": "x"}}]}
OBSERVED = Observed(
    name="demo",
    namespace="n",
    uid="uid-1",
    generation=1,
    resource_version="1",
    created_at=T0,
    definition=define(SPEC),
    status=AgentWorkflowStatus(),
)
ATTEMPT = AttemptEnded(
    path="draft",
    kind="agent",
    round=1,
    number=2,
    outcome="Succeeded",
    job="j",
    pod_uid="p",
    launched=T0,
    started=T0,
    finished=T0 + timedelta(seconds=60),
)


def at(seconds: float) -> str:
    return timestamp(T0 + timedelta(seconds=seconds))


def trace(*entries: tuple[str, float, float, dict[str, Any]], dropped: int = 0) -> Trace:
    made = Trace()
    for type_, start, end, fields in entries:
        made.add(type_, start=at(start), end=at(end), **fields)
    made.dropped = dropped
    return made


def test_a_call_of_one_of_several_models_has_its_own_provider() -> None:
    around = {
        name: ModelProviderSpec.model_validate({"type": type_})
        for name, type_ in (("main", "OpenAI"), ("backup", "Anthropic"))
    }
    entry = {"inputTokens": 1, "cachedTokens": 0, "outputTokens": 1}
    made = trace(
        ("model", 1, 2, {"model": "a", "provider": "main", **entry}),
        ("model", 2, 3, {"model": "b", "provider": "backup", **entry}),
    )
    spans = agent_spans(replace(OBSERVED, providers=around), ATTEMPT, made, provider="OpenAI")
    chats = [span.attributes[conventions.PROVIDER] for span in spans if "chat" in span.name]
    assert chats == [conventions.PROVIDERS["OpenAI"], conventions.PROVIDERS["Anthropic"]]


FULL = trace(
    (
        "model",
        1,
        2,
        {
            "model": "m1",
            "inputTokens": 100,
            "cachedTokens": 40,
            "outputTokens": 9,
            "finish": "stop",
        },
    ),
    ("tool", 2, 3, {"name": "search", "callId": "c1", "server": "books", "outcome": "ok"}),
    (
        "tool",
        2,
        4,
        {"name": "delete", "callId": "c2", "outcome": "refused", "error": "not allowed"},
    ),
    ("wait", 4, 6.5, {"reason": "RateLimited", "seconds": 2.5}),
    ("model", 6.5, 7, {"model": "m1", "error": "ProviderError: secret words"}),
    ("reask", 7, 7, {"message": "$.cause: 'secret words' is too short"}),
)


def by_name(spans: tuple[SpanFact, ...], name: str) -> list[SpanFact]:
    return [span for span in spans if span.name == name]


def test_the_tree() -> None:
    agent, *parts = agent_spans(OBSERVED, ATTEMPT, FULL, provider="Google")
    assert agent.name == "invoke_agent draft"
    assert agent.parent_id == span_id("uid-1", "draft", 1, 2), "under the attempt"
    assert {part.parent_id for part in parts} == {agent.span_id}
    assert {span.trace_id for span in (agent, *parts)} == {trace_id("uid-1")}
    assert [part.name for part in parts] == [
        "chat m1",
        "execute_tool search",
        "execute_tool delete",
        "chat m1",
    ]
    assert (agent.start, agent.end) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=7))


def test_a_chat() -> None:
    (first, second) = by_name(agent_spans(OBSERVED, ATTEMPT, FULL, provider="Google"), "chat m1")
    assert first.remote
    assert not first.error
    assert first.attributes == {
        "k8s.namespace.name": "n",
        "waypost.run.name": "demo",
        "waypost.run.uid": "uid-1",
        "waypost.run.round": 1,
        "waypost.node.path": "draft",
        "waypost.node.attempt": 2,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "m1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.response.finish_reasons": ("stop",),
    }
    assert second.error == second.attributes["error.type"] == "ProviderError"


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        pytest.param(
            "search",
            {"gen_ai.tool.type": "extension", "waypost.tool.server": "books", "error": ""},
            id="of-a-server",
        ),
        pytest.param(
            "delete",
            {"gen_ai.tool.type": "function", "error.type": "tool_refused", "error": "tool_refused"},
            id="refused",
        ),
    ],
)
def test_a_tool(name: str, reported: dict[str, str]) -> None:
    (span,) = by_name(agent_spans(OBSERVED, ATTEMPT, FULL), f"execute_tool {name}")
    assert reported.items() <= {**span.attributes, "error": span.error}.items()
    assert not span.remote
    assert conventions.PROVIDER not in span.attributes


def test_a_tool_that_people_decided_on() -> None:
    """Who decided is in the cluster, and in no span."""
    fields = {"name": "send", "outcome": "ok", "decision": "Edited", "decidedBy": "ann"}
    _, span = agent_spans(OBSERVED, ATTEMPT, trace(("tool", 1, 2, fields)))
    assert span.attributes["waypost.tool.decision"] == "Edited"
    assert "ann" not in repr(span)


def test_what_was_replayed_is_marked_and_counts_nothing() -> None:
    replayed = trace(
        ("model", 0, 0, {"model": "m1", "finish": "stop", "replayed": True}),
        ("tool", 0, 0, {"name": "search", "callId": "c1", "outcome": "ok", "replayed": True}),
        ("reask", 0, 0, {"message": "no", "replayed": True}),
        ("model", 1, 2, {"model": "m1", "inputTokens": 5, "outputTokens": 1}),
    )
    agent, *parts = agent_spans(OBSERVED, ATTEMPT, replayed)
    assert [part.attributes.get("waypost.replayed") for part in parts] == [True, True, None]
    tokens = [part.attributes.get("gen_ai.usage.input_tokens") for part in parts]
    assert tokens == [None, None, 5]
    assert dict(agent.events[0].attributes) == {"waypost.replayed": True}


def test_waits_and_reasks_are_events() -> None:
    agent = agent_spans(OBSERVED, ATTEMPT, FULL)[0]
    wait, reask = agent.events
    assert (wait.name, wait.time) == ("waypost.provider_wait", T0 + timedelta(seconds=4))
    assert wait.attributes == {"waypost.wait.reason": "RateLimited", "waypost.wait.seconds": 2.5}
    assert (reask.name, dict(reask.attributes)) == ("waypost.reask", {})


def test_nothing_of_what_was_said_is_told() -> None:
    assert "secret words" not in repr(agent_spans(OBSERVED, ATTEMPT, FULL))


def test_ids_repeat_and_differ() -> None:
    first = [span.span_id for span in agent_spans(OBSERVED, ATTEMPT, FULL)]
    assert first == [span.span_id for span in agent_spans(OBSERVED, ATTEMPT, FULL)]
    other = [span.span_id for span in agent_spans(OBSERVED, replace(ATTEMPT, number=3), FULL)]
    assert len({*first, *other}) == 2 * len(first)


def test_a_failed_attempt() -> None:
    agent = agent_spans(OBSERVED, replace(ATTEMPT, outcome="Refused"), FULL)[0]
    assert agent.error == agent.attributes["error.type"] == "Refused"


@pytest.mark.parametrize(
    ("given", "count"),
    [
        pytest.param(Trace(), 0, id="empty"),
        pytest.param(trace(("model", 5, 1, {"model": "m"})), 2, id="ends-before-it-starts"),
        pytest.param(trace(("dance", 1, 2, {})), 1, id="of-a-later-version"),
    ],
)
def test_odd_traces(given: Trace, count: int) -> None:
    spans = agent_spans(OBSERVED, ATTEMPT, given)
    assert len(spans) == count
    assert all(span.start <= span.end for span in spans)


def test_times_that_cannot_be_read_are_left_out() -> None:
    odd = trace(("model", 1, 2, {"model": "m"}), dropped=7)
    odd.entries.append({"type": "model", "start": "soon", "end": "later"})
    agent, *parts = agent_spans(OBSERVED, ATTEMPT, odd)
    assert len(parts) == 1
    assert agent.attributes["waypost.trace.dropped"] == 7
