"""The pod of a foreign image whose output may be big."""

from typing import Any

import pytest
from waypost.api.workflow import Node
from waypost.kube.manifests.attempt_job import Owner, attempt_manifests
from waypost.kube.manifests.pod import PodSettings, Rendered
from waypost.protocol import carrying
from waypost.protocol.request import Request

SETTINGS = PodSettings(runner_image="runner:1", gateway_url="http://gateway")


def pod_of(*, large: bool | None, settings: PodSettings = SETTINGS) -> dict[str, Any]:
    node = Node.model_validate(
        {"name": "a", "container": {"image": "busybox"} | ({"largeOutput": large} if large else {})}
    )
    request = Request(
        run_name="run",
        namespace="default",
        run_uid="u",
        path="a",
        kind="container",
        round=1,
        attempt=1,
        fingerprint="f",
        idempotency_key="k",
        timeout_seconds=60,
        traceparent=None,
        inputs={},
        input_schema=None,
        output_schema=None,
        gateway=settings.gateway_url,
    )
    job, _ = attempt_manifests(
        owner=Owner("run", "default", "u"),
        node=node,
        request=request,
        rendered=Rendered(),
        settings=settings,
        deadline_seconds=60,
    )
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def mounted(container: dict[str, Any]) -> set[str]:
    return {mount["mountPath"] for mount in container["volumeMounts"]}


def variable(container: dict[str, Any], name: str) -> str:
    return next(str(each["value"]) for each in container["env"] if each["name"] == name)


def test_a_node_that_does_not_ask_pays_nothing() -> None:
    pod = pod_of(large=None)
    assert "initContainers" not in pod
    assert variable(pod["containers"][0], "WAYPOST_OUTPUT") == "/dev/termination-log"


def test_the_sidecar_shares_the_folder_of_the_output() -> None:
    pod = pod_of(large=True)
    [carrier], [program] = pod["initContainers"], pod["containers"]
    assert (carrier["name"], carrier["restartPolicy"]) == (carrying.CONTAINER, "Always")
    assert carrier["image"] == "runner:1"
    for container in (carrier, program):
        assert variable(container, "WAYPOST_OUTPUT") == "/waypost/out/output"
        assert "/waypost/out" in mounted(container)
    assert {v["name"] for v in pod["volumes"]} == {"in", "tmp", "out", "token"}


def test_only_the_sidecar_has_the_token() -> None:
    pod = pod_of(large=True)
    assert "/waypost/token" in mounted(pod["initContainers"][0])
    assert "/waypost/token" not in mounted(pod["containers"][0])


def test_the_program_can_leave_no_code_for_the_sidecar() -> None:
    carrier = pod_of(large=True)["initContainers"][0]
    assert mounted(carrier) == {"/waypost/in", "/waypost/out", "/waypost/token"}
    assert {each["name"] for each in carrier["env"]} == {"WAYPOST_OUTPUT", "WAYPOST_POD_UID"}


@pytest.mark.parametrize("field", ["allowPrivilegeEscalation", "readOnlyRootFilesystem"])
def test_the_sidecar_is_as_restricted_as_the_program(field: str) -> None:
    pod = pod_of(large=True)
    carrier, program = pod["initContainers"][0], pod["containers"][0]
    assert carrier["securityContext"][field] == program["securityContext"][field]


def test_without_a_gateway_the_sidecar_still_tells_what_is_missing() -> None:
    carrier = pod_of(large=True, settings=PodSettings(runner_image="r"))["initContainers"][0]
    assert "/waypost/token" not in mounted(carrier)
