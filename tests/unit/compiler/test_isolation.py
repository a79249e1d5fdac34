"""S370, S371: how isolation is merged, and what is refused in it."""

from decimal import Decimal
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.isolation.model import Isolation, merged
from waypost.api.isolation.quantity import larger, number_of
from waypost.compiler.definition import define

from tests.support.builders import agent, container, gate, http, python, spec, wait

CLAIM: Any = {"persistentVolumeClaim": {"claimName": "models"}}


def volume(name: str = "models", path: str = "/data/models", **fields: Any) -> JsonObject:
    source = fields or CLAIM
    return {"name": name, "mountPath": path, **source}


def problems(*nodes: JsonObject, **fields: Any) -> list[str]:
    return [str(problem) for problem in define(spec(*nodes, **fields)).problems]


EVERYTHING = {
    "serviceAccountName": "puller",
    "runtimeClassName": "gvisor",
    "hostUsers": False,
    "tmp": "2Gi",
    "shm": "128Mi",
    "nodeSelector": {"pool": "batch", "team.example/zone": "a"},
    "tolerations": [
        {"key": "batch", "operator": "Exists"},
        {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
    ],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["a100"]}]}
                ]
            }
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 5,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"app": "x"}},
                    },
                }
            ]
        },
    },
    "priorityClassName": "batch-low",
    "podLabels": {"team": "a", "cost.example/center": "42"},
    "volumes": [
        volume(subPath="llama/8b", readOnly=True, **CLAIM),
        volume("settings", "/etc-app", configMap={"name": "settings", "items": []}),
        volume("key", "/keys", secret={"secretName": "key", "defaultMode": 0o440}),
        volume("weights", "/weights", image={"reference": "registry.example/weights:1"}),
        volume("store", "/store", csi={"driver": "secrets-store.csi.k8s.io"}),
        volume(
            "scratch",
            "/scratch",
            ephemeral={
                "volumeClaimTemplate": {
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "10Gi"}},
                    }
                }
            },
        ),
    ],
}
POD_KINDS = {"python": python, "container": container, "http": http, "agent": agent}


@pytest.mark.parametrize("make", POD_KINDS.values(), ids=POD_KINDS)
def test_s370_each_kind_with_a_pod_has_isolation(make: Any) -> None:
    assert problems(make("a", isolation=EVERYTHING)) == []
    assert problems(make("a"), defaults={"isolation": EVERYTHING}) == []


@pytest.mark.parametrize("node", [wait("a"), gate("a")], ids=["wait", "approval"])
def test_s370_a_node_without_a_pod_has_none(node: JsonObject) -> None:
    found = problems({**node, "isolation": {"tmp": "1Gi"}})
    assert found == ["nodes.a.isolation: is only for nodes with a pod; remove it"]


