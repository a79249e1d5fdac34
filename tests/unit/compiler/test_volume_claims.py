"""S708: what is refused in `volumeClaims`, and what they are in the pod and in the fingerprint."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.isolation.policy import NamespacePolicy
from waypost.compiler.definition import define
from waypost.compiler.rules.nodes.policy import policy_problems

from tests.support.builders import RUN_UID, container, http, python, spec, wait
from tests.support.play import Play, launches

CLAIM: JsonObject = {"name": "work", "storage": "1Gi"}


def mounts(claim: str = "work", **fields: Any) -> JsonObject:
    volume = {"name": "data", "mountPath": "/data", "volumeClaim": claim, **fields}
    return {"isolation": {"volumes": [volume]}}


def problems(*nodes: JsonObject, **fields: Any) -> list[str]:
    return [str(one) for one in define(spec(*nodes, **fields)).problems]


@pytest.mark.parametrize("make", [python, container, http], ids=["python", "container", "http"])
def test_s708_nodes_share_a_claim(make: Any) -> None:
    nodes = [make("a", **mounts()), make("b", **mounts(readOnly=True, subPath="x"))]
    assert problems(*nodes, volumeClaims=[CLAIM]) == []
    assert problems(make("a"), volumeClaims=[CLAIM], defaults=mounts()) == []


REFUSED: dict[str, tuple[JsonObject, list[JsonObject] | None, str]] = {
    "unknown": (
        python("a", **mounts("wrok")),
        [CLAIM],
        "nodes.a.isolation.volumes: volume data names 'wrok', which is not in volumeClaims; "
        "declared: work",
    ),
    "none": (python("a", **mounts()), None, "the run declares none"),
    "unused": (python("a"), [CLAIM], "volumeClaims[0]: no node mounts it; name it in"),
    "twice": (python("a", **mounts()), [CLAIM, CLAIM], "volumeClaims[1].name: work is declared"),
    "size": (python("a", **mounts()), [{**CLAIM, "storage": "0"}], "volumeClaims[0].storage"),
    "class": (
        python("a", **mounts()),
        [{**CLAIM, "storageClassName": "Fast Disk"}],
        "volumeClaims[0].storageClassName: expected the name of an object",
    ),
    "two-sources": (
        python("a", **mounts(configMap={"name": "c"})),
        [CLAIM],
        "ephemeral, volumeClaim; found configMap, volumeClaim",
    ),
    "mode": (python("a", **mounts()), [{**CLAIM, "accessModes": ["Shared"]}], "accessModes"),
}


@pytest.mark.parametrize(("node", "claims", "says"), REFUSED.values(), ids=REFUSED)
def test_s708_refused(node: JsonObject, claims: list[JsonObject] | None, says: str) -> None:
    fields = {} if claims is None else {"volumeClaims": claims}
    assert says in "\n".join(problems(node, **fields))


def test_s708_the_claim_belongs_to_the_run_and_the_job_mounts_it() -> None:
    claim = {**CLAIM, "accessModes": ["ReadWriteMany"], "storageClassName": "nfs"}
    found = launches(
        Play(
            spec(
                *(python("a", **mounts()), python("b", **mounts()), wait("c"), python("d")),
                volumeClaims=[claim],
            )
        ).step()
    )
    first, second, without = found
    [made] = first.claims
    assert (second.claims, without.claims) == ((made,), ())
    [owner] = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("AgentWorkflow", RUN_UID, True)
    assert made["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "nfs",
    }
    volumes = first.job["spec"]["template"]["spec"]["volumes"]
    source = {"claimName": made["metadata"]["name"]}
    assert {"name": "user-data", "persistentVolumeClaim": source} in volumes


def test_s708_the_list_of_volumes_of_the_platform_counts() -> None:
    found = define(spec(python("a", **mounts()), volumeClaims=[CLAIM])).spec
    assert found is not None
    policy = NamespacePolicy.model_validate({"volumes": ["configMap"]})
    [problem] = policy_problems(found, policy)
    assert "volume source persistentVolumeClaim" in str(problem)
    allowed = NamespacePolicy.model_validate({"volumes": ["persistentVolumeClaim"]})
    assert list(policy_problems(found, allowed)) == []


def test_s709_another_claim_is_another_volume_and_runs_its_nodes_again() -> None:
    def seen(**claim: Any) -> tuple[str, Any]:
        whole = spec(python("a", **mounts()), python("b"), volumeClaims=[{**CLAIM, **claim}])
        prints = define(whole).fingerprints
        return launches(Play(whole).step())[0].claims[0]["metadata"]["name"], prints

    (name, prints), (other, others) = seen(), seen(storage="2Gi")
    assert name != other
    assert prints["a"] != others["a"]
    assert prints["b"] == others["b"]
