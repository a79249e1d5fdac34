"""Servers beside Waypost, in pods of the test's own namespace: models, MCP, and one that tells
everybody the key it was given. They are reached by pod IP: the test clusters have no DNS.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import api, providers
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite.kube import Obj
from e2e.suite.space import Space
from e2e.suite.waiting import until

PORT = 8000
DOCKERFILE = Path(__file__).parent / "images" / "mcp-server" / "Dockerfile"
SHELL = ("sh", "-c")

# Opens for one bearer token and echoes every other, as some gateways do.
GUARDED = """
import http.server, json, sys

class Guarded(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization", "nothing")
        if given == "Bearer " + sys.argv[1]:
            self.answer(200, {"object": "list", "data": [{"id": "small"}]})
        else:
            self.answer(401, {"error": {"message": "Incorrect API key provided: " + given}})

    do_POST = do_GET

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("", 8000), Guarded).serve_forever()
"""


def start_guarded(space: Space, image: str, *, key: str) -> str:
    """Base URL of a model provider that opens for `key` and echoes what it was given."""
    address = start(space, "guarded", image, ["python3", "-c", GUARDED, key])
    return f"http://{address}:{PORT}/v1"


def start_models(space: Space, image: str, script: Obj) -> str:
    """Base URL of the scripted model server; `image` is the operator's. `script`: a whole script
    file, or its scripts."""
    text = json.dumps(script if "scripts" in script else {"scripts": script})
    command = f"cat > /tmp/script.yaml <<'EOF'\n{text}\nEOF\nexec python3 -m waypost dev"
    arguments = f"model-server --script /tmp/script.yaml --host 0.0.0.0 --port {PORT}"
    address = start(space, "models", image, [*SHELL, f"{command} {arguments}"])
    return f"http://{address}:{PORT}/v1"


def network_of(url: str) -> str:
    """The network of pods, of which a server at `url` is one."""
    first, second, *_ = url.partition("://")[2].split(".")
    return f"{first}.{second}.0.0/16"


def start_mcp(space: Space, image: str) -> str:
    """Address of an MCP server over streamable HTTP: mcp-server-time behind fastmcp."""
    config = {"mcpServers": {"time": {"command": "mcp-server-time", "args": []}}}
    made = f"echo '{json.dumps(config)}' > /tmp/mcp.json"
    run = f"exec fastmcp run /tmp/mcp.json --transport http --host 0.0.0.0 --port {PORT}"
    address = start(space, "mcp", image, [*SHELL, f"{made} && {run} --no-banner"])
    return f"http://{address}:{PORT}/mcp"


def start(space: Space, name: str, image: str, command: Sequence[str]) -> str:
    """IP of a pod that runs `command` and listens on PORT. It has the label app: its name."""
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "command": list(command),
        "env": [{"name": "HOME", "value": "/tmp"}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "containers": [container],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    metadata = {"name": name, "labels": {"app": name}}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    space.create("pods", manifest)

    def address() -> str | None:
        pod = space.get("pods", name) or {}
        statuses = pod.get("status", {}).get("containerStatuses", [])
        ready = bool(statuses) and statuses[0]["ready"]
        return pod["status"].get("podIP") if ready else None

    return until(address, within=90, what=f"pod {name} is ready")


def mcp_image(cluster: api.Cluster) -> str:
    """An image built on the agent's that has MCP servers of others; made when it is not there.

    WAYPOST_MCP_SERVER_IMAGE names one instead. Skips where no image can be built.
    """
    if given := os.environ.get("WAYPOST_MCP_SERVER_IMAGE"):
        return given
    if cluster.provider == "current":
        pytest.skip("needs an image with MCP servers: set WAYPOST_MCP_SERVER_IMAGE")
    settings = from_environment(provider=cluster.provider)
    provider = providers.PROVIDERS[cluster.provider](settings, Progress(quiet=True))
    # Written out and not passed as an argument: the tag is then that of all it is made from.
    text = DOCKERFILE.read_text().replace("${AGENT_IMAGE}", cluster.images["agent"])
    tag = hashlib.sha256(text.encode()).hexdigest()[:12]
    image = f"waypost.local/mcp-server:dev-{tag}"
    if not provider.has(image):
        context = settings.cache / "mcp-server"
        context.mkdir(parents=True, exist_ok=True)
        (context / "Dockerfile").write_text(text)
        parents = {"AGENT_IMAGE": cluster.images["agent"]}  # what the builder must have
        provider.build(image, context / "Dockerfile", context, parents)
        provider.load(image)
    return image
