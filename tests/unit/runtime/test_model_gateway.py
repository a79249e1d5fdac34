"""Agents of an installation with a model gateway: what their pods get, and what they do not."""

import json
from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.isolation.policy import NamespacePolicy
from waypost.kube.egress.forwarded import Forwarded, digest_of, forwarded_from_text
from waypost.kube.egress.policy import EgressSettings
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import agent, http, python, spec
from tests.support.harness import NAMESPACE, World, gives
from tests.support.virtual import virtual

MAIN = {
    "type": "OpenAI",
    "baseURL": "https://models.example/v1",
    "apiKey": {"name": "keys", "key": "api-key"},
    "headers": [{"name": "X-Team", "value": "blue"}],
}
PODS = PodSettings(
    runner_image="runner:test",
    agent_image="agent:test",
    gateway_url="http://waypost-gateway.waypost.svc:8080",
    models_url="http://waypost-models.waypost.svc:8080",
    egress=EgressSettings(
        gateway_namespace="waypost",
        gateway_labels=(("component", "gateway"),),
        gateway_address="http://10.96.0.7:8080",
        models_namespace="waypost",
        models_labels=(("component", "models"),),
        models_address="http://10.96.0.8:8080",
    ),
)
ALL = replace(PODS, models_for_all=True)
WITHOUT = replace(PODS, models_url=None, egress=replace(PODS.egress, models_address=""))
LIST = {"egress": "AllowList", "allow": {"dns": True}}


async def make(world: World, kind: Kind, name: str, spec_: Obj) -> None:
    body = {
        "apiVersion": meta.API_VERSION,
        "kind": kind.kind,
        "metadata": {"name": name},
        "spec": spec_,
    }
    await world.user.create(kind, namespace=NAMESPACE, body=body)


async def launched(world: World, pods: PodSettings, node: Obj) -> tuple[Obj, Obj]:
    """The pod of the node's attempt, and what its agent is asked to do."""
    world.start(pods=pods)
    await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
    await world.submit(spec(node))
    assert (await world.finished())["phase"] == "Succeeded"
    [job] = [one for one in world.all(Kind.JOB) if meta.LABEL_RUN in one["metadata"]["labels"]]
    template = job["spec"]["template"]
    request = json.loads(template["metadata"]["annotations"][meta.ANNOTATION_REQUEST])
    return template["spec"], request.get("agent", {})


def audiences(pod: Obj) -> list[str]:
    found = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "token"]
    sources = found[0]["sources"] if found else []
    return [source["serviceAccountToken"]["audience"] for source in sources]


@pytest.mark.parametrize(
    ("pods", "isolation", "url"),
    [
        pytest.param(PODS, {"egress": "Gateway"}, "http://10.96.0.8:8080", id="gateway"),
        pytest.param(PODS, LIST, "http://10.96.0.8:8080", id="allow-list"),
        pytest.param(ALL, {}, "http://waypost-models.waypost.svc:8080", id="all"),
        pytest.param(PODS, {}, None, id="inherit"),
        pytest.param(WITHOUT, LIST, None, id="no-model-gateway"),
    ],
)
@virtual
async def test_a_pod_has_a_token_or_a_key(pods: PodSettings, isolation: Obj, url: Any) -> None:
    """S490"""
    async with World(script={"a": [gives("x")]}) as world:
        pod, work = await launched(world, pods, agent("a", isolation=isolation))
        volumes = {volume["name"] for volume in pod["volumes"]}
        model = work["model"]
        assert ("secrets" in volumes) == (url is None)
        assert ("keys" in json.dumps(pod)) == (url is None)
        expected = ["waypost-gateway", *(["waypost-models"] if url else [])]
        assert audiences(pod) == expected
        if url is None:
            assert model["baseUrl"] == MAIN["baseURL"]
            assert "tokenFile" not in model
        else:
            assert model["baseUrl"] == f"{url}/v1/model/0"
            assert model["tokenFile"] == "/waypost/token/models"
            assert model["upstreamUrl"] == MAIN["baseURL"]
            assert not {"keyFile", "caFile", "headers", "query"} & set(model)


