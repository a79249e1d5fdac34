"""Manifests of an attempt: what the pod may and may not do, what rides along, what is escaped."""

import json
from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define
from waypost.engine.state.decision import Launch
from waypost.kube.manifests.attempt_job import ANNOTATION_LIMIT

from tests.support import builders
from tests.support.builders import container, python, spec
from tests.support.play import Play, launches


def launched(node: JsonObject, **fields: JsonValue) -> Launch:
    """The first attempt of this node."""
    return launches(Play(spec(node, **fields)).step())[0]


def stored(node: JsonObject) -> Launch:
    """The first attempt of this node in an installation with a gateway."""
    play = Play(spec(node))
    play.settings = replace(play.settings, gateway_url="http://gateway")
    return launches(play.step())[0]


def pod_of(launch: Launch) -> JsonObject:
    pod: JsonObject = launch.job["spec"]["template"]["spec"]
    return pod


def container_of(node: JsonObject, **fields: JsonValue) -> JsonObject:
    found: JsonObject = pod_of(launched(node, **fields))["containers"][0]
    return found


def env_of(found: JsonObject) -> dict[str, Any]:
    """Variables as the kubelet sets them: the last of a name wins."""
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in found["env"]}


BOTH = pytest.mark.parametrize("node", [python("a"), container("a")], ids=["python", "container"])


@BOTH
def test_restricted_pod_security(node: JsonObject) -> None:
    pod = pod_of(launched(node))
    work = pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False, "no API credentials"
    assert pod["enableServiceLinks"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert work["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPath" not in volume for volume in pod["volumes"])
    assert work["terminationMessagePolicy"] == "File", "B4: logs are never taken for a result"
    assert [m["name"] for m in work["volumeMounts"] if not m.get("readOnly")] == ["tmp"]


@BOTH
def test_one_job_one_pod(node: JsonObject) -> None:
    job = launched(node).job["spec"]
    assert (job["backoffLimit"], job["completions"], job["parallelism"]) == (0, 1, 1)
    assert job["podReplacementPolicy"] == "Failed"
    assert job["podFailurePolicy"]["rules"], "S524: so the API server refuses a restartPolicy"
    assert "activeDeadlineSeconds" not in job, "E1: a Job's deadline takes its pod away"
    assert job["ttlSecondsAfterFinished"] == builders.SETTINGS.job_ttl_seconds
    template = job["template"]["metadata"]
    assert template["finalizers"] == [meta.FINALIZER_RESULT], "held from birth"
    assert template["labels"] == {
        meta.LABEL_RUN: builders.RUN_UID,
        meta.LABEL_NODE: "a",
        meta.LABEL_ATTEMPT: "1",
        meta.LABEL_ROUND: "1",
    }


@BOTH
def test_the_run_owns_what_is_made(node: JsonObject) -> None:
    reference = launched(node).job["metadata"]["ownerReferences"][0]
    assert (reference["uid"], reference["controller"]) == (builders.RUN_UID, True)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        pytest.param({}, 600 + 600 + 35, id="defaults"),
        pytest.param({"timeout": "1m", "queueTimeout": "2m"}, 180 + 35, id="own"),
        pytest.param({"timeout": "100ms", "queueTimeout": "100ms"}, 35, id="tiny"),
        pytest.param(
            {"timeout": "99999h99999h", "queueTimeout": "99999h99999h99999h99999h"},
            2**31 - 1,
            id="as-much-as-the-api-takes",
        ),
    ],
)
def test_pod_deadline_is_the_backstop(fields: JsonObject, seconds: int) -> None:
    assert pod_of(launched(container("a", **fields)))["activeDeadlineSeconds"] == seconds


HOSTILE = "$(SECRET) $$(X) ${Y} $"


def test_s17_dollars_are_doubled_in_the_pod_and_nowhere_else() -> None:
    node = container(
        "a",
        command=["sh", "-c", "echo $(SECRET)"],
        args=["${inputs.v}"],
        env=[{"name": "V", "value": "x ${inputs.v}"}],
        inputs={"v": "${inputs.v}"},
    )
    launch = launched(node, inputs={"v": HOSTILE})
    work = pod_of(launch)["containers"][0]
    doubled = HOSTILE.replace("$", "$$")
    assert work["command"] == ["sh", "-c", "echo $$(SECRET)"]
    assert work["args"] == [doubled]
    assert (env_of(work)["V"], env_of(work)["WAYPOST_INPUT_V"]) == (f"x {doubled}", doubled)
    notes = launch.job["spec"]["template"]["metadata"]["annotations"]
    assert notes[f"{meta.ANNOTATION_INPUT_PREFIX}v"] == HOSTILE, "files are not expanded"
    assert json.loads(notes[meta.ANNOTATION_REQUEST])["inputs"] == {"v": HOSTILE}


