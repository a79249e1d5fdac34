"""What the pod of a node is able to do, seen from inside, and how its limits end an attempt."""

from typing import Any

import pytest

from e2e.suite.build import workflow
from e2e.suite.space import Run, Space, condition, node_of

# Each entry is what happened: "" if it was possible, else the name of the error.
INSIDE = """
import ctypes, json, os, pathlib, socket, ssl, urllib.error, urllib.request

def tried(attempt):
    try:
        attempt()
        return ""
    except OSError as error:
        return type(error).__name__

def answer(path, token=None):
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    context = ssl._create_unverified_context()
    request = urllib.request.Request(f"https://{host}:{port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        return urllib.request.urlopen(request, context=context, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return type(error).__name__

def gateway(path, token):
    request = json.loads(pathlib.Path("/waypost/in/request.json").read_text())
    url = request["gateway"] + path
    made = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        return urllib.request.urlopen(made, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code

def run(namespace):
    status = dict(
        line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line
    )
    libc = ctypes.CDLL(None, use_errno=True)
    token = pathlib.Path("/waypost/token/gateway").read_text()
    return {
        "account": pathlib.Path("/var/run/secrets/kubernetes.io").exists(),
        "secrets": answer(f"/api/v1/namespaces/{namespace}/secrets"),
        "with_our_token": answer(f"/api/v1/namespaces/{namespace}/pods", token),
        "runs": answer(f"/apis/waypost.dev/v1alpha1/namespaces/{namespace}/agentworkflows"),
        "write_root": tried(lambda: open("/x", "w")),
        "write_code": tried(lambda: open("/waypost/in/x", "w")),
        "write_tmp": tried(lambda: open("/tmp/x", "w")),
        "root": tried(lambda: os.setuid(0)),
        "group": tried(lambda: os.setgroups([0])),
        "chown": tried(lambda: os.chown("/tmp/x", 0, 0)),
        "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "raw": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
        "privileges": status["NoNewPrivs"].strip(),
        "seccomp": status["Seccomp"].strip(),
        "uid": os.getuid(),
        "processes": [p for p in os.listdir("/proc") if p.isdigit() and int(p) == 1],
        "others": [
            name
            for name in os.listdir("/proc")
            if name.isdigit() and b"waypost_node" not in open(f"/proc/{name}/cmdline", "rb").read()
        ],
        "result_of_others": gateway("/v1/artifacts?digest=sha256:" + "0" * 64, token),
        "own_input": gateway("/v1/payloads/input", token),
    }
"""
NOT_ALLOWED = "PermissionError"


@pytest.fixture(scope="module")
def inside(space: Space, greedy: Run) -> dict[str, Any]:
    """What a node of the suite's namespace reports; what takes long runs beside it."""
    inputs = {"namespace": space.name}
    run = space.start(workflow("inside").python("look", INSIDE, inputs=inputs))
    found: dict[str, Any] = node_of(run.succeeded(), "look")["output"]
    return found


def test_s370_the_api_server_gives_a_node_nothing(inside: dict[str, Any]) -> None:
    assert inside["account"] is False, "no token of the account"
    assert inside["secrets"] in (401, 403)
    assert inside["runs"] in (401, 403)
    assert inside["with_our_token"] == 401, "it is for the gateway alone"


def test_s370_a_node_cannot_become_more_than_it_is(inside: dict[str, Any]) -> None:
    assert inside["uid"] == 65532
    for attempt in ("root", "group", "chown", "raw"):
        assert inside[attempt] == NOT_ALLOWED, attempt
    assert inside["mount"] == -1
    assert (inside["capabilities"], inside["privileges"]) == (0, "1")
    assert inside["seccomp"] == "2", "the filter of the container runtime"


def test_s370_only_tmp_can_be_written(inside: dict[str, Any]) -> None:
    assert inside["write_root"] == inside["write_code"] == "OSError", "a read-only file system"
    assert inside["write_tmp"] == ""


def test_s370_data_of_others_is_out_of_reach(inside: dict[str, Any]) -> None:
    assert inside["others"] == [], "processes of other pods and of the machine"
    assert inside["result_of_others"] >= 400
    assert inside["own_input"] == 404, "it has none there"


