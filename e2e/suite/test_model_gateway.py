"""Agents behind the model gateway: their calls succeed, and no key is in their pods."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Kube
from e2e.suite.model_gateways import ADDRESS, KEY, Place, grant, host_of, installed, keys
from e2e.suite.operators import NAMESPACE, Operator
from e2e.suite.space import Space, node_of
from e2e.suite.test_agents import log
from e2e.suite.test_providers import provider

pytestmark = [
    pytest.mark.alone,  # the chart is installed with other values
    pytest.mark.timeout(400),
]

GATEWAY: Final = f"http://{ADDRESS}:8080"
NAME: Final = "waypost-models"

# Looks for a text, which it is given in two halves, everywhere in its pod, and calls the gateway.
TOOLS: Final = f'''
import json, os, pathlib, urllib.error, urllib.request


def look(first: str, second: str) -> dict:
    """Where the text is in this pod."""
    wanted = (first + second).encode()
    places = [name for name, value in os.environ.items() if wanted in value.encode()]
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for part in (process / "environ", process / "cmdline"):
            places += [str(part)] if wanted in read(part) else []
    for root in ("/waypost", "/tmp", "/run", "/var/run", "/dev/shm"):
        for folder, _, files in os.walk(root):
            for path in (pathlib.Path(folder, name) for name in files):
                places += [str(path)] if wanted in read(path) else []
    files = sorted(str(path) for path in pathlib.Path("/waypost").rglob("*") if path.is_file())
    return {{"places": places, "files": [path for path in files if "/.." not in path]}}


def ask() -> dict:
    """What the gateway answers to calls of this pod."""
    token = pathlib.Path("/waypost/token/models").read_text()
    payloads = pathlib.Path("/waypost/token/gateway").read_text()
    body = {{"model": "inside", "messages": [{{"role": "user", "content": "a-private-question"}}]}}
    return {{
        "own": call(token, "0/chat/completions", body),
        "other model": call(token, "0/chat/completions", {{**body, "model": "other"}}),
        "other path": call(token, "0/embeddings", body),
        "other position": call(token, "1/chat/completions", body),
        "other audience": call(payloads, "0/chat/completions", body),
        "other destination": call(token, "0/chat/completions", {{**body, "api_base": "http://x"}}),
    }}


def spend() -> list:
    """Calls that the agent does not know of, until the gateway refuses one."""
    token = pathlib.Path("/waypost/token/models").read_text()
    body = {{"model": "spend", "messages": [{{"role": "user", "content": "more"}}]}}
    found = []
    while len(found) < 30 and (not found or found[-1] == [200, ""]):
        found.append(call(token, "0/chat/completions", body))
    return found


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def call(token, path, body):
    headers = {{"Authorization": f"Bearer {{token}}", "Content-Type": "application/json"}}
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{GATEWAY}/v1/model/{{path}}", data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return [answer.status, ""]
    except urllib.error.HTTPError as error:
        return [error.code, error.headers.get("waypost-refused", "")]
'''
BY_OTHERS: Final = (
    TOOLS
    + """

def run(tokens):
    body = {"model": "inside", "messages": []}
    return {name: call(token, "0/chat/completions", body) for name, token in tokens.items()}
"""
)

SCRIPTS: Final[dict[str, Any]] = {
    "inside": {
        "turns": [
            {
                "call": [
                    {"tool": "look", "arguments": {"first": KEY[:9], "second": KEY[9:]}},
                    {"tool": "ask", "arguments": {}},
                ],
                "tokens": {"input": 100, "output": 20},
            },
            {
                "output": {"look": "${results.look}", "ask": "${results.ask}"},
                "tokens": {"input": 120, "output": 30},
                "repeat": "forever",
            },
        ]
    },
    "hello": {"turns": [{"say": "Hello.", "repeat": "forever"}]},
    "spend": {
        "turns": [
            {
                "call": [{"tool": "spend", "arguments": {}}],
                "tokens": {"input": 100, "output": 20},
                "repeat": "forever",
            },
        ]
    },
}


SHARE: Final = 1000  # tokens
CALL: Final = 120  # tokens of one call of the script `spend`
LIMIT: Final = 8  # calls a minute of the strict provider

# Answers 429 to a call too many in a minute, wherever the minute begins.
STRICT: Final = """
import http.server, json, sys, threading, time

