"""What spans have of the arguments and results of tools, whatever a pod wrote (S791), and the times
of model calls (S793)."""

from typing import Any

from waypost.telemetry.agent_spans import agent_spans
from waypost.telemetry.calls import ModelCall, model_calls
from waypost.telemetry.content import ContentPolicy

from tests.unit.telemetry.test_agent_spans import ATTEMPT, OBSERVED, trace

DIGEST = f"sha256:{'0' * 64}"
CALLED = {
    "name": "search",
    "outcome": "ok",
    "argumentsDigest": DIGEST,
    "resultDigest": DIGEST,
    "arguments": '{"query": "tides"}',
    "result": "x" * 5000,
}
DIGESTS = {"waypost.tool.arguments_digest": DIGEST, "waypost.tool.result_digest": DIGEST}
NAMES = {*DIGESTS, "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"}


def content(policy: ContentPolicy, **changes: Any) -> dict[str, Any]:
    made = trace(("tool", 1, 2, {**CALLED, **changes}))
    _, span = agent_spans(OBSERVED, ATTEMPT, made, content=policy)
    return {name: value for name, value in span.attributes.items() if name in NAMES}


def test_s791_off_by_default() -> None:
    _, span = agent_spans(OBSERVED, ATTEMPT, trace(("tool", 1, 2, CALLED)))
    assert not NAMES & span.attributes.keys()
    assert content("Off") == {}


def test_s791_digests() -> None:
    assert content("Digests") == DIGESTS
    assert content("Digests", argumentsDigest="the password", resultDigest=7) == {}


def test_s791_texts_have_a_limit() -> None:
    found = content("Redacted")
    assert found.keys() == NAMES
    assert found["gen_ai.tool.call.arguments"] == '{"query": "tides"}'
    assert len(found["gen_ai.tool.call.result"]) == 1000
    assert content("Redacted", arguments={"a": 1}, result=7) == DIGESTS


def test_s793_a_chat_has_the_time_to_the_first_byte() -> None:
    made = trace(
        ("model", 1, 3, {"model": "m", "firstByteSeconds": 1.25, "gatewayWaitSeconds": 1}),
        ("model", 3, 4, {"model": "m", "firstByteSeconds": "soon"}),
        ("model", 4, 5, {"model": "m", "firstByteSeconds": True}),
        ("model", 5, 6, {"model": "m", "firstByteSeconds": -1}),
    )
    _, *chats = agent_spans(OBSERVED, ATTEMPT, made)
    name = "waypost.model.first_byte_seconds"
    assert [one.attributes.get(name) for one in chats] == [1.25, None, None, None]
    waited = [one.attributes.get("waypost.model.gateway_wait_seconds") for one in chats]
    assert waited == [1.0, None, None, None]


def test_model_calls_of_a_trace() -> None:
    made = trace(
        ("model", 1, 3, {"model": "m", "firstByteSeconds": 1.25}),
        ("model", 3, 4, {"model": "m", "error": "RateLimited: 429"}),
        ("model", 4, 5, {"model": "m", "error": "secret words"}),
        ("model", 5, 5, {"model": "m", "replayed": True}),
        ("tool", 5, 6, {"name": "search", "outcome": "ok"}),
    )
    assert list(model_calls(made)) == [
        ModelCall("Answered", 2.0, 1.25),
        ModelCall("RateLimited", 1.0),
        ModelCall("Other", 1.0),
    ]
