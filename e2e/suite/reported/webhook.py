"""A program for a pod: a mutating webhook that adds containers to pods, suspends Jobs and changes
restartPolicy, as service meshes, secret agents, queues and policies do.

The object's annotations, which have the name of the run, say what to do to it: `_CHANGES`. The
program first takes a certificate and key (JSON, port 8000), because the certificate has the pod's
address; then it serves HTTPS on port 8443. Argument: an image with /bin/sh.
"""

import base64
import http.server
import json
import ssl
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
SETUP_PORT, PORT = 8000, 8443
PEM = "/tmp/hook.pem"
CONFINED: Json = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_STAYS = "trap 'exit 0' TERM; while :; do sleep 1; done"
# name of the run -> where the container goes, its script, more of its fields
_CHANGES: dict[str, tuple[str, str, Json]] = {
    "sidecar-last": ("/spec/containers/-", _STAYS, {}),
    "sidecar-first": ("/spec/containers/0", _STAYS, {}),
    "sidecar-fails": ("/spec/containers/-", "sleep 3; echo proxy crashed >&2; exit 7", {}),
    "sidecar-native": ("/spec/initContainers", _STAYS, {"restartPolicy": "Always"}),
    "init-fails": ("/spec/initContainers", "echo cannot reach vault: 403 >&2; exit 3", {}),
}

_AGAIN: Json = {"op": "replace", "path": "/spec/restartPolicy", "value": "OnFailure"}


def _container(image: str, script: str, more: Json) -> Json:
    return {
        "name": "injected",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", script],
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": CONFINED,
        **more,
    }


def changes(made: Json, image: str) -> list[Json]:
    """The JSON Patch for a pod or a Job; empty for objects that no change is for."""
    marks = json.dumps(made["metadata"].get("annotations", {}))
    if made["kind"] == "Job":
        suspend = {"op": "add", "path": "/spec/suspend", "value": True}
        again = {**_AGAIN, "path": f"/spec/template{_AGAIN['path']}"}
        found = [suspend] if "suspended-by-queue" in marks else []
        return found + ([again] if "repeated-job" in marks else [])
    if "repeated-pod" in marks:
        return [_AGAIN]
    for name, (path, script, more) in _CHANGES.items():
        if name in marks:
            added = _container(image, script, more)
            place = path
            if path.endswith("initContainers") and "initContainers" in made["spec"]:
                place = f"{path}/0"
            whole = path.endswith("initContainers") and place == path
            return [{"op": "add", "path": place, "value": [added] if whole else added}]
    return []


class Hook(http.server.BaseHTTPRequestHandler):
    """Answers one AdmissionReview."""

    def do_POST(self) -> None:
        """Admit everything, some of it changed."""
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer: Json = {"uid": review["request"]["uid"], "allowed": True}
        if patch := changes(review["request"]["object"], sys.argv[1]):
            encoded = base64.b64encode(json.dumps(patch).encode()).decode()
            answer |= {"patchType": "JSONPatch", "patch": encoded}
        kind = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        content = json.dumps({**kind, "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the pod's log stays empty."""


class Setup(http.server.BaseHTTPRequestHandler):
    """Takes the certificate with its key."""

    def do_POST(self) -> None:
        """Write the file that the server loads."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Path(PEM).write_text(given["pem"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the pod's log stays empty."""


if __name__ == "__main__":
    setup = http.server.HTTPServer(("", SETUP_PORT), Setup)
    while not Path(PEM).exists():  # a readiness probe connects, too
        setup.handle_request()
    server = http.server.ThreadingHTTPServer(("", PORT), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