def test_env_precedence() -> None:
    node = container(
        "a", inputs={"n": 1}, env=[{"name": "HOME", "value": "/data"}, {"name": "X", "value": "1"}]
    )
    env = env_of(container_of(node))
    assert (env["HOME"], env["X"], env["WAYPOST_INPUT_N"]) == ("/data", "1", "1"), "the user's wins"
    assert env["WAYPOST_OUTPUT"] == "/dev/termination-log"


def test_env_from_secrets() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    env = env_of(container_of(python("a", env=[{"name": "S", "valueFrom": source}])))
    assert env["S"] == source


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("x", "x", id="string"),
        pytest.param(True, "true", id="true"),
        pytest.param(3, "3", id="integer"),
        pytest.param(2.5, "2.5", id="double"),
        pytest.param("y" * 40_000, None, id="too-long-for-env"),
        pytest.param("\U0001f600" * 32_000, "\U0001f600" * 32_000, id="long-and-of-4-bytes"),
        pytest.param("a\0b", None, id="nul"),
        pytest.param([1], None, id="list"),
        pytest.param(None, None, id="null"),
    ],
)
def test_scalar_inputs_as_env(value: JsonValue, text: str | None) -> None:
    env = env_of(container_of(container("a", inputs={"some_key": value})))
    assert env.get("WAYPOST_INPUT_SOME_KEY") == text
    runner = env_of(container_of(python("a", inputs={"some_key": value})))
    assert "WAYPOST_INPUT_SOME_KEY" not in runner, "the runner reads the request"


def test_s90_small_requests_ride_in_annotations() -> None:
    launch = launched(container("a", inputs={"text": "x", "o": {"b": 1, "a": [None]}}))
    notes = launch.job["spec"]["template"]["metadata"]["annotations"]
    assert launch.config_map is None
    assert notes[f"{meta.ANNOTATION_INPUT_PREFIX}text"] == "x", "strings raw"
    assert notes[f"{meta.ANNOTATION_INPUT_PREFIX}o"] == '{"a":[null],"b":1}', "else JSON"
    paths = [i["path"] for i in pod_of(launch)["volumes"][0]["downwardAPI"]["items"]]
    assert paths == ["request.json", "inputs/o", "inputs/text"]


@pytest.mark.parametrize("key", ["_x", "x_", "_"])
def test_keys_that_no_annotation_may_have(key: str) -> None:
    launch = launched(container("a", inputs={"plain": 1, key: "v"}))
    notes = launch.job["spec"]["template"]["metadata"]["annotations"]
    names = [n.removeprefix(meta.ANNOTATION_INPUT_PREFIX) for n in notes if n.startswith("input.")]
    assert all(n[0].isalnum() and n[-1].isalnum() for n in names), "the API server refuses others"
    items = {i["path"]: i["fieldRef"] for i in pod_of(launch)["volumes"][0]["downwardAPI"]["items"]}
    path = items[f"inputs/{key}"]["fieldPath"]
    assert notes[path.removeprefix("metadata.annotations['").removesuffix("']")] == "v"


def test_s90_larger_requests_ride_in_a_config_map() -> None:
    launch = launched(container("a", inputs={"v": "x" * ANNOTATION_LIMIT}))
    found = launch.config_map
    assert found is not None
    assert (found["metadata"]["name"], found["immutable"]) == (launch.job["metadata"]["name"], True)
    assert found["data"]["input.v"] == "x" * ANNOTATION_LIMIT
    assert json.loads(found["data"]["request.json"])["path"] == "a"
    assert found["metadata"]["ownerReferences"] == launch.job["metadata"]["ownerReferences"]
    volume = pod_of(launch)["volumes"][0]["configMap"]
    assert volume["name"] == found["metadata"]["name"]
    assert {"key": "input.v", "path": "inputs/v"} in volume["items"]
    notes = launch.job["spec"]["template"]["metadata"]["annotations"]
    assert meta.ANNOTATION_REQUEST not in notes, "not twice"


