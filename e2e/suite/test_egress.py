"""What the pod of a node reaches with each `isolation.egress`, seen from inside.

Each target is one that pods without a limit reach, or one that no pod must ever reach.
"""

from dataclasses import dataclass
from typing import Any, Final

import pytest

from e2e.cluster import api
from e2e.suite.build import workflow
from e2e.suite.kube import Kube, Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import NAMESPACE
from e2e.suite.outside import PORT, start
from e2e.suite.space import Space, node_of
from e2e.suite.waiting import until

OTHER_PORT: Final = 8001
UDP_PORT: Final = 5300

SERVER = f"""
import http.server, socketserver, sys, threading

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302 if self.path == "/hop" else 200)
        if self.path == "/hop":
            self.send_header("Location", sys.argv[1])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(b"answer", self.client_address)

serve = http.server.ThreadingHTTPServer(("", {PORT}), Server)
other = http.server.ThreadingHTTPServer(("", {OTHER_PORT}), Server)
echo = socketserver.ThreadingUDPServer(("", {UDP_PORT}), Echo)
for one in (other, echo):
    threading.Thread(target=one.serve_forever, daemon=True).start()
serve.serve_forever()
"""

# `window`: how long a connection that must fail still succeeds, from the start of the program. A
# target is [kind, host, port].
SOURCE = """
import socket, time, urllib.request
from concurrent.futures import ThreadPoolExecutor

def reached(kind, host, port):
    try:
        if kind == "udp":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
                link.settimeout(1)
                link.sendto(b"question", (host, port))
                return link.recv(100) == b"answer"
        if kind == "hop":
            urllib.request.urlopen(f"http://{host}:{port}/hop", timeout=1).close()
            return True
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False

def opened(target):
    # A busy machine may take longer than a second. A name that nothing answers takes far longer.
    for _ in range(3):
        began = time.monotonic()
        if reached(*target):
            return True
        if time.monotonic() - began > 3:
            return False
    return False

def run(targets, denied):
    began, window = time.monotonic(), 0.0
    while denied and time.monotonic() - began < 30 and reached("tcp", *denied):
        window = time.monotonic() - began
        time.sleep(0.02)
    with ThreadPoolExecutor(40) as pool:
        waiting = {name: pool.submit(opened, target) for name, target in targets.items()}
        found = {name: one.result() for name, one in waiting.items()}
    return {"open": sorted(name for name in found if found[name]), "window": round(window, 2)}
"""


@dataclass(frozen=True)
class Place:
    """The targets, by name, and the pod that AllowList may reach."""

    space: Space
    targets: dict[str, list[Any]]
    denied: list[Any]


@pytest.fixture(scope="module")
def place(cluster: api.Cluster, kube: Kube, space: Space, runner: str, ledger: Ledger) -> Place:
    if cluster.provider == "current":
        pytest.skip("whether this cluster enforces NetworkPolicies is not ours to say")
    script = ["python3", "-c", SERVER]
    denied = start(space, "denied", runner, [*script, "http://nowhere"])
    allowed = start(space, "allowed", runner, [*script, f"http://{denied}:{PORT}/"])
    node = (space.get("pods", "denied") or {})["status"]["hostIP"]
    service = service_of(space, "denied")
    system = Space(kube, NAMESPACE)
    gateway = (system.get("services", "waypost-gateway") or {})["spec"]["clusterIP"]
    gateway_pod = pod_of(system, "gateway")
    targets: dict[str, list[Any]] = {
        "allowed pod": ["tcp", allowed, PORT],
        "gateway": ["tcp", gateway, 8080],
        "other port of the allowed pod": ["tcp", allowed, OTHER_PORT],
        "datagram to the allowed pod": ["udp", allowed, UDP_PORT],
        "redirect from the allowed pod": ["hop", allowed, PORT],
        "pod": ["tcp", denied, PORT],
        "pod by number": ["tcp", str(number_of(denied)), PORT],
        "pod by mapped address": ["tcp", f"::ffff:{denied}", PORT],
        "service": ["tcp", service, 80],
        "datagram": ["udp", denied, UDP_PORT],
        "pod of another namespace": ["tcp", ledger.address, PORT],
        "metrics of the gateway": ["tcp", gateway, 8081],
        "metrics of a pod of the gateway": ["tcp", gateway_pod, 8081],
        "operator": ["tcp", pod_of(system, "operator"), 8080],
        "API server": ["tcp", "10.96.0.1", 443],
        "API server by its endpoint": ["tcp", node, 6443],
        "kubelet": ["tcp", node, 10250],
        "kube-proxy": ["tcp", node, 10256],
        "name of the API server": ["tcp", "kubernetes.default.svc", 443],
        "name outside": ["tcp", "example.com", 443],
        "DNS": ["udp", "10.96.0.10", 53],
        "metadata": ["tcp", "169.254.169.254", 80],
        "metadata by IPv6": ["tcp", "fd00:ec2::254", 80],
        "metadata of Alibaba": ["tcp", "100.100.100.200", 80],
        "wire server of Azure": ["tcp", "168.63.129.16", 80],
        "internet": ["tcp", "1.1.1.1", 443],
    }
    return Place(space, targets, [denied, PORT])


def service_of(space: Space, name: str) -> str:
    """ClusterIP of a Service before a pod."""
    ports = [{"port": 80, "targetPort": PORT}]
    spec = {"selector": {"app": name}, "ports": ports}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    return str(space.create("services", body)["spec"]["clusterIP"])