@virtual
async def test_limits_that_nothing_would_enforce_are_refused() -> None:
    """S495"""
    async with World(script={"a": [gives("x")], "b": [gives("x")]}) as world:
        world.start(pods=PODS)
        limits = {"requestsPerMinute": 60}
        await make(world, Kind.MODEL_PROVIDER, "main", {**MAIN, "rateLimits": limits})
        await world.submit(spec(agent("a", isolation={"egress": "Gateway"})))
        assert (await world.finished())["phase"] == "Succeeded"
        await world.submit(spec(agent("b")), name="second")
        assert (await world.finished("second"))["phase"] == "Failed"
        assert "only the model gateway enforces" in world.node("b", "second")["message"]


BUDGET = {"tokens": 1000}


@pytest.mark.parametrize(
    ("pods", "node", "shares"),
    [
        pytest.param(PODS, agent("a", isolation={"egress": "Gateway"}), ["1000"], id="node"),
        pytest.param(
            PODS,
            agent(
                "a",
                isolation={"egress": "Gateway"},
                inputs={"v": "${item}"},
                forEach={"items": "${inputs.list}", "maxParallel": 1},
            ),
            ["1000", "1000"],
            id="items",
        ),
        pytest.param(PODS, agent("a"), [None], id="no-gateway"),
    ],
)
@virtual
async def test_the_share_of_an_attempt_is_on_its_pod(
    pods: PodSettings, node: Obj, shares: list[str | None]
) -> None:
    """S497: of items too, whose shares are not in the status."""
    script = {"a": [gives("x")], "a/0": [gives("x")], "a/1": [gives("x")]}
    async with World(script=script) as world:
        world.start(pods=pods)
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await world.submit(spec(node, budget=BUDGET, inputs={"list": [1, 2]}))
        assert (await world.finished())["phase"] == "Succeeded"
        jobs = [one for one in world.all(Kind.JOB) if meta.LABEL_RUN in one["metadata"]["labels"]]
        found = [
            one["spec"]["template"]["metadata"]["annotations"].get(meta.ANNOTATION_SHARE)
            for one in jobs
        ]
        assert found == shares


@virtual
async def test_the_policy_and_the_probe_know_it() -> None:
    """S381, S387, S490"""
    async with World(script={"a": [gives("x")]}) as world:
        node = agent("a", isolation={"egress": "Gateway"})
        pod, _ = await launched(world, PODS, node)
        [policy] = world.all(Kind.NETWORK_POLICY)
        labels = [
            rule["to"][0]["podSelector"]["matchLabels"]["component"]
            for rule in policy["spec"]["egress"]
        ]
        assert labels == ["gateway", "models"]
        probe = {one["name"]: one["value"] for one in pod["initContainers"][0]["env"]}
        assert probe["WAYPOST_MUST_REACH"] == "10.96.0.7:8080,10.96.0.8:8080"
        assert probe["WAYPOST_MUST_FAIL"].endswith("10.96.0.7:8081,10.96.0.8:8081")


@virtual
async def test_a_node_that_is_no_agent_has_no_part_in_it() -> None:
    """S490"""
    async with World(script={"a": [gives(1)]}) as world:
        node = python("a", isolation={"egress": "Gateway"})
        pod, _ = await launched(world, ALL, node)
        assert audiences(pod) == ["waypost-gateway"]
        [policy] = world.all(Kind.NETWORK_POLICY)
        assert len(policy["spec"]["egress"]) == 1


def fetching(url: str = "https://api.example/v1/${self.inputs.id}", **fields: Any) -> Obj:
    node = http("a", url=url, isolation={"egress": "Gateway"}, inputs={"id": "7 8"}, **fields)
    node["http"]["auth"] = {"bearer": {"name": "crm", "key": "token"}}
    return node


