"""People with ServiceAccounts, who have the documented roles only and call `waypost`."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from e2e.cluster import api
from e2e.suite.kube import Kube, path_of
from e2e.suite.space import Space

# What they may do: dana also sees pods, their logs and Events.
ROLES = {
    "dana": ("waypost-view", "waypost-view-payloads", "waypost-edit", "view"),
    "gail": ("waypost-view",),
    "bert": ("waypost-approver",),
}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Person:
    """Somebody with a kubeconfig."""

    name: str
    kubeconfig: Path

    def types(self, *argv: str, seconds: float = 90) -> Done:
        """Call `waypost` in a separate process."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "NO_COLOR": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "waypost", *argv],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def reads(self, *argv: str) -> str:
        """What a command prints that has to succeed."""
        done = self.types(*argv)
        assert done.code == 0, f"{argv}: {done}"
        return done.out


def account(space: Space, name: str) -> str:
    return f"system:serviceaccount:{space.name}:{name}"


@pytest.fixture(scope="module")
def people(
    space: Space, kube: Kube, cluster: api.Cluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Person]:
    """A ServiceAccount for each person, with its roles and a kubeconfig."""
    folder = tmp_path_factory.mktemp("people")
    known = yaml.safe_load(cluster.kubeconfig.read_text())
    group = "rbac.authorization.k8s.io"
    found = {}
    for name, roles in ROLES.items():
        space.create("serviceaccounts", {"metadata": {"name": name}})
        for role in roles:
            binding = {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": f"{name}-{role}"},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": space.name}],
            }
            kube.request("POST", path_of("rolebindings", space.name), binding)
        token = space.kubectl("create", "token", name).strip()
        entry = next(iter(known["contexts"]))
        context = {**entry["context"], "user": "person", "namespace": space.name}
        config = {
            **known,
            "current-context": "here",
            "contexts": [{"name": "here", "context": context}],
            "users": [{"name": "person", "user": {"token": token}}],
        }
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        found[name] = Person(name, path)
    return found
