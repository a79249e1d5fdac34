"""Agent nodes: what their pods are given, what they wait for, what they may use up."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.base import JsonObject, JsonValue
from waypost.api.provider import ModelProviderSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.compiler.definition import define
from waypost.engine.state.decision import PutRecord
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.payloads import Payload, RecordFact
from waypost.protocol.work import Trace, Usage

from tests.support.builders import RUN_UID, agent, python, spec
from tests.support.play import Play, evicted, launches, never_ends, returns, uses

PROVIDER: JsonObject = {
    "type": "OpenAI",
    "baseURL": "http://models/v1",
    "apiKey": {"name": "keys", "key": "openai"},
    "settings": {"temperature": 0.1, "maxTokens": 10},
    "models": [
        {"name": "m", "price": {"input": "1", "output": "2"}, "settings": {"maxTokens": 20}}
    ],
}
SERVER: JsonObject = {
    "http": {
        "url": "http://tools/mcp",
        "headers": [
            {"name": "X-Plain", "value": "1"},
            {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k"}}},
        ],
        "tls": {"caConfigMap": {"name": "ca", "key": "ca.crt"}},
    },
    "timeout": "5s",
}


def world(**changes: JsonValue) -> dict[str, Any]:
    """What the namespace offers: provider `main`, server `runbooks`."""
    return {
        "providers": {"main": ModelProviderSpec.model_validate(PROVIDER | changes)},
        "servers": {"runbooks": ToolServerSpec.model_validate(SERVER)},
    }


def play(*nodes: JsonObject, around: dict[str, Any] | None = None, **fields: Any) -> Play:
    return Play(spec(*nodes, **fields), overrides=world() if around is None else around)


def pod_of(job: JsonObject) -> JsonObject:
    found: JsonObject = job["spec"]["template"]
    return found


def asked(job: JsonObject) -> JsonObject:
    """The request document of a Job."""
    text = pod_of(job)["metadata"]["annotations"][meta.ANNOTATION_REQUEST]
    request: JsonObject = json.loads(text)
    return request


def first(*nodes: JsonObject, **fields: Any) -> JsonObject:
    return launches(play(*nodes, **fields).step())[0].job


def test_the_request_has_texts_model_and_limits_resolved() -> None:
    node = agent(
        "a",
        prompt="About ${self.inputs.topic}",
        instructions="Be ${inputs.mood}.",
        inputs={"topic": "rain"},
        settings={"temperature": 1},
        limits={"tokens": 7},
    )
    sent = asked(first(node, inputs={"mood": "brief"}))["agent"]
    assert (sent["prompt"], sent["instructions"]) == ("About rain", "Be brief.")
    assert sent["model"] == {
        "type": "OpenAI",
        "name": "m",
        "baseUrl": "http://models/v1",
        "keyFile": "/waypost/secrets/model/key",
        "settings": {"temperature": 1, "maxTokens": 20},
        "price": {"input": "1", "output": "2"},
    }, "settings: provider, then its model, then the node"
    assert (sent["limits"], sent["reasks"]) == ({"requests": 50, "tokens": 7}, 2)


def test_query_parameters_and_credentials_come_as_values_and_files() -> None:
    query: JsonValue = [
        {"name": "v", "value": "1"},
        {"name": "k", "valueFrom": {"secretKeyRef": {"name": "q", "key": "k"}}},
    ]
    around = world(query=query)
    oauth = {
        "tokenUrl": "https://login/token",
        "clientId": "me",
        "clientSecret": {"name": "o", "key": "k"},
    }
    http = {"http": {"url": "http://tools/mcp", "query": query, "auth": {"oauth": oauth}}}
    around["servers"] = {"runbooks": ToolServerSpec.model_validate(http)}
    node = agent("a", tools=[{"server": "runbooks", "allow": ["read"]}])
    job = first(node, around=around)
    sent = asked(job)["agent"]
    assert sent["model"]["query"] == [
        {"name": "v", "value": "1"},
        {"name": "k", "file": "/waypost/secrets/model/query/1"},
    ]
    assert sent["tools"][0]["oauth"] == {
        "tokenUrl": "https://login/token",
        "clientId": "me",
        "clientSecretFile": "/waypost/secrets/tools/runbooks/client-secret",
        "scopes": [],
    }
    assert sent["tools"][0]["query"][1]["file"] == "/waypost/secrets/tools/runbooks/query/1"
    assert {"model/query/1", "tools/runbooks/query/1"} <= set(
        re.findall(r'"path": "([^"]+)"', json.dumps(pod_of(job)))
    )


def test_further_models_come_resolved_with_files_of_their_own() -> None:
    node = agent("a", models=[{"provider": "main", "name": "m"}, {"provider": "main", "name": "n"}])
    del node["agent"]["model"]
    job = first(node)
    sent = asked(job)["agent"]
    assert [(m["provider"], m["name"]) for m in (sent["model"], *sent["fallbacks"])] == [
        ("main", "m"),
        ("main", "n"),
    ]
    assert "price" not in sent["fallbacks"][0], "a price is of one model"
    assert sent["fallbacks"][0]["keyFile"] == "/waypost/secrets/model/1/key"
    assert "model/1/key" in json.dumps(pod_of(job)), "the file is mounted"


@pytest.mark.parametrize("field", ["model", "models"])
def test_one_of_model_and_models_replaces_both_of_the_defaults(field: str) -> None:
    def ref(name: str) -> JsonObject:
        return {"provider": "main", "name": name}

    usual = {"models": [ref("x"), ref("y")]} if field == "model" else {"model": ref("x")}
    node = agent("a", models=[ref("m")])
    del node["agent"]["models" if field == "model" else "model"]
    sent = asked(first(node, defaults={"agent": usual}))["agent"]
    assert (sent["model"]["name"], sent.get("fallbacks")) == ("m", None)


def test_the_list_of_models_is_in_the_fingerprint() -> None:
    def fingerprint(*names: str, usual: tuple[str, ...] = ()) -> str:
        node = agent("a")
        del node["agent"]["model"]
        if names:
            node["agent"]["models"] = [{"provider": "main", "name": name} for name in names]
        listed = [{"provider": "main", "name": name} for name in usual]
        defaults = {"defaults": {"agent": {"models": listed}}} if usual else {}
        return define(spec(node, **defaults)).fingerprints["a"]

    assert len({fingerprint("m"), fingerprint("m", "n"), fingerprint("n", "m")}) == 3
    assert fingerprint(usual=("m",)) != fingerprint(usual=("m", "n"))
    assert fingerprint("m", usual=("x",)) == fingerprint("m", usual=("y",)), "replaced by the node"


def test_a_further_model_of_no_provider_is_waited_for() -> None:
    models: list[JsonObject] = [{"provider": each, "name": "m"} for each in ("main", "nobody")]
    node = agent("a", models=models)
    del node["agent"]["model"]
    run = play(node)
    assert not launches(run.step())


def test_defaults_of_the_run_stand_behind_the_node() -> None:
    bare = agent("a")
    del bare["agent"]["model"]
    usual = {
        "model": {"provider": "main", "name": "other"},
        "instructions": "Usual.",
        "settings": {"topP": 0.5},
        "limits": {"requests": 3},
        "reasks": 0,
    }
    sent = asked(first(bare, defaults={"agent": usual}))["agent"]
    assert sent["model"]["name"] == "other"
    assert sent["model"]["settings"] == {"temperature": 0.1, "maxTokens": 10, "topP": 0.5}
    assert (sent["instructions"], sent["limits"], sent["reasks"]) == ("Usual.", {"requests": 3}, 0)


def test_an_address_that_is_not_given_is_the_public_one() -> None:
    around = world(baseURL=None, type="Anthropic")
    sent = asked(first(agent("a"), around=around))["agent"]
    assert sent["model"]["baseUrl"] == "https://api.anthropic.com"


def test_tools_come_with_address_headers_and_allow_list() -> None:
    tools = [
        {"server": "runbooks", "allow": ["read"], "effects": {"read": "none"}},
        {"module": "texts", "functions": ["count"], "effects": {"count": "once"}},
    ]
    sent = asked(first(agent("a", tools=tools), modules={"texts": "def count(): ..."}))
    assert sent["agent"]["tools"] == [
        {
            "server": "runbooks",
            "url": "http://tools/mcp",
            "timeoutSeconds": 5,
            "headers": [
                {"name": "X-Plain", "value": "1"},
                {"name": "Authorization", "file": "/waypost/secrets/tools/runbooks/1"},
            ],
            "caFile": "/waypost/secrets/tools/runbooks/ca",
            "allow": ["read"],
            "effects": {"read": "none"},
        },
        {"module": "texts", "functions": ["count"], "effects": {"count": "once"}},
    ]
    assert sent["modules"] == {"texts": "def count(): ..."}


def test_the_pod_is_told_what_the_model_takes_and_how_large_results_may_be() -> None:
    around = world(
        models=[{"name": "m", "inputs": ["Image", "PDF"], "structuredOutput": "JsonObject"}]
    )
    server = ToolServerSpec.model_validate(SERVER | {"maxResultBytes": 2048})
    tools: list[JsonObject] = [
        {"server": "runbooks", "allow": ["read"]},
        {"server": "runbooks", "allow": ["find"], "maxResultBytes": 4096},
        {"module": "texts", "functions": ["count"], "maxResultBytes": 1024},
    ]
    around["servers"] = {"runbooks": server}
    modules = {"texts": "def count(): ..."}
    sent = asked(first(agent("a", tools=tools), modules=modules, around=around))["agent"]
    assert sent["model"]["inputs"] == ["Image", "PDF"]
    assert sent["model"]["structuredOutput"] == "JsonObject"
    assert [each.get("maxResultBytes") for each in sent["tools"]] == [2048, 4096, 1024]


def test_headers_of_a_provider_come_as_values_and_files() -> None:
    secret = {"secretKeyRef": {"name": "gate", "key": "team"}}
    headers: list[JsonValue] = [
        {"name": "X-Plain", "value": "1"},
        {"name": "X-Team", "valueFrom": secret},
    ]
    around = world(headers=headers, settings={"reasoningEffort": "High"})
    sent = asked(first(agent("a"), around=around))["agent"]["model"]
    assert sent["headers"] == [
        {"name": "X-Plain", "value": "1"},
        {"name": "X-Team", "file": "/waypost/secrets/model/header/1"},
    ]
    assert sent["settings"]["reasoningEffort"] == "High"


def test_a_pod_gets_the_keys_its_node_needs_as_files_and_no_other() -> None:
    pod = pod_of(first(agent("a")))["spec"]
    [volume] = [v for v in pod["volumes"] if v["name"] == "secrets"]
    [source] = volume["projected"]["sources"]
    assert source["secret"]["name"] == "keys"
    assert [item["key"] for item in source["secret"]["items"]] == ["openai"]
    work = pod["containers"][0]
    assert work["image"] == "agent:test"
    assert not any("secretKeyRef" in json.dumps(variable) for variable in work["env"])


def test_an_edited_provider_does_not_make_the_job_another_attempts() -> None:
    digest = meta.ANNOTATION_REQUEST_DIGEST
    before = first(agent("a"))["metadata"]["annotations"][digest]
    after = first(agent("a"), around=world(baseURL="http://moved/v1"))
    assert after["metadata"]["annotations"][digest] == before


@pytest.mark.parametrize(
    ("around", "says"),
    [
        pytest.param(
            {},
            "ModelProvider main does not exist in namespace team (there are none); create it",
            id="no-provider",
        ),
        pytest.param(
            {"providers": {"other": ModelProviderSpec.model_validate(PROVIDER)}},
            "ModelProvider main does not exist in namespace team (there are: other)",
            id="another-provider",
        ),
        pytest.param(
            {"providers": {"main": None}},
            "ModelProvider main in namespace team cannot be read; see its condition Ready",
            id="unreadable-provider",
        ),
        pytest.param(
            world() | {"servers": {}},
            "ToolServer runbooks does not exist in namespace team",
            id="no-server",
        ),
    ],
)
def test_s63_a_node_waits_for_what_it_refers_to(around: dict[str, Any], says: str) -> None:
    node = agent("a", tools=[{"server": "runbooks", "allow": ["read"]}], queueTimeout="90s")
    run = play(node, around=around)
    run.step()
    held = run.status.nodes[0]
    assert (held.phase, held.reason, held.attempt) == ("Pending", "MissingReference", None)
    assert says in (held.message or "")
    assert says in run.condition("Succeeded")[2], "where people look first"
    run.advance(60)
    run.overrides = world()
    assert launches(run.step()), "created a minute later, as Git does"


def test_s63_the_wait_ends_with_queue_timeout_and_a_live_look() -> None:
    run = play(agent("a", queueTimeout="90s"), around={})
    run.step()
    run.advance(89)
    run.step()
    assert run.status.nodes[0].phase == "Pending"
    run.advance(1)
    run.step()
    assert (run.status.nodes[0].phase, run.status.nodes[0].reason) == ("Failed", "MissingReference")


def test_an_installation_without_agent_image_says_so() -> None:
    run = play(agent("a"))
    run.settings = PodSettings(runner_image="runner:test")
    run.step()
    assert "no image for agent nodes; set agent.image" in (run.status.nodes[0].message or "")


def test_an_agent_without_a_model_is_refused() -> None:
    node = agent("a")
    del node["agent"]["model"]
    [problem] = define(spec(node)).problems
    assert problem.field == "nodes.a.agent.model"
    assert "or set defaults.agent.model" in problem.message


# --- usage and budget ----------------------------------------------------------------------------


def spent(tokens: int, *, cost: str | None = None, tools: int = 0) -> Usage:
    return Usage(
        model_calls=1,
        input_tokens=tokens - tokens // 2,
        output_tokens=tokens // 2,
        tool_calls=tools,
        cost_usd=cost,
        tools={"search": tools} if tools else None,
    )


def test_usage_adds_up_from_attempts_to_the_run() -> None:
    run = play(agent("a", retry={"limit": 1}), agent("b"), python("c"))
    run.endings = {
        "a": [uses(spent(10, cost="0.10", tools=2), fails="NodeError"), uses(spent(5, cost="0.2"))],
        "b": [uses(spent(100))],
        "c": [returns(1)],
    }
    run.finish()
    by_path = {node.path: node for node in run.status.nodes}
    assert [a.usage and a.usage.total_tokens for a in by_path["a"].attempts or []] == [10, 5]
    assert by_path["c"].usage is None
    total = run.status.usage
    assert total is not None
    assert (total.total_tokens, total.model_calls, total.cost_usd) == (115, 3, "0.3")
    assert (total.tool_calls, total.tools) == (2, {"search": 2})


@pytest.mark.parametrize(
    ("stops", "phase", "reason"),
    [
        pytest.param({"cancel": True}, "Cancelled", "Cancelled", id="by a cancel"),
        pytest.param({}, "Backoff", "Disrupted", id="by a drain"),
    ],
)
def test_what_a_stopped_attempt_used_up_is_counted(
    stops: JsonObject, phase: str, reason: str
) -> None:
    run = play(agent("a"))
    run.endings = {"a": [never_ends()]}
    run.step()
    run.advance()
    run.step()
    run.edit(**stops)
    run.step()
    sent = uses(spent(70), fails="Disrupted", trace=True)
    run.pods = {uid: replace(sent(pod), deleting=True) for uid, pod in run.pods.items()}
    run.step()
    node = run.status.nodes[0]
    assert (node.phase, node.reason) == (phase, reason)
    assert node.usage is not None
    assert node.usage.total_tokens == 70
    [attempt] = node.attempts or []
    assert (attempt.reason, attempt.usage) == (reason, node.usage)


def test_what_a_killed_attempt_used_is_carried_by_the_next_that_reports() -> None:
    run = play(agent("a", retry={"limit": 1}))
    carried = spent(30, cost="0.3", tools=1)
    run.endings = {
        "a": [
            evicted(),
            uses(spent(5, cost="0.05"), fails="NodeError", carried=carried),
            uses(spent(7, cost="0.07")),
        ]
    }
    run.finish()
    [node] = run.status.nodes
    assert [a.usage and a.usage.total_tokens for a in node.attempts or []] == [None, 5, 7]
    assert [a.carried and a.carried.total_tokens for a in node.attempts or []] == [None, 30, None]
    assert node.usage is not None
    assert (node.usage.total_tokens, node.usage.cost_usd) == (42, "0.42")
    assert (node.usage.model_calls, node.usage.tools) == (3, {"search": 1})
    sent = [asked(run.manifests["a", number])["agent"].get("accounted") for number in (1, 2, 3)]
    assert [each and each["totalTokens"] for each in sent] == [None, None, 35]


def test_what_was_replayed_is_told_apart() -> None:
    run = play(agent("a"))
    run.endings = {"a": [uses(spent(5)._replace(replayed_model_calls=3, replayed_tool_calls=2))]}
    run.finish()
    usage = run.status.nodes[0].usage
    assert usage is not None
    assert (usage.model_calls, usage.replayed_model_calls, usage.replayed_tool_calls) == (1, 3, 2)


def test_an_unknown_effect_is_never_tried_again() -> None:
    run = play(agent("a", retry={"limit": 3}))
    run.endings = {"a": [uses(spent(5), fails="UnknownEffect")]}
    run.finish()
    [node] = run.status.nodes
    assert (node.phase, node.reason, node.attempt) == ("Failed", "UnknownEffect", 1)


def allotments(run: Play) -> list[int | None]:
    return [
        attempt.allotment.tokens if attempt.allotment else None
        for node in run.status.nodes
        for attempt in node.attempts or []
    ]


def test_nodes_side_by_side_cannot_overspend_together() -> None:
    run = play(agent("a"), agent("b", limits={"tokens": 100}), agent("c"), budget={"tokens": 900})
    run.step()
    assert allotments(run) == [300, 100, 500], "parted among those that start, within own limits"
    sent = [asked(run.manifests[path, 1])["agent"] for path in "abc"]
    assert [each["allotment"]["tokens"] for each in sent] == [300, 100, 500]
    assert [each["limits"].get("tokens") for each in sent] == [None, 100, None], "its own beside"


def test_what_was_not_used_is_given_back() -> None:
    run = play(agent("a"), agent("b", dependsOn=["a"]), budget={"tokens": 900})
    run.endings = {"a": [uses(spent(100))], "b": [uses(spent(1))]}
    run.finish()
    assert allotments(run) == [900, 800]


def test_s64_nothing_starts_beyond_the_budget() -> None:
    run = play(agent("a"), agent("b", dependsOn=["a"]), budget={"tokens": 100})
    run.endings = {"a": [uses(spent(120))]}
    run.finish()
    last = run.status.nodes[1]
    assert (last.phase, last.reason, last.attempt) == ("Failed", "BudgetExceeded", None)
    assert "spec.budget.tokens is 100, 120 are used" in (last.message or "")


def test_a_node_waits_for_budget_that_is_lent_out() -> None:
    run = play(agent("a"), agent("b"), budget={"toolCalls": 1})
    run.endings = {"a": [uses(spent(1))], "b": [uses(spent(1))]}
    run.step()
    assert [node.phase for node in run.status.nodes] == ["Running", "Pending"]
    assert "reserved by running attempts" in (run.status.nodes[1].message or "")
    run.finish()
    assert run.status.phase == "Succeeded", "the first gave its share back"


@pytest.mark.parametrize(
    ("retry_after", "at_least"),
    [pytest.param(90.0, 90, id="what-it-asks"), pytest.param(None, 5, id="our-own-backoff")],
)
def test_a_busy_provider_is_waited_for_beside_the_retries(
    retry_after: float | None, at_least: float
) -> None:
    run = play(agent("a"))
    run.endings = {
        "a": [uses(spent(1), fails="RateLimited", retry_after=retry_after), uses(spent(1))]
    }
    started = run.now
    run.finish()
    node = run.status.nodes[0]
    assert (node.phase, node.provider_retries, node.retries) == ("Succeeded", 1, None)
    assert (run.now - started).total_seconds() >= at_least


# --- traces --------------------------------------------------------------------------------------


def trace() -> Trace:
    made = Trace()
    made.add("model", start="2026-03-01T12:00:00.000Z", end="2026-03-01T12:00:01.000Z", model="m")
    return made


def test_a_trace_from_the_commit_record_is_kept_in_a_record_and_told() -> None:
    run = play(agent("a"))
    run.endings = {"a": [uses(spent(1), trace=trace())]}
    run.finish()
    [sent] = [decision for decision in run.decisions if decision.traces]
    assert sent.traces["a", 1].entries == trace().entries, "for spans"
    [put] = [effect for effect in sent.before if isinstance(effect, PutRecord)]
    assert put.manifest["spec"]["type"] == "Trace"
    [attempt] = run.node("a").attempts or []
    assert attempt.trace == put.manifest["metadata"]["name"], "so that people find it"


def test_a_trace_that_the_gateway_has_is_looked_for_and_told() -> None:
    run = play(agent("a"))
    run.endings = {"a": [uses(spent(1), trace=True)]}
    run.step()
    run.advance()
    [name] = run.planned().records
    payload = Payload("sha256:1", 1, read=True, value=trace().to_json())
    fact = RecordFact(name, "Trace", RUN_UID, "a", 1, 1, RUN_UID, payload)
    run.overrides |= {"records": {name: fact}}
    assert run.step().traces["a", 1].entries == trace().entries
    assert (run.node("a").attempts or [])[0].trace == name


def test_a_trace_that_was_lost_is_no_failure() -> None:
    run = play(agent("a"))
    run.endings = {"a": [uses(spent(1), trace=False)]}
    run.finish()
    assert (run.node("a").phase, (run.node("a").attempts or [])[0].trace) == ("Succeeded", None)
