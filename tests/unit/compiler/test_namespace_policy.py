"""S373: what the platform lets the runs of a namespace use, in the spec and in the rendered pod."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.isolation.policy import NamespacePolicy, Uses, policy_of, violations
from waypost.compiler.definition import define
from waypost.compiler.rules.nodes.policy import policy_problems

from tests.support.builders import container, python, spec, wait
from tests.support.play import Crash, Play, launches


def policy(**fields: Any) -> NamespacePolicy:
    return NamespacePolicy.model_validate(fields)


SECRET_ENV: Any = {
    "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}]
}


def mounts(**source: Any) -> JsonObject:
    return {"isolation": {"volumes": [{"name": "v", "mountPath": "/v", **source}]}}


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
    run.spec = spec(python("first"), {**node, "dependsOn": ["first"]})
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