def test_requests_that_fit_nowhere() -> None:
    raw = spec(
        container("a", inputs={f"k{i}": "${inputs.v}" for i in range(10)}),
        inputs={"v": "x" * 200_000},
    )
    play = Play(raw)
    play.step()
    assert play.reasons["a"] == "InputTooLarge"
    assert (play.jobs, play.node("a").attempts) == ({}, None), "no attempt is recorded"


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param(
            None,
            ({"cpu": "50m", "memory": "64Mi"}, {"cpu": "1", "memory": "512Mi"}),
            id="defaults",
        ),
        pytest.param(
            {"limits": {"memory": "16Mi"}},
            ({"cpu": "50m"}, {"cpu": "1", "memory": "16Mi"}),
            id="limit-below-the-default-request",
        ),
        pytest.param(
            {"requests": {"cpu": "4"}},
            ({"cpu": "4", "memory": "64Mi"}, {"cpu": "4", "memory": "512Mi"}),
            id="request-above-the-default-limit",
        ),
        pytest.param(
            {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 1}},
            (
                {"cpu": "50m", "memory": "64Mi", "nvidia.com/gpu": 1},
                {"cpu": "1", "memory": "512Mi", "nvidia.com/gpu": 1},
            ),
            id="extra",
        ),
    ],
)
def test_resources(declared: JsonObject | None, expected: tuple[JsonObject, JsonObject]) -> None:
    node = python("a", resources=declared) if declared else python("a")
    found = container_of(node)["resources"]
    found["limits"].pop("ephemeral-storage")
    assert (found["requests"], found["limits"]) == expected


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param(None, "1Gi", id="default"),
        pytest.param({"limits": {"ephemeral-storage": "4Gi"}}, "4Gi", id="limit"),
        pytest.param({"requests": {"ephemeral-storage": "2Gi"}}, "2Gi", id="request"),
    ],
)
def test_one_storage_limit_holds_for_all_that_a_node_writes(
    declared: JsonObject | None, expected: str
) -> None:
    node = python("a", resources=declared) if declared else python("a")
    pod = launched(node).job["spec"]["template"]["spec"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": expected}} in pod["volumes"]
    [container] = pod["containers"]
    assert container["resources"]["limits"]["ephemeral-storage"] == expected
    source = {"resourceFieldRef": {"resource": "limits.ephemeral-storage", "divisor": "1"}}
    assert {"name": "WAYPOST_STORAGE_BYTES", "valueFrom": source} in container["env"]


@pytest.mark.parametrize(
    ("default", "own", "expected"),
    [
        pytest.param(
            {"limits": {"memory": "2Gi"}},
            None,
            ({"cpu": "50m"}, {"cpu": "1", "memory": "2Gi"}),
            id="of-the-run",
        ),
        pytest.param(
            {"limits": {"memory": "2Gi", "cpu": "2"}, "requests": {"cpu": "500m"}},
            {"limits": {"memory": "3Gi"}},
            ({"cpu": "500m"}, {"cpu": "2", "memory": "3Gi"}),
            id="merged-by-resource",
        ),
        pytest.param(
            {"requests": {"memory": "2Gi"}},
            {"limits": {"memory": "1Gi"}},
            ({"cpu": "50m"}, {"cpu": "1", "memory": "1Gi"}),
            id="own-limit-below-the-runs-request",
        ),
        pytest.param(
            {"limits": {"memory": "1Gi"}},
            {"requests": {"memory": "2Gi"}},
            ({"cpu": "50m", "memory": "2Gi"}, {"cpu": "1", "memory": "2Gi"}),
            id="own-request-above-the-runs-limit",
        ),
    ],
)
def test_s92_defaults_of_the_run(
    default: JsonObject, own: JsonObject | None, expected: tuple[JsonObject, JsonObject]
) -> None:
    for made in (python, container):
        node = made("a", resources=own) if own else made("a")
        found = container_of(node, defaults={"resources": default})["resources"]
        found["limits"].pop("ephemeral-storage")
        assert (found["requests"], found["limits"]) == expected


def test_s92_the_run_sets_the_size_of_tmp() -> None:
    limit = {"limits": {"ephemeral-storage": "4Gi"}}
    pod = pod_of(launched(container("a"), defaults={"resources": limit}))
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "4Gi"}} in pod["volumes"]


def test_s92_the_resources_of_the_run_are_not_in_the_fingerprint() -> None:
    plain = define(spec(python("a")))
    big = define(spec(python("a"), defaults={"resources": {"limits": {"memory": "8Gi"}}}))
    assert plain.fingerprints == big.fingerprints


