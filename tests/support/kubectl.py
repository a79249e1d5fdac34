"""kubectl for tests: its text is what users read. Only on the cluster that the tests were given."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


def given_kubeconfig() -> Path:
    """The kubeconfig of the tests' own cluster; the test fails where none was given."""
    path = os.environ.get("WAYPOST_TEST_KUBECONFIG")
    if not path:
        pytest.fail(
            "WAYPOST_TEST_KUBECONFIG is not set: it names the kubeconfig of a throw-away cluster "
            "for the tests marked real_api. Use `make e2e`, or leave them out: -m 'not real_api'"
        )
    return Path(path)


@dataclass(frozen=True)
class Kubectl:
    """kubectl against one cluster and one namespace."""

    kubeconfig: Path
    namespace: str

    def run(self, *arguments: str, stdin: object = None) -> subprocess.CompletedProcess[str]:
        """The finished command; `stdin` is sent as JSON."""
        return subprocess.run(
            [
                os.environ.get("WAYPOST_TEST_KUBECTL", "kubectl"),
                f"--kubeconfig={self.kubeconfig}",
                f"--namespace={self.namespace}",
                *arguments,
            ],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str, stdin: object = None) -> dict[str, Any]:
        """What a command that must succeed prints with `-o json`."""
        done = self.run(*arguments, "-o", "json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer

    def create(self, manifest: object) -> dict[str, Any]:
        """The object, stored."""
        return self.json("create", "-f", "-", "--validate=strict", stdin=manifest)

    def patch(
        self, resource: str, patch: object, *, status: bool = False, kind: str = "merge"
    ) -> subprocess.CompletedProcess[str]:
        """`resource` is kind/name; the patch goes to the status subresource when `status`."""
        subresource = ["--subresource=status"] if status else []
        return self.run("patch", resource, f"--type={kind}", "-p", json.dumps(patch), *subresource)