@virtual
async def test_an_http_node_has_no_key_and_the_gateway_gets_its_request() -> None:
    """S720"""
    async with World(script={"a": [gives({"status": 200, "headers": {}, "body": None})]}) as world:
        world.start(pods=PODS)
        header = [{"name": "X-Team", "value": "blue"}]
        node = fetching(method="POST", query={"q": "a b"}, body={"n": 1}, headers=header)
        await world.submit(spec(node))
        assert (await world.finished())["phase"] == "Succeeded"
        [job] = [one for one in world.all(Kind.JOB) if meta.LABEL_RUN in one["metadata"]["labels"]]
        template = job["spec"]["template"]
        assert "crm" not in json.dumps(job)
        assert "secrets" not in {volume["name"] for volume in template["spec"]["volumes"]}
        assert audiences(template["spec"]) == ["waypost-gateway", "waypost-models"]
        notes = template["metadata"]["annotations"]
        work = json.loads(notes[meta.ANNOTATION_REQUEST])["http"]
        assert work["gateway"] == {
            "url": "http://10.96.0.8:8080/v1/http",
            "tokenFile": "/waypost/token/models",
        }
        assert not {"auth", "caFile"} & set(work)
        assert forwarded_from_text(notes[meta.ANNOTATION_HTTP]) == Forwarded(
            "POST",
            "https://api.example/v1/7%208?q=a%20b",
            (("X-Team", "blue"),),
            digest_of(b'{"n":1}'),
        )
        [policy] = world.all(Kind.NETWORK_POLICY)
        assert len(policy["spec"]["egress"]) == 2


@pytest.mark.parametrize(
    ("isolation", "pods"),
    [
        pytest.param(None, PODS, id="inherit"),
        pytest.param(None, ALL, id="all-agents"),
        pytest.param({**LIST, "verify": "Off"}, PODS, id="list"),
    ],
)
@virtual
async def test_other_http_nodes_are_as_before(isolation: Any, pods: PodSettings) -> None:
    """S720: they send their requests themselves, with the key as a file."""
    async with World(script={"a": [gives({"status": 200, "headers": {}, "body": None})]}) as world:
        world.start(pods=pods)
        node = fetching()
        del node["isolation"]
        await world.submit(spec({**node, **({"isolation": isolation} if isolation else {})}))
        assert (await world.finished())["phase"] == "Succeeded"
        [job] = [one for one in world.all(Kind.JOB) if meta.LABEL_RUN in one["metadata"]["labels"]]
        template = job["spec"]["template"]
        assert meta.ANNOTATION_HTTP not in template["metadata"]["annotations"]
        assert audiences(template["spec"]) == ["waypost-gateway"]
        work = json.loads(template["metadata"]["annotations"][meta.ANNOTATION_REQUEST])["http"]
        assert work["auth"] == {"bearerFile": "/waypost/secrets/http/bearer"}
        assert "gateway" not in work


@pytest.mark.parametrize(
    ("pods", "node", "words"),
    [
        pytest.param(WITHOUT, fetching(), "modelGateway.enabled", id="none"),
        pytest.param(
            replace(PODS, egress=replace(PODS.egress, models_address="")),
            fetching(),
            "modelGateway.clusterIP",
            id="no-address",
        ),
        pytest.param(PODS, {**fetching(), "inputs": {"id": ".."}}, "a part '.' or '..'", id="dots"),
        pytest.param(
            PODS,
            fetching(query={f"q{n}": "x" * 4000 for n in range(5)}),
            "pass data in the body",
            id="long",
        ),
    ],
)
@virtual
async def test_an_http_node_that_could_not_work(pods: PodSettings, node: Obj, words: str) -> None:
    """S720, S721"""
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=pods)
        await world.submit(spec(node))
        assert (await world.finished())["phase"] == "Failed"
        assert world.node("a")["reason"] == "InputInvalid"
        assert words in world.node("a")["message"]


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        pytest.param({"hosts": ["api.example"], "secrets": ["crm"]}, "", id="allowed"),
        pytest.param({"hosts": ["other.example"]}, "host api.example", id="host"),
        pytest.param({"secrets": ["other"]}, "Secret crm", id="secret"),
    ],
)
@virtual
async def test_s725_the_policy_of_the_platform(policy: Obj, refused: str) -> None:
    """W14: which hosts, and whose Secrets, although the pod has neither."""
    async with World(script={"a": [gives({"status": 200, "headers": {}, "body": None})]}) as world:
        world.start(pods=PODS, policies=(NamespacePolicy.model_validate(policy),))
        await world.submit(spec(fetching()))
        phase = (await world.finished())["phase"]
        assert phase == ("Failed" if refused else "Succeeded")
        assert world.node("a").get("reason") == ("NotPermitted" if refused else None)
        assert refused in world.node("a").get("message", "")


