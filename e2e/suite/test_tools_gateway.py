"""Tool servers of agents behind the model gateway: tools are called, and no key is in the pod."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Kube
from e2e.suite.model_gateways import ADDRESS, KEY, Place, grant, host_of, installed, keys
from e2e.suite.operators import Operator
from e2e.suite.space import Space, node_of
from e2e.suite.test_model_gateway import TOOLS
from e2e.suite.test_providers import provider, server

pytestmark = [
    pytest.mark.alone,  # the chart is installed with other values
    pytest.mark.timeout(400),
]

# An MCP server that opens for one key, which it echoes in the result of its tool.
GUARDED: Final = """
import http.server, json, sys

class Guarded(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("X-Key", "")
        if given != sys.argv[1]:
            return self.answer(401, {"error": "wrong key " + given})
        asked = json.loads(body)
        method, params = asked.get("method"), asked.get("params") or {}
        if "id" not in asked:
            return self.answer(202, None)
        if method == "initialize":
            result = {
                "protocolVersion": params["protocolVersion"],
                "serverInfo": {"name": "guarded", "version": "1"},
                "capabilities": {"tools": {}},
            }
        elif method == "tools/list":
            names = ("send", "drop")
            result = {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in names]}
        elif method == "tools/call":
            words = f"{params['name']} was called with {given}"
            result = {"content": [{"type": "text", "text": words}]}
        else:
            error = {"code": -32601, "message": "Method not found"}
            return self.answer(200, {"jsonrpc": "2.0", "id": asked["id"], "error": error})
        self.answer(200, {"jsonrpc": "2.0", "id": asked["id"], "result": result})

    def do_DELETE(self):
        self.answer(200, None)

    def answer(self, status, document):
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("", 8000), Guarded).serve_forever()
"""

# Calls tools beside the agent, with the token of the pod.
BESIDE: Final = (
    TOOLS
    + f'''

def beside() -> dict:
    """What the gateway answers to messages of this pod."""
    token = pathlib.Path("/waypost/token/models").read_text()

    def message(tool):
        params = {{"name": tool, "arguments": {{}}}}
        return {{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}

    return {{
        "own": post(token, 1, message("send")),
        "other tool": post(token, 1, message("drop")),
        "batch": post(token, 1, [message("drop")]),
        "other server": post(token, 0, message("send")),
        "no message": post(token, 1, {{"jsonrpc": "2.0", "id": 1, "method": "resources/list"}}),
    }}


def post(token, position, body):
    headers = {{"Authorization": f"Bearer {{token}}", "Content-Type": "application/json"}}
    url = f"http://{ADDRESS}:8080/v1/tools/{{position}}"
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return [answer.status, ""]
    except urllib.error.HTTPError as error:
        return [error.code, error.headers.get("waypost-refused", "")]
'''
)
FIELDS: Final = ("look", "beside", "send")
CALLS: Final[list[dict[str, Any]]] = [
    {"tool": "look", "arguments": {"first": KEY[:9], "second": KEY[9:]}},
    {"tool": "beside", "arguments": {}},
    {"tool": "send", "arguments": {}},
]
SCRIPTS: Final[dict[str, Any]] = {
    "tools": {
        "turns": [
            {"call": CALLS, "tokens": {"input": 100, "output": 20}},
            {
                "output": {name: f"${{results.{name}}}" for name in FIELDS},
                "tokens": {"input": 120, "output": 30},
                "repeat": "forever",
            },
        ]
    },
}


@pytest.fixture(scope="module")
def place(space: Space, kube: Kube, cluster: api.Cluster, operator: Operator) -> Iterator[Place]:
    """The ToolServer `guarded` opens for KEY, which the Secret `door` has; that of `foreign` may
    not be sent to it."""
    if cluster.provider == "current":
        pytest.skip("the network of pods is not known")
    models = outside.start_models(space, cluster.images["operator"], {"scripts": SCRIPTS})
    image = cluster.images["runner"]
    address = outside.start(space, "guarded", image, ["python3", "-c", GUARDED, KEY])
    url = f"http://{address}:{outside.PORT}/mcp"
    with installed(kube, cluster, models):
        provider(space, "scripted", baseURL=models)
        for name, secret in (("guarded", "door"), ("elsewhere", "foreign")):
            keys(space, secret, hosts=host_of(url) if secret == "door" else "api.example.com")
            key = {"secretKeyRef": {"name": secret, "key": "api-key"}}
            server(space, name, http={"url": url, "headers": [{"name": "X-Key", "valueFrom": key}]})
        grant(space)
        yield Place(space, url)


def using(name: str, tool_server: str) -> Workflow:
    tools = [
        {"module": "desk", "functions": ["look", "beside"]},
        {"server": tool_server, "allow": ["send"]},
    ]
    model = {"provider": "scripted", "name": "tools"}
    kind = {"model": model, "prompt": f"Run {name}: go", "tools": tools}
    flow = workflow(name).having(modules={"desk": BESIDE})
    typed = schema(look="object", beside="object", send="string")
    return flow.node("a", agent=kind, isolation={"egress": "Gateway"}, outputSchema=typed)


def test_s612_a_tool_is_called_and_the_key_is_in_no_pod(place: Place) -> None:
    """S612, S613: the server opens for the key alone, and what it echoes of it is replaced."""
    run = place.space.start(using("tools", "guarded"))
    output = node_of(run.succeeded(), "a")["output"]
    assert output["send"] == "send was called with [redacted]"
    assert output["look"]["places"] == []
    assert output["beside"] == {
        "own": [200, ""],
        "other tool": [403, "ToolNotAllowed"],
        "batch": [400, "BadRequest"],
        "other server": [403, "PathNotAllowed"],
        "no message": [403, "MessageNotAllowed"],
    }
    [job] = run.jobs("a")
    assert KEY not in json.dumps(job)
    assert "door" not in json.dumps(job)
    controls = {one["control"]: one for one in run.read()["status"]["isolation"]}
    assert controls["Egress"]["verified"] == 1
    for kind in ("noderecords", "events", "agentworkflows", "configmaps"):
        assert KEY not in json.dumps(place.space.all(kind))


def test_s612_a_key_for_another_host_is_not_sent(place: Place) -> None:
    run = place.space.start(using("elsewhere", "elsewhere"))
    node = node_of(run.finished(), "a")
    assert (node["phase"], node["reason"]) == ("Failed", "ProviderError")
    assert "tool server elsewhere: the model gateway refused the call" in node["message"]
    assert "HostNotAllowed" in node["message"]
