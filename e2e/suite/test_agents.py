"""Agent nodes on a real cluster: tools, typed output, refusals, budgets, and what they tell of it.

The models are scripted (`waypost dev model-server`); the loop, the clients and the pods are real.
"""

import sys
from typing import Any

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Obj
from e2e.suite.operators import Operator
from e2e.suite.space import Space, node_of
from e2e.suite.test_providers import made, provider

CAUSE = schema(cause="string", confidence="number")
MODULE = '''
def search(query: str) -> list[str]:
    """Find what was written about a subject."""
    return [f"{query}: failover at 03:09"]


def count(words: str) -> int:
    """How many words there are."""
    return len(words.split())
'''
TOOLS = [{"module": "desk", "functions": ["search", "count"]}]
BOTH = [
    {"tool": "search", "arguments": {"query": "latency"}},
    {"tool": "count", "arguments": {"words": "one two three"}},
]
SCRIPTS: dict[str, Any] = {
    "diagnose": {
        "turns": [
            {"call": BOTH, "tokens": {"input": 100, "cached": 40, "output": 20}},
            {"status": 429, "retryAfter": 1},
            {"malformed": '{"cause": ', "tokens": {"input": 150, "output": 5}},
            {
                "output": {"cause": "${results.search[0]}", "confidence": 0.9},
                "tokens": {"input": 170, "output": 15},
            },
        ]
    },
    "refuse": {"turns": [{"refuse": "I must not help with that.", "repeat": "forever"}]},
    "loop": {
        "turns": [
            {
                "call": [{"tool": "count", "arguments": {"words": "again"}}],
                "tokens": {"input": 30, "output": 10},
                "repeat": "forever",
            }
        ]
    },
    "look": {
        "turns": [
            {
                "expect": [
                    {"at": "prompt", "contains": "chart.png:"},
                    {
                        "at": "body.messages[0].content[2].image_url.url",
                        "contains": "data:image/png;base64,iVBORw0KGgo",
                    },
                ],
                "say": "a chart",
            }
        ]
    },
    "clock": {
        "turns": [
            {"call": [{"tool": "get_current_time", "arguments": {"timezone": "UTC"}}]},
            {
                "call": [
                    {
                        "tool": "convert_time",
                        "arguments": {
                            "source_timezone": "UTC",
                            "time": "12:00",
                            "target_timezone": "Asia/Tokyo",
                        },
                    }
                ]
            },
            {"output": {"now": "${results.get_current_time}"}},
        ]
    },
}


@pytest.fixture(scope="module")
def models(space: Space, cluster: api.Cluster, operator: Operator) -> str:
    """Name of a ModelProvider that the scripted server stands behind."""
    url = outside.start_models(space, cluster.images["operator"], SCRIPTS)
    provider(
        space,
        "scripted",
        baseURL=url,
        models=[
            {"name": "diagnose", "price": {"input": "10", "cachedInput": "1", "output": "20"}},
            {"name": "look", "inputs": ["Image"]},
        ],
    )
    return "scripted"


def thinking(name: str, models: str, script: str, **fields: Any) -> Workflow:
    """A workflow with one agent node `a` that plays a script."""
    kind = {"model": {"provider": models, "name": script}, "prompt": f"Run {name}: why?"}
    kind |= fields.pop("kind", {})
    spec = {"modules": {"desk": MODULE}}
    return workflow(name).having(**spec).node("a", agent=kind, **fields)


def log(space: Space, script: str) -> Obj:
    """The scripted server's own sums."""
    path = f"/api/v1/namespaces/{space.name}/pods/models:{outside.PORT}/proxy/_log"
    found: Obj = space.kube.request("GET", path)
    sums: Obj = found["scripts"][script]
    return sums


def test_tools_a_malformed_answer_and_a_429_end_in_typed_output(space: Space, models: str) -> None:
    run = space.start(
        thinking("diagnosed", models, "diagnose", kind={"tools": TOOLS}, outputSchema=CAUSE)
    )
    seen = run.succeeded()
    node = node_of(seen, "a")
    assert node["output"] == {"cause": "latency: failover at 03:09", "confidence": 0.9}
    usage, reported = node["usage"], log(space, "diagnose")
    assert (usage["reasks"], usage["providerWaits"]) == (1, 1)
    assert usage["modelCalls"] == reported["answers"] == 3
    for name in ("inputTokens", "cachedTokens", "outputTokens"):
        assert usage[name] == reported[name], name
    assert (
        usage["tools"]
        == {"search": 1, "count": 1}
        == {name: reported["toolCalls"][name] for name in ("search", "count")}
    )
    # (420 - 40) * 10 + 40 * 1 + 40 * 20, per million
    assert usage["costUSD"] == seen["status"]["usage"]["costUSD"] == "0.00464"