REFUSED: dict[str, tuple[JsonObject, str, str]] = {
    "account": ({"serviceAccountName": "My_Account"}, "serviceAccountName", "name of an object"),
    "tmp": ({"tmp": "0"}, "tmp", "greater than 0"),
    "tmp-no-size": ({"tmp": "big"}, "tmp", "expected a size"),
    "shm": ({"shm": "-1Mi"}, "shm", "greater than 0"),
    "selector-key": ({"nodeSelector": {"a b": "c"}}, "nodeSelector", "not the key of a label"),
    "selector-value": ({"nodeSelector": {"a": "c d"}}, "nodeSelector.a", "at most 63 letters"),
    "label-of-waypost": (
        {"podLabels": {"waypost.dev/run": "x"}},
        "podLabels",
        "waypost.dev/run is a label of waypost.dev; choose",
    ),
    "label-of-kubernetes": (
        {"podLabels": {"app.kubernetes.io/component": "gateway"}},
        "podLabels",
        "a label of kubernetes.io",
    ),
    "label-of-the-job": ({"podLabels": {"job-name": "x"}}, "podLabels", "a label of Kubernetes"),
    "label-of-kueue": (
        {"podLabels": {"kueue.x-k8s.io/queue-name": "x"}},
        "podLabels",
        "a label of x-k8s.io",
    ),
    "label-of-argo": (
        {"podLabels": {"argocd.argoproj.io/instance": "x"}},
        "podLabels",
        "a label of argoproj.io",
    ),
    "toleration-field": (
        {"tolerations": [{"kye": "x"}]},
        "tolerations[0].kye",
        "did you mean key",
    ),
    "toleration-of-all": ({"tolerations": [{"value": "x"}]}, "tolerations[0]", "has no key"),
    "toleration-seconds": (
        {"tolerations": [{"key": "x", "tolerationSeconds": 5}]},
        "tolerations[0].tolerationSeconds",
        "only used with effect: NoExecute",
    ),
    "affinity-field": (
        {"affinity": {"nodeAfinity": {}}},
        "affinity.nodeAfinity",
        "did you mean nodeAffinity",
    ),
    "affinity-value": (
        {"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{}]}}},
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
        "is missing",
    ),
    "no-source": (
        {"volumes": [{"name": "v", "mountPath": "/v"}]},
        "volumes[0]",
        "expected exactly one of persistentVolumeClaim, configMap, secret, image, csi, ephemeral, "
        "volumeClaim; found none",
    ),
    "two-sources": (
        {"volumes": [volume(configMap={"name": "c"}, **CLAIM)]},
        "volumes[0]",
        "found persistentVolumeClaim, configMap",
    ),
    "source-field": (
        {"volumes": [volume(secret={"name": "x"})]},
        "volumes[0].secret.name",
        "unknown field name in",
    ),
    "block-device": (
        {
            "volumes": [
                volume(
                    ephemeral={
                        "volumeClaimTemplate": {
                            "spec": {
                                "accessModes": ["ReadWriteOnce"],
                                "resources": {"requests": {"storage": "1Gi"}},
                                "volumeMode": "Block",
                            }
                        }
                    }
                )
            ]
        },
        "volumes[0].ephemeral.volumeClaimTemplate.spec.volumeMode",
        "Filesystem",
    ),
    "written-secret": (
        {"volumes": [volume(readOnly=False, secret={"secretName": "x"})]},
        "volumes[0].readOnly",
        "always read-only",
    ),
    "relative": ({"volumes": [volume(path="data")]}, "volumes[0].mountPath", "absolute path"),
    "dots": (
        {"volumes": [volume(path="/data/../etc")]},
        "volumes[0].mountPath",
        "must not contain",
    ),
    "token-folder": (
        {"volumes": [volume(path="/waypost/token")]},
        "volumes[0].mountPath",
        "overlaps with /waypost",
    ),
    "tmp-folder": ({"volumes": [volume(path="/tmp")]}, "volumes[0].mountPath", "temporary files"),
    "climbing": (
        {"volumes": [volume(subPath="../other", **CLAIM)]},
        "volumes[0].subPath",
        "without ..",
    ),
    "expression": ({"runtimeClassName": "${inputs.x}"}, "runtimeClassName", ""),
}


@pytest.mark.parametrize(("given", "field", "says"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("place", ["nodes.a.isolation", "defaults.isolation"])
def test_s371_refused(given: JsonObject, field: str, says: str, place: str) -> None:
    own = place.startswith("nodes")
    found = (
        problems(python("a", isolation=given))
        if own
        else problems(python("a"), defaults={"isolation": given})
    )
    assert any(one.startswith(f"{place}.{field}: ") and says in one for one in found), found


def test_s371_no_other_volumes() -> None:
    found = problems(python("a", isolation={"volumes": [volume(hostPath={"path": "/"})]}))
    assert "unknown field hostPath" in found[0]


TOGETHER = {
    "same-folder": (
        {"isolation": {"volumes": [volume(), volume("other", "/data")]}},
        "overlaps with /data/models of volume models",
    ),
    "artifact": (
        {
            "isolation": {"volumes": [volume(path="/data")]},
            "artifacts": {"out": [{"name": "repo", "path": "/data/repo"}]},
        },
        "overlaps with /data/repo of artifacts",
    ),
    "tmp-above-the-limit": (
        {
            "isolation": {"tmp": "2Gi"},
            "resources": {"limits": {"ephemeral-storage": "1Gi"}},
        },
        "2Gi is more than limits.ephemeral-storage (1Gi)",
    ),
}


@pytest.mark.parametrize(("fields", "says"), TOGETHER.values(), ids=TOGETHER)
def test_s371_with_other_fields_of_the_node(fields: JsonObject, says: str) -> None:
    found = problems(python("a", **fields))
    assert any(says in one for one in found), found


def test_s371_volumes_of_defaults_and_node_are_judged_together() -> None:
    found = problems(
        python("a", isolation={"volumes": [volume("other", "/data/models/x")]}),
        defaults={"isolation": {"volumes": [volume()]}},
    )
    assert any("overlaps with /data/models of volume models" in one for one in found), found


MERGED: dict[str, tuple[JsonObject, JsonObject, JsonObject]] = {
    "own-replaces": ({"tmp": "1Gi", "shm": "1Mi"}, {"tmp": "2Gi"}, {"tmp": "2Gi", "shm": "1Mi"}),
    "maps-by-key": (
        {"nodeSelector": {"a": "1", "b": "1"}, "podLabels": {"x": "1"}},
        {"nodeSelector": {"b": "2"}},
        {"nodeSelector": {"a": "1", "b": "2"}, "podLabels": {"x": "1"}},
    ),
    "lists-replaced": (
        {"tolerations": [{"operator": "Exists"}]},
        {"tolerations": []},
        {"tolerations": []},
    ),
    "false-replaces": ({"hostUsers": False}, {"hostUsers": True}, {"hostUsers": True}),
    "volumes-by-name": (
        {"volumes": [volume(), volume("b", "/b")]},
        {"volumes": [volume("b", "/c"), volume("d", "/d")]},
        {"volumes": [volume(), volume("b", "/c"), volume("d", "/d")]},
    ),
}


@pytest.mark.parametrize(("base", "own", "expected"), MERGED.values(), ids=MERGED)
def test_s370_merge(base: JsonObject, own: JsonObject, expected: JsonObject) -> None:
    layers = [Isolation.model_validate(one) for one in (base, own)]
    found = merged(*layers).model_dump(by_alias=True, exclude_none=True)
    assert found == expected


def test_s370_merge_of_nothing() -> None:
    given = Isolation(tmp="1Gi")
    assert merged(None, None) == Isolation()
    assert merged(given, None) == merged(None, given) == given


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1Gi", 2**30),
        ("1G", 10**9),
        ("500m", 0.5),
        (7, 7),
        ("1e3", 1000),
        (".5Ki", 512),
        ("1Ei", 2**60),
        ("2E", 2 * 10**18),
        ("1e-3", 0.001),
        ("1e0099", 10**99),
        ("1e99999999999999999999", None),
        ("1e-100", None),
        ("1Gi\n", None),
        ("x", None),
    ],
    ids=str,
)
def test_quantities(text: str | int, number: float | None) -> None:
    assert number_of(text) == (None if number is None else Decimal(str(number)))


def test_larger() -> None:
    assert larger("1Gi", "1G") == "1Gi"
    assert larger("1G", "1Gi") == "1Gi"
    assert larger("1Gi", "?") == "1Gi"


def fingerprint(own: JsonObject, base: JsonObject | None = None) -> str:
    definition = define(spec(python("a", isolation=own), defaults={"isolation": base or {}}))
    assert definition.problems == ()
    return definition.fingerprints["a"]


ELSEWHERE = {name: value for name, value in EVERYTHING.items() if name != "volumes"}
SAME = {
    "nothing": ({}, {}),
    "where-it-runs": (ELSEWHERE, {}),
    "defaults": ({}, ELSEWHERE),
}


@pytest.mark.parametrize(("own", "base"), SAME.values(), ids=SAME)
def test_s372_where_a_node_runs_is_not_in_its_fingerprint(
    own: JsonObject, base: JsonObject
) -> None:
    assert fingerprint(own, base) == define(spec(python("a"))).fingerprints["a"]


def test_s372_what_a_node_reads_from_volumes_is_in_its_fingerprint() -> None:
    plain = define(spec(python("a"))).fingerprints["a"]
    one, other = {"volumes": [volume()]}, {"volumes": [volume(path="/data/other")]}
    assert len({plain, fingerprint(one), fingerprint(other)}) == 3
    assert fingerprint(one) == fingerprint({}, one), "the order of the layers does not matter"
