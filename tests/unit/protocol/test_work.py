"""What an attempt used up and did, as documents."""

from typing import Any

import pytest
from waypost.protocol.work import TRACE_ENTRIES, Trace, Usage, trace_from_json, usage_from_json


def test_zero_and_absent_are_left_out() -> None:
    assert Usage().to_json() == {}
    assert Usage(model_calls=1, cost_usd="0.5", tools={"a": 2}).to_json() == {
        "modelCalls": 1,
        "costUSD": "0.5",
        "tools": {"a": 2},
    }


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param([], "usage: expected an object", id="list"),
        pytest.param({"modelCalls": -1}, "usage.modelCalls: expected an integer", id="negative"),
        pytest.param({"inputTokens": 1.5}, "usage.inputTokens: expected", id="fraction"),
        pytest.param({"reasks": 2**53}, "usage.reasks: expected", id="unsafe"),
        pytest.param({"tools": []}, "usage.tools: expected an object", id="tools"),
        pytest.param({"tools": {"a": "1"}}, "usage.tools.a: expected", id="tool"),
        pytest.param({"costUSD": "1e9"}, "usage.costUSD: expected decimal text", id="exponent"),
        pytest.param({"costUSD": "1."}, "usage.costUSD: expected decimal text", id="open-end"),
        pytest.param({"costUSD": "٣"}, "usage.costUSD: expected decimal text", id="other-digits"),
    ],
)
def test_a_wrong_usage_is_named(document: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        usage_from_json(document)


def test_a_trace_that_grows_without_end_is_counted_on() -> None:
    trace = Trace()
    for _ in range(TRACE_ENTRIES + 3):
        trace.add("tool", start="s", end="e", name="search", error=None)
    document = trace.to_json()
    assert (len(document["entries"]), document["dropped"]) == (TRACE_ENTRIES, 3)
    assert document["entries"][0] == {"type": "tool", "start": "s", "end": "e", "name": "search"}
    assert trace_from_json(document).to_json() == document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param(None, "trace: expected an object of version 1", id="null"),
        pytest.param({"v": 1, "entries": {}}, "trace.entries: expected a list", id="entries"),
        pytest.param({"v": 1, "entries": [1]}, r"trace.entries\[0\].type: expected", id="entry"),
        pytest.param({"v": 1, "entries": [], "dropped": -1}, "trace.dropped: expected", id="count"),
    ],
)
def test_a_wrong_trace_is_named(document: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        trace_from_json(document)