def test_the_trace_tells_every_call_and_no_content(space: Space, models: str) -> None:
    run = space.start(
        thinking("traced", models, "diagnose", kind={"tools": TOOLS}, outputSchema=CAUSE)
    )
    run.succeeded()
    record = run.node("a")["attempts"][0]["trace"]
    found = space.get("noderecords", record)
    assert found is not None
    entries = found["spec"]["data"]["entries"]
    kinds = [entry["type"] for entry in entries]
    assert (kinds.count("model"), kinds.count("tool")) == (4, 2)
    [refused] = [entry["error"] for entry in entries if "error" in entry]
    assert refused.startswith("RateLimited")
    assert (kinds.count("reask"), kinds.count("wait")) == (1, 1)
    assert "failover" not in str(entries), "neither arguments nor results"
    text = space.kube.must(
        sys.executable,
        *("-m", "waypost", "trace", "traced", "-n", space.name),
        *("--kubeconfig", str(space.kube.kubeconfig)),
    )
    assert "search" in text
    assert "RateLimited" in text


def test_a_refusal_is_caught_by_a_branch(space: Space, models: str) -> None:
    made_ = thinking("refused", models, "refuse", onFailure="Continue")
    made_.python("plan_b", "return 'a human looks'", when="${nodes.a.error.reason == 'Refused'}")
    run = space.start(made_)
    run.succeeded()
    assert "I must not help with that." in run.node("a")["message"]
    assert run.node("plan_b")["output"] == "a human looks"


def test_a_fallback_output_lets_the_graph_go_on(space: Space, models: str) -> None:
    fallback = {"cause": "unknown", "confidence": 0}
    made_ = thinking(
        "fallback",
        models,
        "refuse",
        onFailure="Continue",
        fallbackOutput=fallback,
        outputSchema=CAUSE,
    )
    made_.python("tell", "return cause", inputs={"cause": "${nodes.a.output.cause}"})
    run = space.start(made_)
    run.succeeded()
    assert run.node("tell")["output"] == "unknown"


def test_a_tool_of_somebody_elses_server_and_one_that_is_not_allowed(
    space: Space, models: str, cluster: api.Cluster
) -> None:
    url = outside.start_mcp(space, outside.mcp_image(cluster))
    made(space, "toolservers", "ToolServer", "time", {"http": {"url": url}})
    tools = [{"server": "time", "allow": ["get_current_time"]}]
    run = space.start(thinking("current-time", models, "clock", kind={"tools": tools}))
    run.succeeded()
    assert run.node("a")["usage"]["tools"].get("get_current_time") == 1
    found = space.get("noderecords", run.node("a")["attempts"][0]["trace"])
    assert found is not None
    calls = {
        e["name"]: e["outcome"] for e in found["spec"]["data"]["entries"] if e["type"] == "tool"
    }
    assert calls == {"get_current_time": "ok", "convert_time": "refused"}


def test_the_budget_stops_a_looping_agent_within_one_call(space: Space, models: str) -> None:
    run = space.start(
        thinking("looping", models, "loop", kind={"tools": TOOLS}).having(
            budget={"tokens": 200}, modules={"desk": MODULE}
        )
    )
    run.finished()
    node = run.node("a")
    assert (node["phase"], node["reason"]) == ("Failed", "BudgetExceeded")
    assert 200 <= node["usage"]["totalTokens"] <= 240, "a call takes 40"


def test_a_provider_that_comes_later_is_waited_for(space: Space, models: str) -> None:
    run = space.start(thinking("early", "later", "diagnose", kind={"tools": TOOLS}))
    held = run.troubled("a", "MissingReference", within=10)
    assert held["phase"] == "Pending"
    assert f"ModelProvider later does not exist in namespace {space.name}" in held["message"]
    known = space.get("modelproviders", models)
    assert known is not None
    provider(space, "later", baseURL=known["spec"]["baseURL"])
    run.succeeded()


DRAW = """
open('/data/pictures/chart.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n' + bytes(100))
"""
PICTURES = {"out": [{"name": "pictures", "path": "/data/pictures"}]}
SHOWN = {"attachments": [{"from": "${nodes.draw.artifacts.pictures}"}]}


def test_s486_a_picture_is_sent_with_the_prompt(space: Space, models: str) -> None:
    run = thinking("looked", models, "look", kind=SHOWN)
    seen = space.start(run.python("draw", DRAW, artifacts=PICTURES)).succeeded(within=120)
    assert node_of(seen, "a")["output"] == "a chart"


def test_s487_a_model_that_takes_no_pictures_is_not_asked(space: Space, models: str) -> None:
    run = thinking("not-looked", models, "refuse", kind=SHOWN, retry={"limit": 0})
    seen = space.start(run.python("draw", DRAW, artifacts=PICTURES)).finished(within=120)
    node = node_of(seen, "a")
    assert (node["phase"], node["reason"]) == ("Failed", "InputInvalid")
    assert "chart.png is image/png, and model refuse takes text" in node["message"]