def test_what_the_request_says() -> None:
    node = python(
        "a",
        inputs={"v": "${inputs.v}"},
        timeout="90s",
        inputSchema={"type": "object"},
        outputSchema={"type": "object"},
    )
    notes = launched(node, inputs={"v": 1}).job["spec"]["template"]["metadata"]["annotations"]
    request = json.loads(notes[meta.ANNOTATION_REQUEST])
    assert request["run"] == {"name": "brief", "namespace": "team", "uid": builders.RUN_UID}
    assert (request["path"], request["kind"], request["attempt"]) == ("a", "python", 1)
    assert (request["inputs"], request["timeoutSeconds"]) == ({"v": 1}, 90.0)
    assert request["inputSchema"] == request["outputSchema"] == {"type": "object"}
    assert request["python"]["source"] == builders.SOURCE
    assert request["traceparent"].startswith("00-")


VOLUMES = [
    {"name": "models", "mountPath": "/models", "persistentVolumeClaim": {"claimName": "models"}},
    {"name": "in", "mountPath": "/etc-app", "subPath": "a", "configMap": {"name": "settings"}},
]


@BOTH
def test_s370_isolation_in_the_pod(node: JsonObject) -> None:
    isolation: JsonObject = {
        "runtimeClassName": "gvisor",
        "hostUsers": False,
        "shm": "128Mi",
        "nodeSelector": {"pool": "batch"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "low",
        "podLabels": {"team": "a"},
        "volumes": VOLUMES,
    }
    launch = launched(
        {**node, "isolation": {"nodeSelector": {"b": "c"}}}, defaults={"isolation": isolation}
    )
    pod = pod_of(launch)
    for field in ("runtimeClassName", "hostUsers", "affinity", "priorityClassName"):
        assert pod[field] == isolation[field]
    assert pod["nodeSelector"] == {"pool": "batch", "b": "c"}
    assert pod["tolerations"][-1] == {"key": "batch", "operator": "Exists"}
    assert len(pod["tolerations"]) == 3, "those for dead machines stay"
    labels = launch.job["spec"]["template"]["metadata"]["labels"]
    assert (labels["team"], labels[meta.LABEL_NODE]) == ("a", "a")
    assert "team" not in launch.job["metadata"]["labels"]
    for added in (
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "128Mi"}},
        {"name": "user-models", "persistentVolumeClaim": {"claimName": "models"}},
        {"name": "user-in", "configMap": {"name": "settings"}},
    ):
        assert added in pod["volumes"]
    for mount in (
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "user-models", "mountPath": "/models"},
        {"name": "user-in", "mountPath": "/etc-app", "subPath": "a", "readOnly": True},
    ):
        assert mount in pod["containers"][0]["volumeMounts"]


def test_s370_sidecars_do_not_get_the_volumes_of_the_node() -> None:
    node = container("a", isolation={"volumes": VOLUMES})
    node["container"]["largeOutput"] = True
    (sidecar,) = pod_of(stored(node))["initContainers"]
    assert not [one for one in sidecar["volumeMounts"] if one["name"].startswith("user-")]


TMP = {
    "as-declared": ({"tmp": "64Mi"}, None, ("64Mi", "1Gi")),
    "raises-the-limit": ({"tmp": "8Gi"}, None, ("8Gi", "8Gi")),
    "below-the-declared-limit": ({"tmp": "2Gi"}, "4Gi", ("2Gi", "4Gi")),
    "follows-the-limit": ({}, "4Gi", ("4Gi", "4Gi")),
}


@pytest.mark.parametrize(("isolation", "limit", "expected"), TMP.values(), ids=TMP)
def test_s370_size_of_tmp(
    isolation: JsonObject, limit: str | None, expected: tuple[str, str]
) -> None:
    own: Any = {"resources": {"limits": {"ephemeral-storage": limit}}} if limit else {}
    artifacts = {"out": [{"name": "repo", "path": "/repo"}]}
    pod = pod_of(stored(python("a", isolation=isolation, artifacts=artifacts, **own)))
    sizes = {one["name"]: one.get("emptyDir", {}).get("sizeLimit") for one in pod["volumes"]}
    assert (sizes["tmp"], sizes["artifact-0"]) == expected
    assert pod["containers"][0]["resources"]["limits"]["ephemeral-storage"] == expected[1]


def test_service_account_and_pull_policy() -> None:
    launch = launched(
        container("a", imagePullPolicy="Always", isolation={"serviceAccountName": "puller"})
    )
    pod = pod_of(launch)
    assert pod["serviceAccountName"] == "puller"
    assert pod["automountServiceAccountToken"] is False, "its token still stays out"
    assert pod["containers"][0]["imagePullPolicy"] == "Always"
    assert container_of(python("a"))["image"] == "runner:test"