def pod_of(space: Space, component: str) -> str:
    found = space.all("pods", f"app.kubernetes.io/component={component}")
    return str(next(pod["status"]["podIP"] for pod in found if pod["status"].get("podIP")))


def number_of(address: str) -> int:
    total = 0
    for part in address.split("."):
        total = total * 256 + int(part)
    return total


LIST: Final = {
    "egress": "AllowList",
    "allow": {"to": [{"pods": {"app": "allowed"}, "port": PORT}]},
}
FREE: Final = {  # what a pod without a limit reaches on each cluster
    *("allowed pod", "gateway", "other port of the allowed pod", "datagram to the allowed pod"),
    *("redirect from the allowed pod", "pod", "pod by number", "service", "datagram"),
    *("pod of another namespace", "metrics of the gateway", "operator", "API server"),
    *("API server by its endpoint", "kubelet"),
}


@pytest.mark.parametrize(
    ("isolation", "opened"),
    [
        # What these close, AllowList closes too: the gate tries the last one.
        pytest.param({"egress": "None"}, set(), id="None", marks=pytest.mark.nightly),
        pytest.param({"egress": "Gateway"}, {"gateway"}, id="Gateway", marks=pytest.mark.nightly),
        pytest.param(LIST, {"gateway", "allowed pod"}, id="AllowList"),
    ],
)
def test_a_node_reaches_nothing_but_what_it_is_allowed(
    place: Place, isolation: Obj, opened: set[str], record_property: Any
) -> None:
    """S381, S382"""
    assert len(place.targets) - len(opened) >= 20
    found = output_of(place, isolation, place.denied)
    record_property("window", found["window"])
    assert set(found["open"]) == opened
    assert found["window"] == 0, "the policy holds before the program starts (S387)"


def test_without_the_probe_the_policy_holds_later(place: Place, record_property: Any) -> None:
    """S387: `window` is what the probe closes. An engine may be faster than a pod."""
    found = output_of(place, {"egress": "None", "verify": "Off"}, place.denied, name="unverified")
    record_property("window", found["window"])
    assert found["open"] == []


def test_a_policy_of_another_person_is_noticed(place: Place) -> None:
    """S387: the program does not start, and the node says what is open."""
    labels = {"team": "opened"}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "opened"},
        "spec": {
            "podSelector": {"matchLabels": labels},
            "policyTypes": ["Egress"],
            "egress": [{}],
        },
    }
    place.space.create("networkpolicies", policy)
    isolation = {"egress": "None", "podLabels": labels}
    run = place.space.start(workflow("opened").python("a", "return 1", isolation=isolation))

    def failed() -> Obj | None:
        attempts = node_of(run.read(), "a").get("attempts", [])
        return next((one for one in attempts if one.get("reason")), None)

    ended = until(failed, within=90, what="the probe gives up", seen=run.shown)
    assert ended["reason"] == "IsolationUnverified"
    assert ended["neverStarted"] is True
    assert ":443, which its NetworkPolicy must block" in ended["message"]
    place.space.delete("networkpolicies", "opened")
    run.succeeded(within=120)


def test_the_status_says_what_was_verified(place: Place) -> None:
    """S626, S627: the probe measures what holds; a node that only reports starts all the same, and
    the address that it reached is in the status."""
    labels = {"team": "reported"}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "reported"},
        "spec": {
            "podSelector": {"matchLabels": labels},
            "policyTypes": ["Egress"],
            "egress": [{}],
        },
    }
    place.space.create("networkpolicies", policy)
    flow = workflow("verified").python("held", "return 1", isolation={"egress": "None"})
    opened = {"egress": "None", "verify": "Report", "podLabels": labels}
    flow.python("opened", "return 1", isolation=opened)
    flow.python("free", "return 1")
    status = place.space.start(flow).succeeded()["status"]
    place.space.delete("networkpolicies", "reported")
    found = {one["control"]: one for one in status["isolation"]}
    egress = found["Egress"]
    counts = {state: egress.get(state) for state in ("verified", "unavailable", "off")}
    assert counts == {"verified": 1, "unavailable": 1, "off": 1}
    assert egress["message"].startswith("opened: the pod reaches ")
    assert found["Restricted"]["verified"] == 2, "measured in the pods that have a probe"
    assert found["Restricted"]["applied"] == 1
    assert found["UserNamespace"] == {"control": "UserNamespace", "off": 3}


def test_a_node_without_a_limit_reaches_them(place: Place) -> None:
    """Without this the other tests could pass because nothing answers."""
    assert set(output_of(place, {"egress": "Inherit"}, [])["open"]) >= FREE


def output_of(place: Place, isolation: Obj, denied: list[Any], *, name: str = "") -> Obj:
    inputs = {"targets": place.targets, "denied": denied}
    flow = workflow(name or f"egress-{isolation['egress'].lower()}")
    flow.python("a", SOURCE, inputs=inputs, isolation=isolation)
    run = place.space.start(flow.having(outputs={"found": "${nodes.a.output}"}))
    found: Obj = run.succeeded()["status"]["outputs"]["found"]
    return found


LARGE: Final = "def run():\n    return 'x' * 20000\n"


def test_a_large_output_goes_through_the_gateway(place: Place) -> None:
    """S381"""
    flow = workflow("large").python("a", LARGE, isolation={"egress": "Gateway"})
    place.space.start(flow).succeeded()


def test_a_large_output_without_the_gateway(place: Place) -> None:
    """S381"""
    flow = workflow("too-large").python("a", LARGE, isolation={"egress": "None"})
    node = node_of(place.space.start(flow).finished(), "a")
    assert (node["phase"], node["reason"]) == ("Failed", "OutputTooLarge")
