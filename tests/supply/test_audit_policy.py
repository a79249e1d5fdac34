"""The rules for the audit log of the API server (S703): which requests they log, and that they log
no body."""

import socket
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from e2e.cluster import golang
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "charts/waypost/files/audit-policy.yaml"
POLICY: Final[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
OPERATOR: Final = "system:serviceaccount:waypost-system:waypost"
GATEWAY: Final = f"{OPERATOR}-gateway"
GROUP: Final = "waypost.dev"


def level(user: str, verb: str, resource: str, group: str = GROUP) -> str:
    """What the API server logs of a request: the first rule that fits says it, else nothing."""
    for rule in POLICY["rules"]:
        if user not in rule.get("users", [user]) or verb not in rule.get("verbs", [verb]):
            continue
        for one in rule["resources"]:
            if one["group"] == group and resource in one.get("resources", [resource]):
                return str(rule["level"])
    return "None"


@pytest.mark.parametrize(
    ("user", "verb", "resource", "group", "logged"),
    [
        pytest.param("ann", "patch", "approvals", GROUP, "Metadata", id="an-answer"),
        pytest.param("ann", "create", "agentworkflows", GROUP, "Metadata", id="a-run"),
        pytest.param("ann", "delete", "agentworkflows", GROUP, "Metadata", id="a-deletion"),
        pytest.param("ann", "patch", "agentworkflows/status", GROUP, "Metadata", id="a-forgery"),
        pytest.param("ann", "patch", "memoryentries", GROUP, "Metadata", id="a-review"),
        pytest.param("ann", "get", "noderecords", GROUP, "Metadata", id="a-reader-of-payloads"),
        pytest.param("ann", "list", "agentworkflows", GROUP, "None", id="a-reader-of-runs"),
        pytest.param(OPERATOR, "patch", "agentworkflows/status", GROUP, "None", id="a-checkpoint"),
        pytest.param(OPERATOR, "watch", "agentworkflows", GROUP, "None", id="a-watch"),
        pytest.param(OPERATOR, "patch", "agentworkflows", GROUP, "Metadata", id="ours-and-spec"),
        pytest.param(OPERATOR, "patch", "approvals/status", GROUP, "Metadata", id="ours-verdict"),
        pytest.param(OPERATOR, "create", "jobs", "batch", "Metadata", id="a-job"),
        pytest.param(GATEWAY, "create", "noderecords", GROUP, "Metadata", id="a-payload"),
        pytest.param(f"{OPERATOR}-models", "get", "secrets", "", "Metadata", id="a-key"),
        pytest.param("ann", "create", "pods/exec", "", "Metadata", id="exec"),
        pytest.param(
            "ann",
            "patch",
            "validatingadmissionpolicybindings",
            "admissionregistration.k8s.io",
            "Metadata",
            id="a-policy",
        ),
        pytest.param("ann", "get", "configmaps", "", "None", id="what-is-not-ours"),
    ],
)
def test_s703_what_is_logged(user: str, verb: str, resource: str, group: str, logged: str) -> None:
    assert level(user, verb, resource, group) == logged


def test_s703_no_rule_asks_for_a_body() -> None:
    assert {rule["level"] for rule in POLICY["rules"]} == {"None", "Metadata"}


def test_s703_each_of_our_kinds_is_logged_and_no_other_name_is_used() -> None:
    names = {
        yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["names"]["plural"]
        for path in (ROOT / "crds").glob("*.yaml")
    }
    for name in names:
        for verb in ("create", "update", "patch", "delete", "deletecollection"):
            assert level("ann", verb, name) == "Metadata"
    used = {
        resource.partition("/")[0]
        for rule in POLICY["rules"]
        for one in rule["resources"]
        if one["group"] == GROUP
        for resource in one.get("resources", ())
    }
    assert used <= names


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _judge(policy: Path, folder: Path) -> str:
    """What kube-apiserver says of an audit policy. It reads the file before it needs etcd; the next
    file that it reads does not exist here, so it ends in any case."""
    settings = from_environment()
    binary = golang.node_binaries(settings, Progress(quiet=True)) / "kube-apiserver"
    key = folder / "sa.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    argv = [
        str(binary),
        "--etcd-servers=http://127.0.0.1:1",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://test",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        f"--cert-dir={folder}",
        "--bind-address=127.0.0.1",
        f"--secure-port={_free_port()}",
        f"--audit-policy-file={policy}",
        "--audit-log-path=-",
        f"--admission-control-config-file={folder / 'none'}",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.real_api
@pytest.mark.parametrize("broken", [False, True], ids=["as-it-is", "broken"])
def test_s703_the_api_server_takes_it(broken: bool, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    text = FILE.read_text(encoding="utf-8")
    policy.write_text(text.replace("level: Metadata", "level: Meta", 1) if broken else text)
    said = _judge(policy, tmp_path)
    assert ("loading audit policy file" in said) is broken
    assert ("admission" in said) is not broken
