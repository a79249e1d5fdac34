"""kubectl and helm on the demo's cluster."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import REPOSITORY

OPERATOR_NAMESPACE = "waypost-system"
RELEASE = "waypost"
OPERATOR_PODS = (
    "app.kubernetes.io/name=waypost,app.kubernetes.io/component=operator,"
    f"app.kubernetes.io/instance={RELEASE}"
)
CHART = REPOSITORY / "charts" / "waypost"
INSTALL_SECONDS = 180
_BUSY = "another operation"


@dataclass(frozen=True, slots=True)
class Kube:
    """One cluster, seen through the command line tools a user has."""

    tools: Path
    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints. Its failure is an error that quotes it."""
        return self._run("kubectl", arguments, stdin=stdin)

    def get(self, resource: str, *, namespace: str) -> dict[str, Any]:
        """An object as JSON; resource is kind/name."""
        text = self.kubectl("-n", namespace, "get", resource, "-o", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    def operator_pods(self) -> dict[str, bool]:
        """Names of the operator's pods that are not on their way out, and whether ready."""
        arguments = ("get", "pods", "-l", OPERATOR_PODS, "-o", "json")
        pods = json.loads(self.kubectl("-n", OPERATOR_NAMESPACE, *arguments))["items"]
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return {pod["metadata"]["name"]: is_ready(pod) for pod in alive}

    def ensure_namespace(self, name: str) -> None:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def apply_all(self, manifests: Sequence[Mapping[str, Any]], *, namespace: str) -> None:
        """Apply on the server's side: kubectl's own way notes a Secret in an annotation."""
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        arguments = ("--server-side", "--force-conflicts", "--field-manager=waypost-demo")
        self.kubectl("-n", namespace, "apply", *arguments, "-f", "-", stdin=body)

    def install(self, values: Mapping[str, str]) -> None:
        """Install or upgrade the chart and wait until the operator is ready."""
        arguments = install_arguments(values)
        try:
            self._run("helm", arguments)
        except ClusterError as error:
            if _BUSY not in error.found:
                raise
            # An interrupted helm left its release half-way. The CRDs and all runs stay.
            self._run("helm", ("uninstall", RELEASE, f"-n={OPERATOR_NAMESPACE}", "--no-hooks"))
            self._run("helm", arguments)

    def _run(self, program: str, arguments: Sequence[str], *, stdin: str | None = None) -> str:
        path = self.tools / program
        shown = " ".join([program, *arguments])
        try:
            done = subprocess.run(
                [str(path), *arguments],
                env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS + 30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            again = "run `make demo` again"
            raise ClusterError(f"run {shown}", found=str(error), do=again) from error
        if done.returncode != 0:
            raise ClusterError(
                f"run {shown}",
                found=(done.stderr or done.stdout).strip(),
                do=f"look: KUBECONFIG={self.kubeconfig} {self.tools}/kubectl get pods -A",
            )
        return done.stdout


def install_arguments(values: Mapping[str, str]) -> tuple[str, ...]:
    """helm's arguments to install the chart with these values."""
    return (
        "upgrade",
        "--install",
        RELEASE,
        str(CHART),
        f"--namespace={OPERATOR_NAMESPACE}",
        "--create-namespace",
        # CRDs that were applied with kubectl before join the release.
        "--take-ownership",
        *(f"--set-string={name}={value}" for name, value in values.items()),
        "--wait",
        f"--timeout={INSTALL_SECONDS}s",
    )


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod's condition Ready is True."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
