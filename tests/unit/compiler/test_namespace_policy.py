"""S373: what the platform lets the runs of a namespace use, in the spec and in the rendered pod."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.isolation.policy import NamespacePolicy, Uses, policy_of, violations
from waypost.compiler.definition import define
from waypost.compiler.rules.nodes.policy import policy_problems
from waypost.kube.egress.policy import EgressSettings

from tests.support.builders import SETTINGS, container, python, spec, wait
from tests.support.play import Crash, Play, launches


def policy(**fields: Any) -> NamespacePolicy:
    return NamespacePolicy.model_validate(fields)


SECRET_ENV: Any = {
    "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}]
}


def mounts(**source: Any) -> JsonObject:
    return {"isolation": {"volumes": [{"name": "v", "mountPath": "/v", **source}]}}


def to(cidr: str, **more: Any) -> JsonObject:
    return {"egress": "AllowList", "allow": {"to": [{"cidr": cidr, "port": 443}], **more}}


# the node, a policy that allows it, a policy that does not, what the message names
CASES: dict[str, tuple[JsonObject, JsonObject, JsonObject, str]] = {
    "account": (
        python("a", isolation={"serviceAccountName": "puller"}),
        {"serviceAccounts": ["puller"]},
        {},
        "ServiceAccount puller in this namespace; allowed: waypost-node.",
    ),
    "own-account": (
        python("a", isolation={"serviceAccountName": "waypost-node"}),
        {},
        {"serviceAccounts": [], "volumes": [], "images": ["x"], "runtimeClass": "y"},
        "",
    ),
    "secret-in-env": (
        python("a", **SECRET_ENV),
        {"secrets": ["d*"]},
        {"secrets": ["b*", "*.db"]},
        "Secret db",
    ),
    "secret-in-volume": (
        python("a", **mounts(secret={"secretName": "db"})),
        {"secrets": ["db"]},
        {"secrets": []},
        "allowed: none",
    ),
    "secret-of-a-csi-driver": (
        python("a", **mounts(csi={"driver": "d", "nodePublishSecretRef": {"name": "db"}})),
        {"secrets": ["*"]},
        {"secrets": ["dbx"]},
        "Secret db",
    ),
    "image": (
        container("a", image="registry.example/team/x:1"),
        {"images": ["registry.example/*"]},
        {"images": ["registry.example", "other/*", "registry?example/*"]},
        "image registry.example/team/x:1",
    ),
    "image-volume": (
        python("a", **mounts(image={"reference": "registry.example/w:1"})),
        {"images": ["*/w:1"]},
        {"images": ["*/w:2"]},
        "image registry.example/w:1",
    ),
    "volume": (
        python("a", **mounts(persistentVolumeClaim={"claimName": "c"})),
        {"volumes": ["persistentVolumeClaim"]},
        {"volumes": ["configMap"]},
        "volume source persistentVolumeClaim",
    ),
    "runtime-class": (
        python("a", isolation={"runtimeClassName": "runc"}),
        {"runtimeClass": "runc"},
        {"runtimeClass": "gvisor"},
        "RuntimeClass runc",
    ),
}
CASES |= {
    "egress": (
        python("a", isolation={"egress": "None"}),
        {"egress": ["None", "Gateway"]},
        {"egress": ["Gateway"]},
        "isolation.egress None in this namespace; allowed: Gateway.",
    ),
    "egress-that-is-not-limited": (
        python("a"),
        {"egress": ["Inherit"]},
        {"egress": ["None", "Gateway", "AllowList"]},
        "isolation.egress Inherit",
    ),
    "egress-to-a-listed-network": (
        python("a", isolation=to("10.1.2.0/24")),
        {"egress": ["AllowList"], "privateHosts": ["10.1.0.0/16", "fd00::/8"]},
        {"privateHosts": ["10.2.0.0/16", "10.1.2.0/25", "fd00::/8"]},
        "the network 10.1.2.0/24 in this namespace; allowed: 10.2.0.0/16, 10.1.2.0/25, fd00::/8.",
    ),
    "egress-to-no-private-network": (
        python("a", isolation=to("fd00:1::/32")),
        {"privateHosts": ["fd00:1::/32"]},
        {"privateHosts": []},
        "allowed: none",
    ),
    "egress-to-public-addresses": (
        python("a", isolation=to("203.0.113.0/24", dns=True)),
        {"privateHosts": []},
        {"privateHosts": [], "egress": ["AllowList"]},
        "",
    ),
}
IDS = pytest.mark.parametrize(("node", "allows", "refuses", "says"), CASES.values(), ids=CASES)


@IDS
def test_s373_in_the_spec(
    node: JsonObject, allows: JsonObject, refuses: JsonObject, says: str
) -> None:
    found = define(spec(node)).spec
    assert found is not None
    assert list(policy_problems(found, policy(**allows))) == []
    problems = [str(one) for one in policy_problems(found, policy(**refuses))]
    assert len(problems) == bool(says)
    assert all(one.startswith("nodes.a: ") and says in one for one in problems)


def play(node: JsonObject, given: JsonObject, **fields: Any) -> Play:
    made = Play(spec(node, **fields))
    made.overrides["policy"] = policy(**given)
    return made


@IDS
def test_s373_a_run_is_accepted_only_if_all_of_it_is_allowed(
    node: JsonObject, allows: JsonObject, refuses: JsonObject, says: str
) -> None:
    assert launches(play(node, allows).step())
    decision = play(node, refuses).step()
    assert bool(launches(decision)) != bool(says)
    if says:
        assert decision.status.phase == "Rejected"
        (accepted,) = [one for one in decision.status.conditions if one.type == "Accepted"]
        assert says in accepted.message


@IDS
def test_s373_the_pod_is_compared_too(
    node: JsonObject, allows: JsonObject, refuses: JsonObject, says: str
) -> None:
    """The policy becomes stricter after the run was accepted."""
    run = play({**node, "dependsOn": ["first"]}, allows)
    own = {k: v for k, v in node.get("isolation", {}).items() if k in ("egress", "allow")}
    run.spec = spec(python("first", isolation=own), {**node, "dependsOn": ["first"]})
    run.step()
    run.overrides["policy"] = policy(**refuses)
    run.finish()
    ended = next(one for one in run.status.nodes if one.path == "a")
    if says:
        assert (ended.phase, ended.reason) == ("Failed", "NotPermitted")
        assert says in (ended.message or "")
    else:
        assert ended.phase == "Succeeded"


def test_s373_a_policy_gives_its_runtime_class() -> None:
    (launch,) = launches(play(python("a"), {"runtimeClass": "gvisor"}).step())
    assert launch.job["spec"]["template"]["spec"]["runtimeClassName"] == "gvisor"


def test_s373_our_own_images_need_no_entry() -> None:
    node = container("a", image="work:1")
    node["container"]["largeOutput"] = True
    run = play(node, {"images": ["work:*"]})
    assert launches(run.step()), "the sidecar is ours"


def test_s373_nodes_without_a_pod_use_nothing() -> None:
    found = define(spec(wait("a"), defaults={"isolation": {"serviceAccountName": "x"}})).spec
    assert found is not None
    assert list(policy_problems(found, policy())) == []


POLICIES = [
    policy(matchLabels={"team": "a", "stage": "prod"}, runtimeClass="first"),
    policy(matchLabels={"team": "a"}, runtimeClass="second"),
    policy(runtimeClass="rest"),
]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"team": "a", "stage": "prod", "x": "y"}, "first"),
        ({"team": "a"}, "second"),
        ({"team": "b"}, "rest"),
        ({}, "rest"),
    ],
    ids=["all-labels", "one-label", "another-value", "none"],
)
def test_s373_the_first_match_wins(labels: dict[str, str], expected: str) -> None:
    assert policy_of(POLICIES, labels).runtime_class == expected


def test_s373_without_a_match() -> None:
    assert policy_of(POLICIES[:1], {}) == NamespacePolicy()
    assert list(violations(NamespacePolicy(), Uses(volumes=frozenset({"secret"})))) == []


def test_s373_a_recorded_attempt_whose_job_was_not_made_is_compared_again() -> None:
    run = play(python("a", isolation={"serviceAccountName": "x"}), {"serviceAccounts": ["x"]})
    with pytest.raises(Crash):
        run.step(crash_after=1)
    assert run.node("a").phase == "Running", "the status is written, the Job is not"
    run.overrides["policy"] = policy()
    run.finish()
    assert (run.node("a").phase, run.node("a").reason) == ("Failed", "NotPermitted")
    assert "ServiceAccount x" in (run.node("a").message or "")
    assert run.executions == {}


GATEWAY = EgressSettings(
    gateway_namespace="waypost-system",
    gateway_address="http://10.96.0.9:8080",
    private_hosts=(ip_network("10.1.0.0/16"),),
    dns_addresses=(ip_network("10.9.0.1/32"),),
)


@pytest.mark.parametrize(
    ("policy_says", "ended"),
    [
        pytest.param({}, "Succeeded", id="as-the-chart"),
        pytest.param({"privateHosts": ["10.1.2.0/24"]}, "Succeeded", id="less-than-the-chart"),
        pytest.param({"privateHosts": ["10.2.0.0/16"]}, "NotPermitted", id="in-place-of-the-chart"),
        pytest.param({"privateHosts": []}, "NotPermitted", id="none"),
    ],
)
def test_s640_networks_of_a_namespace(policy_says: JsonObject, ended: str) -> None:
    """The policy becomes stricter after the run was accepted. Name servers are not chosen by it."""
    node = python("a", isolation=to("10.1.2.0/24", dns=True), dependsOn=["first"])
    run = Play(spec(python("first"), node))
    run.settings = replace(SETTINGS, egress=GATEWAY)
    run.overrides["policy"] = policy()
    run.step()
    run.overrides["policy"] = policy(**policy_says)
    run.finish()
    assert (run.node("a").reason or run.node("a").phase) == ended
    if ended != "Succeeded":
        assert "policies.namespaces[].privateHosts of the chart" in (run.node("a").message or "")


def test_s640_what_the_network_policy_leaves_out_follows_the_policy_of_the_namespace() -> None:
    run = Play(spec(python("a", isolation=to("0.0.0.0/0"))))
    run.settings = replace(SETTINGS, egress=GATEWAY)
    for listed, open_ in ((None, False), (["0.0.0.0/0"], True)):
        run.overrides["policy"] = policy(privateHosts=listed)
        (launch,) = launches(replace(run).step())
        assert launch.policy is not None
        (block,) = [
            peer["ipBlock"]
            for rule in launch.policy["spec"]["egress"]
            for peer in rule["to"]
            if "ipBlock" in peer
        ]
        assert ("10.0.0.0/8" not in block["except"]) is open_


def test_s640_a_network_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"10\.1\.0\.0/99"):
        policy(privateHosts=["10.1.0.0/99"])
