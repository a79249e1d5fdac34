"""The cluster: its API through `kubectl proxy`, and kubectl and helm where they are the promise.

The proxy understands every kubeconfig and makes a poll cost two milliseconds, where kubectl takes
a hundred of CPU: on two cores the tests would otherwise measure themselves.
"""

import http.client
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from waypost.api.crd.resources import RESOURCES

Obj = dict[str, Any]

PREFIXES: Mapping[str, str] = {
    **{resource.name.plural: f"/apis/{resource.name.api_version}" for resource in RESOURCES},
    "jobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "pods": "/api/v1",
    "events": "/api/v1",
    "configmaps": "/api/v1",
    "resourcequotas": "/api/v1",
    "secrets": "/api/v1",
    "services": "/api/v1",
    "serviceaccounts": "/api/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server said no. `code` is the HTTP status, the text is its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Kube:
    """One cluster, as its administrator."""

    kubeconfig: Path
    tools: Path
    port: int

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        by: str | None = None,
        **query: str,
    ) -> Any:
        """The parsed answer; what is not JSON comes as text. `by`: the user in whose name the
        administrator asks. Raises ApiError."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = None if body is None else json.dumps(body)
            target = f"{path}?{urlencode(query)}" if query else path
            headers = {"Content-Type": content_type} | ({"Impersonate-User": by} if by else {})
            link.request(method, target, sent, headers)
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = text
        if answer.status >= 400:
            said = parsed.get("message", text) if isinstance(parsed, dict) else text
            raise ApiError(answer.status, said)
        return parsed

    def get(self, path: str, **query: str) -> Obj | None:
        """The object, or None when there is none."""
        try:
            found: Obj = self.request("GET", path, **query)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return found

    def run(
        self, program: str, *arguments: str, stdin: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """kubectl or helm, finished, however it ended."""
        return subprocess.run(
            [str(self.tools / program), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def must(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        """What a command that has to succeed prints."""
        done = self.run(program, *arguments, stdin=stdin)
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout


def path_of(plural: str, namespace: str, name: str = "", sub: str = "") -> str:
    """Path of a namespaced resource, of one object of it, of its subresource."""
    parts = [PREFIXES[plural], "namespaces", namespace, plural, name, sub]
    return "/".join(part for part in parts if part)


@contextmanager
def connected(kubeconfig: Path, tools: Path, *, quiet: bool = False) -> Iterator[Kube]:
    """A Kube whose proxy lives as long as the context. `quiet`: the proxy does not say that nobody
    answers, which its clients hear anyway."""
    argv = [str(tools / "kubectl"), f"--kubeconfig={kubeconfig}", "proxy", "--port=0"]
    complaints = subprocess.DEVNULL if quiet else None
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=complaints, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            line = proxy.stdout.readline()
            found = re.search(r":(\d+)\s*$", line)
            assert found, f"kubectl proxy did not start: {line!r}"
            yield Kube(kubeconfig=kubeconfig, tools=tools, port=int(found[1]))
        finally:
            proxy.terminate()
