"""Whatever the fields of a node say, the Job of an accepted run keeps to its bounds: what a run may
set is a list of fields, and none of them takes away what the operator sets (S700)."""

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.isolation.policy import NamespacePolicy
from waypost.api.provider import ModelProviderSpec
from waypost.engine.state.decision import Launch

from tests.fuzz.extent import deep
from tests.support.builders import RUN_UID, agent, container, http, python, spec
from tests.support.play import Play, launches

VOLUME_SOURCES: Final = ("secret", "configMap")
POLICY: Final = NamespacePolicy.model_validate(
    {"serviceAccounts": ["puller"], "secrets": ["db"], "volumes": [*VOLUME_SOURCES]}
)
PROVIDER: Final = ModelProviderSpec.model_validate(
    {"type": "OpenAI", "apiKey": {"name": "db", "key": "k"}}
)
AUDIENCES: Final = {"waypost-gateway", "waypost-models"}
OURS: Final = {"emptyDir", "projected", "downwardAPI", "configMap"}
RESERVED: Final = ("waypost.dev", "kubernetes.io", "k8s.io", "kueue.x-k8s.io", "argoproj.io")


LABELS: Final = (
    *("team", "app.kubernetes.io/name", "node.k8s.io/x", "kueue.x-k8s.io/queue-name"),
    *("waypost.dev/run", "waypost.dev/node", "waypost.dev/egress", "sub.waypost.dev/x"),
    *("argocd.argoproj.io/instance", "batch.kubernetes.io/job-name", "job-name"),
)
SOURCES: Final[tuple[JsonObject, ...]] = (
    *({"secret": {"secretName": name}} for name in ("db", "keys", "$(HOME)")),
    {"configMap": {"name": "settings"}},
    *({"hostPath": {"path": path}} for path in ("/", "/var/run")),
    *({name: {}} for name in ("projected", "nfs", "emptyDir", "secret")),
    {"csi": {"driver": "d.example"}},
    {"persistentVolumeClaim": {"claimName": "c"}},
    {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "x"}}]}},
)
PATHS: Final = ("/data", "/", "/waypost/token", "/waypost", "/tmp", "/etc/../proc", "/dev/shm")
ISOLATION: Final[dict[str, tuple[Any, ...]]] = {
    "serviceAccountName": ("puller", "default", "waypost", "${inputs.x}", "$(HOME)", "../a"),
    "hostUsers": (True, False),
    "hostNetwork": (True,),
    "automountServiceAccountToken": (True,),
    "securityContext": ({"runAsUser": 0}, {"privileged": True}),
    "podSpecPatch": ("hostPID: true", {"hostPID": True}),
    "podLabels": tuple({label: value} for label in LABELS for value in ("a", RUN_UID)),
    "nodeSelector": ({"pool": "a"}, {"a/b/c": ""}),
    "tolerations": ([{"operator": "Exists"}], [{"op": 1}]),
    "volumes": (
        *([{"name": "data", "mountPath": "/data", **source}] for source in SOURCES),
        *([{"name": "data", "mountPath": path, **SOURCES[0]}] for path in PATHS),
        *([{"name": name, "mountPath": "/d", **SOURCES[0]}] for name in ("token", "tmp", "shm")),
    ),
    "shm": ("64Mi", "-1", "1Ei", "1e99999999999999999999"),
    "tmp": ("64Mi", "0", "x", "1Ei"),
}
BLOCK: Final[dict[str, tuple[Any, ...]]] = {
    "env": tuple(
        [variable]
        for variable in (
            {"name": "A", "value": "$(K) ${inputs.x}"},
            {"name": "PYTHONPATH", "value": "/tmp"},
            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}},
            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
            {"name": "F", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        )
    ),
    "securityContext": ({"privileged": True}, {"capabilities": {"add": ["ALL"]}}),
    "command": (["/bin/sh", "-c", "$(K)"], ["${inputs.x}"]),
    "ports": ([{"hostPort": 80}],),
    "lifecycle": ({"postStart": {"exec": {"command": ["x"]}}},),
    "volumeMounts": ([{"name": "token", "mountPath": "/a"}],),
    "resources": ({"limits": {"memory": "64Mi"}}, {"limits": {"x/gpu": "1"}}),
}
KINDS: Final = (python("a"), container("a"), http("a"), agent("a"))


