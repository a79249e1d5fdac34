"""The cluster of the tests enforces NetworkPolicies: what other tests of egress rely on."""

import json

import pytest

from e2e.cluster import api
from e2e.suite.kube import Obj
from e2e.suite.outside import SHELL, start
from e2e.suite.space import Space
from e2e.suite.waiting import until

SERVER = "exec python3 -m http.server 8000 --directory /tmp"
DENIED = {"egress-test": "denied"}
# Tries until connections fail (an engine needs a moment for a new pod), then four times more.
CLIENT = """
import json, os, socket, sys, time

def reaches():
    try:
        socket.create_connection((sys.argv[1], 8000), timeout=0.5).close()
        return True
    except OSError:
        return False

started, seen = time.monotonic(), []
while len(seen) < 40 and (seen[-1:] != [False] or seen[-5:] != [False] * 5):
    seen.append(reaches())
    if seen[-1] is True:
        open_until = time.monotonic() - started
        time.sleep(0.1)
    if sys.argv[2] == "once" and seen[-1]:
        break
print(json.dumps({"seen": seen, "open": round(locals().get("open_until", 0.0), 2)}))
"""


def client(space: Space, name: str, image: str, address: str, labels: Obj, *, mode: str) -> Obj:
    """What a pod with these labels sees of the server."""
    container = {
        "name": "main",
        "image": image,
        "command": ["python3", "-c", CLIENT, address, mode],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    metadata = {"name": name, "labels": labels}
    space.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def ended() -> bool:
        pod = space.get("pods", name) or {}
        return bool(pod.get("status", {}).get("phase") in ("Succeeded", "Failed"))

    until(ended, within=60, what=f"pod {name} ends")
    found: Obj = json.loads(space.kubectl("logs", name))
    return found


@pytest.fixture
def enforcing(cluster: api.Cluster) -> None:
    """Skips where the network plug-in is the user's own."""
    if cluster.provider == "current":
        pytest.skip("whether this cluster enforces NetworkPolicies is not ours to say")


@pytest.mark.usefixtures("enforcing")
def test_policy_blocks_what_it_does_not_allow(own_space: Space, runner: str) -> None:
    address = start(own_space, "server", runner, [*SHELL, SERVER])
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "denied"},
        "spec": {"podSelector": {"matchLabels": DENIED}, "policyTypes": ["Egress"]},
    }
    own_space.create("networkpolicies", policy)
    free = client(own_space, "free", runner, address, {}, mode="once")
    assert free["seen"][-1], f"a pod without a policy reaches the server: {free}"
    denied = client(own_space, "denied", runner, address, DENIED, mode="all")
    assert denied["seen"][-5:] == [False] * 5, f"a pod with a policy is cut off: {denied}"