TOKEN_URL = "https://login.example/token"
DESK: Obj = {
    "timeout": "90s",
    "http": {
        "url": "https://tools.example/mcp",
        "headers": [
            {"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": "desk-key", "key": "key"}}},
            {"name": "X-Team", "value": "blue"},
        ],
        "tls": {"caConfigMap": {"name": "desk-ca", "key": "ca.crt"}},
        "auth": {
            "oauth": {
                "tokenUrl": TOKEN_URL,
                "clientId": "me",
                "clientSecret": {"name": "desk-client", "key": "secret"},
            }
        },
    },
}


def working(isolation: Any = None) -> Obj:
    """An agent with a module, a ToolServer over http, and one that is a program."""
    tools = [
        {"module": "os.path", "functions": ["exists"]},
        {"server": "desk", "allow": ["send"], "effects": {"send": "once"}},
        {"server": "clock", "allow": ["now"]},
    ]
    return agent("a", tools=tools, isolation=isolation or {"egress": "Gateway"})


async def tooled(world: World, pods: PodSettings, node: Obj) -> tuple[Obj, list[Obj]]:
    """The Job of the agent, and what it is given of its tools."""
    world.start(pods=pods)
    await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
    await make(world, Kind.TOOL_SERVER, "desk", DESK)
    await make(world, Kind.TOOL_SERVER, "clock", {"stdio": {"command": ["clock"]}})
    await world.submit(spec(node))
    assert (await world.finished())["phase"] == "Succeeded"
    [job] = [one for one in world.all(Kind.JOB) if meta.LABEL_RUN in one["metadata"]["labels"]]
    notes = job["spec"]["template"]["metadata"]["annotations"]
    return job, json.loads(notes[meta.ANNOTATION_REQUEST])["agent"]["tools"]


@virtual
async def test_s612_tool_servers_are_reached_by_the_gateway() -> None:
    """The pod has nothing of what the ToolServer takes from Secrets and ConfigMaps."""
    async with World(script={"a": [gives("x")]}) as world:
        job, [module, desk, clock] = await tooled(world, PODS, working())
        assert desk == {
            "server": "desk",
            "url": "http://10.96.0.8:8080/v1/tools/1",
            "tokenFile": "/waypost/token/models",
            "upstreamUrl": "https://tools.example/mcp",
            "tokenUrl": TOKEN_URL,
            "timeoutSeconds": 90.0,
            "allow": ["send"],
            "effects": {"send": "once"},
        }
        assert clock["command"] == ["clock"]
        assert "module" in module
        pod = job["spec"]["template"]["spec"]
        assert "secrets" not in {volume["name"] for volume in pod["volumes"]}
        for name in ("desk-key", "desk-client", "desk-ca", "X-Team"):
            assert name not in json.dumps(job)