def _each(fields: dict[str, tuple[Any, ...]]) -> list[JsonObject]:
    return [{name: value} for name, values in fields.items() for value in values]


def _some(fields: dict[str, tuple[Any, ...]]) -> st.SearchStrategy[Any]:
    """Up to two of the fields: more of them are refused together."""
    one = st.sampled_from(_each(fields))
    return st.lists(one, max_size=2).map(lambda found: {k: v for f in found for k, v in f.items()})


NODES: Final = st.tuples(st.sampled_from(KINDS), _some(ISOLATION), _some(ISOLATION), _some(BLOCK))


Drawn = tuple[JsonObject, JsonObject, JsonObject, JsonObject]


def _launches(drawn: Drawn) -> list[Launch]:
    node, own, shared, block = drawn
    kind = next(name for name in ("python", "container", "http", "agent") if name in node)
    changed = {**node, kind: {**node[kind], **block}, "isolation": own}
    play = Play(spec(changed, defaults={"isolation": shared}, inputs={"x": "; id"}))
    play.overrides |= {"policy": POLICY, "providers": {"main": PROVIDER}}
    return launches(play.step())


def _bounded(job: JsonObject) -> None:
    """Fails if a Job has more than an attempt may have, whatever its node says."""
    template = job["spec"]["template"]
    pod, labels = template["spec"], template["metadata"]["labels"]
    [owner] = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("AgentWorkflow", RUN_UID, True)
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod.get("serviceAccountName", "waypost-node") in ("waypost-node", "puller")
    assert not {"hostNetwork", "hostPID", "hostIPC", "nodeName"} & set(pod)
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    own = {meta.LABEL_RUN: RUN_UID, meta.LABEL_NODE: "a", meta.LABEL_ATTEMPT: "1"}
    assert {key: labels[key] for key in own} == own
    foreign = {key for key in labels if "/" in key and not key.startswith(f"{meta.GROUP}/")}
    assert not [key for key in foreign if key.partition("/")[0].endswith(RESERVED)]
    for one in (*pod["containers"], *pod.get("initContainers", ())):
        _contained(one)
    for volume in pod["volumes"]:
        _mountable(volume)


def _contained(one: JsonObject) -> None:
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"ports", "lifecycle", "volumeDevices", "envFrom"} & set(one)
    assert {"memory", "ephemeral-storage"} <= set(one["resources"]["limits"])
    for variable in one.get("env", ()):
        source = variable.get("valueFrom", {})
        assert set(source) <= {"secretKeyRef", "fieldRef", "resourceFieldRef"}
        assert source.get("secretKeyRef", {}).get("name", "db") == "db"
        assert "$(" not in variable.get("value", "").replace("$$", "")
    mounted = [mount["mountPath"] for mount in one["volumeMounts"]]
    assert len(mounted) == len(set(mounted)), "nothing is mounted over what the pod needs"


def _mountable(volume: JsonObject) -> None:
    [source] = set(volume) - {"name"}
    given = volume["name"].startswith("user-")
    assert source in (VOLUME_SOURCES if given else OURS)
    if source == "secret":
        assert volume["secret"]["secretName"] == "db"
    for part in volume.get("projected", {}).get("sources", ()):
        token = part.get("serviceAccountToken", {})
        assert token.get("audience") in AUDIENCES or not token


@pytest.mark.parametrize("node", KINDS, ids=("python", "container", "http", "agent"))
def test_s700_each_field_of_a_node_keeps_its_job_to_the_bounds(node: JsonObject) -> None:
    accepted = 0
    for own in _each(ISOLATION):
        accepted += _judged((node, own, {}, {})) + _judged((node, {}, own, {}))
    for block in _each(BLOCK):
        accepted += _judged((node, {}, {}, block))
    assert accepted >= 16, "what is refused is not judged"


def _judged(drawn: Drawn) -> int:
    found = _launches(drawn)
    for launch in found:
        _bounded(launch.job)
    return len(found)


@settings(
    max_examples=4000 if deep else 100, suppress_health_check=list(HealthCheck), print_blob=True
)
@given(drawn=NODES)
def test_s700_fields_together_keep_its_job_to_the_bounds(drawn: Drawn) -> None:
    _judged(drawn)