SHOWN = """
import os

def run():
    shm, models = os.statvfs("/dev/shm"), "/data/models"
    return {
        "shm": shm.f_blocks * shm.f_frsize,
        "text": open(models + "/greeting").read(),
        "key": open("/keys/k").read(),
        "write": os.access(models, os.W_OK),
    }
"""


def test_s370_what_isolation_adds(space: Space) -> None:
    space.kube.request(
        "POST",
        "/apis/node.k8s.io/v1/runtimeclasses",
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": space.name},
            "handler": "runc",
        },
    )
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "models"}}
    space.create("configmaps", {**config, "data": {"greeting": "hello"}})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    space.create("secrets", {**secret, "stringData": {"k": "v"}})
    defaults = {
        "runtimeClassName": space.name,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "podLabels": {"team": "a"},
    }
    own = {
        "shm": "16Mi",
        "tmp": "32Mi",
        "volumes": [
            {"name": "models", "mountPath": "/data/models", "configMap": {"name": "models"}},
            {"name": "keys", "mountPath": "/keys", "secret": {"secretName": "keys"}},
        ],
    }
    run = space.start(
        workflow("added")
        .having(defaults={"isolation": defaults, "queueTimeout": "60s"})
        .python("look", SHOWN, isolation=own)
    )
    found = node_of(run.succeeded(), "look")["output"]
    (pod,) = run.pods("look")
    space.kube.request("DELETE", f"/apis/node.k8s.io/v1/runtimeclasses/{space.name}")
    assert found == {"shm": 16 * 2**20, "text": "hello", "key": "v", "write": False}
    assert pod["spec"]["runtimeClassName"] == space.name
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod["metadata"]["labels"]["team"] == "a"


def test_s374_the_account_of_a_node_may_do_nothing(space: Space) -> None:
    run = space.start(workflow("account").python("a", "return 1"))
    run.succeeded()
    (pod,) = run.pods("a")
    assert pod["spec"]["serviceAccountName"] == "waypost-node"
    account = space.get("serviceaccounts", "waypost-node")
    assert account is not None
    assert account["automountServiceAccountToken"] is False
    user = f"system:serviceaccount:{space.name}:waypost-node"
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "resourceAttributes": {"namespace": space.name, "verb": "get", "resource": "secrets"},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert space.kube.request("POST", path, asked)["status"]["allowed"] is False


def test_s373_an_account_that_no_policy_lists_is_refused(space: Space) -> None:
    run = space.start(
        workflow("chosen").python("a", "return 1", isolation={"serviceAccountName": "default"})
    )
    accepted = condition(run.finished(), "Accepted")
    assert accepted["status"] == "False"
    assert "does not allow ServiceAccount default" in accepted["message"]
    assert run.pods() == []


BOMB = """
import os, subprocess

def run():
    child = "import time; x = bytearray(2**21); time.sleep(30)"
    children = [subprocess.Popen(["python3", "-c", child]) for _ in range(400)]
    return len(children)
"""
HOG = "x = [bytearray(2**20) for _ in range(512)]\nreturn len(x)"
DISK = """
def run():
    for number in range(200):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(bytes(2**20))
    import time
    time.sleep(170)
"""
SMALL = {"limits": {"memory": "64Mi", "cpu": "500m"}}


@pytest.fixture(scope="module")
def greedy(space: Space) -> Run:
    """Nodes that take all they can get, each beside the others."""
    fields: dict[str, Any] = {"onFailure": "Continue", "timeout": "3m"}
    return space.start(
        workflow("greedy")
        .python("bomb", BOMB, kind={"resources": SMALL}, **fields)
        .python("hog", HOG, kind={"resources": SMALL}, **fields)
        .python("disk", DISK, isolation={"tmp": "20Mi"}, **fields)
        .python("neighbour", "return 'fine'")
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("path", "reasons"),
    [
        ("bomb", ("OutOfMemory", "NodeError")),  # the kernel ends a child first, or the program
        ("hog", ("OutOfMemory",)),
        ("disk", ("OutOfDisk",)),
    ],
    ids=["fork-bomb", "memory", "disk"],
)
def test_s375_a_limit_ends_the_attempt_with_a_reason(
    greedy: Run, path: str, reasons: tuple[str, ...]
) -> None:
    seen = greedy.finished(within=300)
    found = node_of(seen, path)
    assert found["phase"] == "Failed", found
    assert found["reason"] in reasons, found
    assert node_of(seen, "neighbour")["output"] == "fine"