limit, times, lock, seen = int(sys.argv[1]), [], threading.Lock(), {"answered": 0, "refused": 0}

class Strict(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, seen if self.path == "/_log" else {"object": "list", "data": []})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with lock:
            now = time.monotonic()
            times[:] = [one for one in times if one > now - 60] + [now]
            full = len(times) > limit
            seen["refused" if full else "answered"] += 1
        message = {"role": "assistant", "content": "Hello."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "any"}
        self.answer(429 if full else 200, {**answer, "choices": [choice], "usage": usage})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("", 8000), Strict).serve_forever()
"""


@pytest.fixture(scope="module")
def place(space: Space, kube: Kube, cluster: api.Cluster, operator: Operator) -> Iterator[Place]:
    if cluster.provider == "current":
        pytest.skip("the network of pods is not known")
    script = {"apiKey": KEY, "scripts": SCRIPTS}
    url = outside.start_models(space, cluster.images["operator"], script)
    with installed(kube, cluster, url):
        hosts = {"keys": host_of(url), "foreign": "api.openai.com"}
        for name, provider_name in (("keys", "scripted"), ("foreign", "elsewhere")):
            keys(space, name, hosts=hosts[name])
            provider(space, provider_name, baseURL=url, apiKey={"name": name, "key": "api-key"})
        yield Place(space, url)


@pytest.fixture(scope="module")
def granted(place: Place) -> Place:
    grant(place.space)
    return place


def thinking(name: str, script: str, **fields: Any) -> Workflow:
    kind = {"model": {"provider": "scripted", "name": script}, "prompt": f"Run {name}: go"}
    kind |= fields.pop("kind", {})
    isolation = {"egress": "Gateway"}
    spec = {"modules": {"desk": TOOLS}}
    return workflow(name).having(**spec).node("a", agent=kind, isolation=isolation, **fields)


def test_a_key_that_is_not_granted(place: Place) -> None:
    """S493: before the administrator of the namespace has granted it; the node says so."""
    node = node_of(place.space.start(thinking("early", "hello")).finished(), "a")
    assert (node["phase"], node["reason"]) == ("Failed", "ProviderError")
    assert "KeyNotGranted" in node["message"]
    assert "waypost provider grant" in node["message"]


TOOL_NAMES: Final = [{"module": "desk", "functions": ["look", "ask"]}]


def test_an_agent_answers_and_its_pod_has_no_key(granted: Place) -> None:
    """S490, S491"""
    space = granted.space
    typed = schema(look="object", ask="object")
    flow = thinking("inside", "inside", kind={"tools": TOOL_NAMES}, outputSchema=typed)
    run = space.start(flow)
    output = node_of(run.succeeded(), "a")["output"]
    assert output["look"]["places"] == []
    assert output["look"]["files"] == [
        "/waypost/in/request.json",
        "/waypost/token/gateway",
        "/waypost/token/models",
    ]
    assert output["ask"] == {
        "own": [200, ""],
        "other model": [403, "ModelNotAllowed"],
        "other path": [403, "PathNotAllowed"],
        "other position": [403, "ModelNotAllowed"],
        "other audience": [401, "TokenRefused"],
        "other destination": [403, "FieldNotAllowed"],
    }
    [job] = run.jobs("a")
    assert KEY not in json.dumps(job)
    assert "keys" not in json.dumps(job["spec"]["template"]["spec"]["volumes"])


def test_calls_beside_the_agent_are_cut_at_the_budget(granted: Place) -> None:
    """S497: a function in the pod makes calls with the token of the pod, as often as it can."""
    space = granted.space
    tools = [{"module": "desk", "functions": ["spend"]}]
    flow = thinking("spending", "spend", kind={"tools": tools})
    run = space.start(flow.having(budget={"tokens": SHARE}))
    node = node_of(run.finished(), "a")
    assert (node["phase"], node["reason"]) == ("Failed", "BudgetExceeded")
    assert "through the model gateway" in node["message"]
    used = log(space, "spend")
    spent = used["inputTokens"] + used["outputTokens"]
    assert SHARE <= spent < SHARE + CALL, "within one call"


@pytest.mark.nightly  # a limit for a minute takes two minutes
def test_agents_share_the_limit_of_a_provider(granted: Place, runner: str) -> None:
    """S495: twelve agents in three runs, and a provider that takes eight calls a minute. It sees no
    call too many, and each run succeeds."""
    space = granted.space
    address = outside.start(space, "strict", runner, ["python3", "-c", STRICT, str(LIMIT)])
    url = f"http://{address}:{outside.PORT}/v1"
    provider(space, "strict", baseURL=url, rateLimits={"requestsPerMinute": LIMIT})
    runs = [space.start(many(f"crowd-{name}", 4)) for name in "abc"]
    for run in runs:
        run.succeeded(within=280)
    path = f"/api/v1/namespaces/{space.name}/pods/strict:{outside.PORT}/proxy/_log"
    assert space.kube.request("GET", path) == {"answered": 12, "refused": 0}


def many(name: str, agents: int) -> Workflow:
    """A run with agents beside each other, each of which makes one call."""
    flow = workflow(name).having(defaults={"timeout": "250s", "queueTimeout": "250s"})
    model = {"provider": "strict", "name": "any"}
    for number in range(agents):
        kind = {"model": model, "prompt": "Say hello."}
        flow.node(f"a{number}", agent=kind, isolation={"egress": "Gateway"})
    return flow


def test_tokens_of_other_pods(granted: Place) -> None:
    """S491, S639: of the pod that serves the models, of a node whose pod alone may show its token,
    and of one that has ended."""
    space = granted.space
    flow = workflow("others").python("sleeps", "import time\ntime.sleep(40)\nreturn 1")
    other = space.start(flow)
    other.reaches("sleeps", "Running", within=60)
    [pod] = space.all("pods", f"waypost.dev/run={other.uid}")
    ended = space.start(thinking("ended", "hello"))
    ended.succeeded()
    tokens = {
        "no node": token_of(space, "models"),
        "another node": token_of(space, pod["metadata"]["name"]),
    }
    kept = space.all("pods", f"waypost.dev/run={ended.uid}")
    if kept:
        tokens["ended"] = token_of(space, kept[0]["metadata"]["name"])
    run = space.start(workflow("attack").python("b", BY_OTHERS, inputs={"tokens": tokens}))
    found = node_of(run.succeeded(), "b")["output"]
    expected = {"no node": [403, "NotANode"], "another node": [403, "OtherSource"]}
    if kept:
        expected["ended"] = [403, "PodEnded"]
    assert found == expected


def token_of(space: Space, pod: str) -> str:
    """A token for the model gateway that is bound to this pod, as only an administrator gets it."""
    found = space.get("pods", pod) or {}
    account = found["spec"]["serviceAccountName"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": found["metadata"]["uid"]}
    spec = {"audiences": [NAME], "boundObjectRef": bound}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{space.name}/serviceaccounts/{account}/token"
    return str(space.kube.request("POST", path, body)["status"]["token"])


def test_nothing_of_it_is_logged(granted: Place) -> None:
    """S492"""
    kube = granted.space.kube
    logs = kube.must(
        "kubectl", "-n", NAMESPACE, "logs", "-l", "app.kubernetes.io/component=models", "--tail=-1"
    )
    assert "call ended" in logs
    assert "call refused" in logs
    for secret in (KEY, "a-private-question", "Hello.", "eyJ"):
        assert secret not in logs


def test_a_key_for_another_host_is_not_sent(granted: Place) -> None:
    """S493. That a Secret which has changed is read again: tests/model_gateway/test_calls.py."""
    model = {"model": {"provider": "elsewhere", "name": "hello"}}
    run = granted.space.start(thinking("elsewhere", "hello", kind=model))
    assert "HostNotAllowed" in node_of(run.finished(), "a")["message"]


def test_the_node_says_that_the_gateway_is_gone(granted: Place) -> None:
    """S490"""
    space = granted.space
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}/scale"
    current = space.kube.request("GET", path)
    try:
        space.kube.request("PUT", path, {**current, "spec": {"replicas": 0}})
        isolation = {"egress": "Gateway", "verify": "Off"}
        flow = thinking("gone", "hello")
        flow.nodes[0]["isolation"] = isolation
        node = node_of(space.start(flow).finished(within=150), "a")
    finally:
        latest = space.kube.request("GET", path)
        space.kube.request("PUT", path, {**latest, "spec": current["spec"]})
    assert node["reason"] == "ProviderError"
    assert "through the model gateway: no connection" in node["message"]
