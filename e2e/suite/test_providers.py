"""ModelProviders and ToolServers on a real cluster: what Ready says, the tools of servers that are
not ours, and a key that is in one file and nowhere else."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import workflow
from e2e.suite.kube import Kube, Obj, path_of
from e2e.suite.operators import Operator
from e2e.suite.space import Space, condition
from e2e.suite.waiting import until

NAMED_WITHIN = 30.0  # a probe is a pod: it has to be scheduled and to start
CANARY = "sk-canary-5b1d9f27c3e84a60"
KEY = {"name": "provider", "key": "api-key"}
MCP_SECONDS = 600  # the image with other people's servers is built on the first run


def provider(space: Space, name: str, **spec: object) -> Obj:
    return made(space, "modelproviders", "ModelProvider", name, {"type": "OpenAI", **spec})


def server(space: Space, name: str, **spec: object) -> Obj:
    return made(space, "toolservers", "ToolServer", name, spec)


def made(space: Space, plural: str, kind: str, name: str, spec: Obj) -> Obj:
    manifest = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    return space.create(plural, manifest)


def secret(space: Space, name: str, **data: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    space.create("secrets", {**manifest, "stringData": data})


def ready(space: Space, plural: str, name: str, reason: str) -> Obj:
    """The object once Ready has this reason, which takes at most NAMED_WITHIN."""

    def look() -> Obj | None:
        found = space.get(plural, name)
        return found if found and condition(found, "Ready").get("reason") == reason else None

    return until(
        look,
        within=NAMED_WITHIN,
        what=f"{name} says {reason}",
        seen=lambda: json.dumps((space.get(plural, name) or {}).get("status"), indent=1),
    )


@dataclass(frozen=True)
class Wrong:
    """A provider that cannot be used, and what its condition must say."""

    spec: Obj
    reason: str
    said: str


WRONG = {
    "secret": Wrong(
        {"apiKey": {"name": "nobody-made-this", "key": "api-key"}},
        "MissingSecret",
        "Secret nobody-made-this does not exist; create it: kubectl create secret generic "
        "nobody-made-this --from-file=api-key=FILE",
    ),
    "key": Wrong(
        {"apiKey": {"name": "provider", "key": "other"}},
        "MissingSecret",
        "Secret provider has no key other",
    ),
    "ca": Wrong(
        {"apiKey": KEY, "tls": {"caConfigMap": {"name": "no-ca", "key": "ca.crt"}}},
        "MissingConfigMap",
        "ConfigMap no-ca does not exist",
    ),
    "host": Wrong(
        {"baseURL": "https://no-such-host.invalid/v1"},
        "Unreachable",
        "no-such-host.invalid cannot be reached: ",
    ),
    "port": Wrong(
        {"baseURL": "http://127.0.0.1:9/v1"}, "Unreachable", "127.0.0.1:9 cannot be reached: "
    ),
}


@pytest.fixture(scope="module")
def wrong(space: Space) -> dict[str, Wrong]:
    """All of them at once: they wait at the same time."""
    secret(space, "provider", **{"api-key": CANARY})
    for name, row in WRONG.items():
        provider(space, f"wrong-{name}", **row.spec)
    return WRONG


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(space: Space, wrong: dict[str, Wrong], name: str) -> None:
    row = wrong[name]
    found = ready(space, "modelproviders", f"wrong-{name}", row.reason)
    reported = condition(found, "Ready")
    assert reported["status"] == "False"
    assert row.said in reported["message"]


def test_a_secret_that_comes_makes_it_ready(space: Space, runner: str) -> None:
    url = outside.start_guarded(space, runner, key="sk-late")
    provider(space, "late", baseURL=url, apiKey={"name": "late", "key": "api-key"})
    ready(space, "modelproviders", "late", "MissingSecret")
    secret(space, "late", **{"api-key": "sk-late"})
    note = {"metadata": {"annotations": {"waypost.dev/probe-at": "now"}}}
    space.patch("modelproviders", "late", note)
    found = ready(space, "modelproviders", "late", "Answered")
    assert found["status"]["modelsFound"] == 1


def test_the_scripted_model_server_is_a_provider(
    space: Space, cluster: api.Cluster, kube: Kube
) -> None:
    script = {"draft": {"turns": [{"say": "Hello."}]}}
    url = outside.start_models(space, cluster.images["operator"], script)
    models = [{"name": "scripted/draft"}, {"name": "scripted/darft"}]
    provider(space, "scripted", baseURL=url, models=models)
    found = ready(space, "modelproviders", "scripted", "UnknownModels")
    assert condition(found, "Ready")["status"] == "True", "a warning"
    assert found["status"]["unknownModels"] == ["scripted/darft"]
    assert "OpenAI" in space.kubectl("get", "mp", "scripted")


@pytest.fixture(scope="module")
def mcp(cluster: api.Cluster) -> str:
    return outside.mcp_image(cluster)


@pytest.mark.timeout(MCP_SECONDS)
def test_a_server_of_others_shows_its_tools_over_http(space: Space, mcp: str) -> None:
    server(space, "clock", http={"url": outside.start_mcp(space, mcp)})
    found = ready(space, "toolservers", "clock", "Answered")
    shows_time(found)
    table = space.kubectl("get", "ts", "clock").splitlines()
    assert table[0].split() == ["NAME", "READY", "REASON", "TOOLS", "AGE"]
    assert table[1].split()[:4] == ["clock", "True", "Answered", "2"]


@pytest.mark.timeout(MCP_SECONDS)
def test_a_program_in_an_image_of_one_s_own_shows_its_tools(space: Space, mcp: str) -> None:
    server(space, "program", stdio={"command": ["mcp-server-time"], "image": mcp})
    shows_time(ready(space, "toolservers", "program", "Answered"))


def shows_time(found: Obj) -> None:
    tools = {tool["name"]: tool for tool in found["status"]["tools"]}
    assert set(tools) == {"convert_time", "get_current_time"}
    assert tools["get_current_time"]["inputSchema"]["required"] == ["timezone"]
    assert tools["get_current_time"]["annotations"]["readOnly"] is True


def test_a_node_that_lacks_a_secret_names_it_and_ends(space: Space) -> None:
    auth = {"bearer": {"name": "nobody-made-this", "key": "token"}}
    run = space.start(
        workflow("lacking").node(
            "fetch", http={"url": "http://127.0.0.1:9/", "auth": auth}, queueTimeout="25s"
        )
    )
    node = run.troubled("fetch", "MissingReference", within=20)
    assert node["message"].startswith("Secret nobody-made-this does not exist; create it:")
    assert node["phase"] == "Running", "it may yet come"
    ended = run.reaches("fetch", "Failed", within=60)
    assert ended["reason"] == "MissingReference"


def test_a_run_goes_on_when_its_provider_comes(own_space: Space, cluster: api.Cluster) -> None:
    script = {"draft": {"turns": [{"say": "Hello."}]}}
    url = outside.start_models(own_space, cluster.images["operator"], script)
    model = {"provider": "later", "name": "scripted/draft"}
    run = own_space.start(
        workflow("early").node("think", agent={"model": model, "prompt": "Say hello."})
    )
    node = run.troubled("think", "MissingReference", within=20)
    assert node["phase"] == "Pending"
    assert "later" in node["message"]
    provider(own_space, "later", baseURL=url)
    run.until(lambda found: run.jobs("think"), what="the node is launched", within=10)


# --- the canary ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def echoed(space: Space, runner: str) -> None:
    """A key that a server refuses and echoes, in a provider and in a tool server."""
    address = outside.start(space, "echo", runner, ["python3", "-c", outside.GUARDED, "another"])
    url = f"http://{address}:{outside.PORT}"
    secret(space, "canary", **{"api-key": CANARY, "header": f"Bearer {CANARY}"})
    source = {"secretKeyRef": {"name": "canary", "key": "header"}}
    headers = [{"name": "Authorization", "valueFrom": source}]
    provider(space, "echo", baseURL=f"{url}/v1", apiKey={"name": "canary", "key": "api-key"})
    server(space, "echo", http={"url": f"{url}/mcp", "headers": headers})
    for plural in ("modelproviders", "toolservers"):
        reported = condition(ready(space, plural, "echo", "Unauthorized"), "Ready")["message"]
        assert "Incorrect API key provided: " in reported, "the server did get it"
        assert "[redacted]" in reported


SEEN: dict[str, Callable[[Kube, Space], str]] = {
    "objects": lambda kube, space: "".join(
        json.dumps(space.all(plural))
        for plural in ("modelproviders", "toolservers", "jobs", "pods", "events", "configmaps")
    ),
    "logs": lambda kube, space: "".join(
        str(kube.request("GET", path_of("pods", space.name, pod["metadata"]["name"], "log")))
        for pod in space.all("pods", "waypost.dev/probe")
        if pod["status"]["phase"] == "Succeeded"
    ),
}


@pytest.mark.parametrize("where", SEEN)
def test_a_key_is_in_its_file_and_nowhere_else(
    kube: Kube, space: Space, echoed: None, where: str
) -> None:
    seen = SEEN[where](kube, space)
    assert len(seen) > 100, "there is something to look at"
    assert CANARY not in seen


def test_a_key_is_not_in_the_operator_s_log(operator: Operator, echoed: None) -> None:
    assert CANARY not in operator.logs()