@pytest.mark.parametrize(
    ("pods", "isolation"),
    [
        pytest.param(PODS, {**LIST, "verify": "Off"}, id="list"),
        pytest.param(ALL, {"egress": "Inherit"}, id="all-agents"),
    ],
)
@virtual
async def test_s612_other_agents_reach_them_as_before(pods: PodSettings, isolation: Obj) -> None:
    async with World(script={"a": [gives("x")]}) as world:
        job, [_, desk, _] = await tooled(world, pods, working(isolation))
        assert desk["url"] == "https://tools.example/mcp"
        assert "tokenFile" not in desk
        assert "desk-key" in json.dumps(job)


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        pytest.param({"hosts": ["*.example"]}, "", id="allowed"),
        pytest.param(
            {"hosts": ["models.example", "login.example"]}, "host tools.example", id="server"
        ),
        pytest.param(
            {"hosts": ["models.example", "tools.example"]}, "host login.example", id="token-server"
        ),
        pytest.param({"secrets": ["desk-key"]}, "Secret desk-client", id="secret"),
        pytest.param({"secrets": ["desk-*"]}, "", id="secrets"),
    ],
)
@virtual
async def test_s614_the_policy_of_the_platform(policy: Obj, refused: str) -> None:
    """W5: the author of a ToolServer names a Secret, and where it is sent to."""
    async with World(script={"a": [gives("x")]}) as world:
        world.start(pods=PODS, policies=(NamespacePolicy.model_validate(policy),))
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await make(world, Kind.TOOL_SERVER, "desk", DESK)
        await make(world, Kind.TOOL_SERVER, "clock", {"stdio": {"command": ["clock"]}})
        await world.submit(spec(working()))
        phase = (await world.finished())["phase"]
        assert refused in world.node("a").get("message", "")
        assert phase == ("Failed" if refused else "Succeeded")
        assert world.node("a").get("reason") == ("NotPermitted" if refused else None)


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        pytest.param(WITHOUT, "modelGateway.enabled", id="none"),
        pytest.param(
            replace(PODS, egress=replace(PODS.egress, models_address="")),
            "modelGateway.clusterIP",
            id="no-address",
        ),
    ],
)
@virtual
async def test_an_agent_that_could_not_work(pods: PodSettings, words: str) -> None:
    """S490: no Job is created, and the node says why."""
    async with World(script={"a": [gives("x")]}) as world:
        world.start(pods=pods)
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await world.submit(spec(agent("a", isolation={"egress": "Gateway"})))
        assert (await world.finished())["phase"] == "Failed"
        assert world.node("a")["reason"] == "InputInvalid"
        assert words in world.node("a")["message"]
        runs = [one for one in world.all(Kind.JOB) if meta.LABEL_RUN in one["metadata"]["labels"]]
        assert runs == []


@pytest.mark.parametrize("pods", [PODS, WITHOUT], ids=["gateway", "no-gateway"])
@pytest.mark.parametrize(
    ("hosts", "refused"),
    [
        pytest.param(["models.example", "tools.example"], "", id="both"),
        pytest.param(["*.example"], "", id="a-pattern"),
        pytest.param(["tools.example"], "host models.example", id="not-the-provider"),
        pytest.param(["models.example"], "host tools.example", id="not-the-server"),
    ],
)
@virtual
async def test_s628_agents_send_keys_to_listed_hosts_only(
    pods: PodSettings, hosts: list[str], refused: str
) -> None:
    """W5: the author of a ModelProvider names a Secret, and the address that it is sent to."""
    node = agent("a", isolation={**LIST, "verify": "Off"})
    node["agent"]["tools"] = [{"server": "desk", "allow": ["send"]}]
    async with World(script={"a": [gives("x")]}) as world:
        policy = NamespacePolicy.model_validate({"hosts": hosts})
        world.start(pods=pods, policies=(policy,))
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await make(world, Kind.TOOL_SERVER, "desk", {"http": {"url": "https://Tools.example/mcp"}})
        await world.submit(spec(node))
        phase = (await world.finished())["phase"]
        assert phase == ("Failed" if refused else "Succeeded")
        found = world.node("a")
        assert found.get("reason") == ("NotPermitted" if refused else None)
        assert refused in found.get("message", "")
