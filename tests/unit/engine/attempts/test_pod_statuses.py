"""Statuses of pods as kubelets, schedulers and drains write them: what they say of an attempt.

Each row is a status that a cluster has reported. A placeholder must not be taken for a measurement,
and a program counts as never started only if it certainly has not run.
"""

from typing import Any

import pytest
from waypost.api import meta
from waypost.engine.attempts.judge import judge_pod, never_started
from waypost.engine.state.outcome import Failed, Succeeded
from waypost.kube.facts.pods import pod_fact, trouble_of
from waypost.protocol.record import Attempt

from tests.support.builders import NOW

BEGAN, ENDED = "2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z"
EPOCH = "1970-01-01T00:00:00Z"
LABELS = {meta.LABEL_RUN: "u-1", meta.LABEL_NODE: "a", meta.LABEL_ATTEMPT: "1"}
NOT_FOUND = "The container could not be located when the pod was terminated"
SIDECAR = {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}


def node(**state: Any) -> dict[str, Any]:
    return {"name": "node", "state": state}


def ended(code: int | None = 1, reason: str = "Error", **more: Any) -> dict[str, Any]:
    times = {"startedAt": BEGAN, "finishedAt": ENDED}
    return node(terminated={"exitCode": code, "reason": reason, **times, **more})


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return node(waiting={"reason": reason, "message": message})


USED_TO_RUN = (
    "The container could not be located when the pod was deleted.  The container used to be Running"
)
UNKNOWN = ended(137, "ContainerStatusUnknown", startedAt=None, finishedAt=None, message=NOT_FOUND)


def init(name: str, **state: Any) -> dict[str, Any]:
    last = state.pop("last", {})
    return {"name": name, "state": state, "lastState": {"terminated": last} if last else {}}


def failed_init(code: int = 3, reason: str = "Error", **more: Any) -> dict[str, Any]:
    return init("vault", terminated={"exitCode": code, "reason": reason, **more})


def body(
    *containers: Any, inits: Any = (), spec: Any = None, deleted: bool = False, **status: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "p", "uid": "pu", "labels": LABELS}
    if deleted:
        metadata |= {"deletionTimestamp": BEGAN, "deletionGracePeriodSeconds": 30}
    listed = {"containerStatuses": list(containers), "initContainerStatuses": list(inits)}
    return {
        "metadata": metadata,
        "spec": {"nodeName": "m1", **(spec or {})},
        "status": {"phase": "Failed", **listed, **status},
    }


def condition(type_: str, status: str, reason: str, message: str = "") -> list[dict[str, Any]]:
    return [{"type": type_, "status": status, "reason": reason, "message": message}]


def over(id: str, status: Any, reason: str, says: str, *, started: bool = True) -> Any:
    return pytest.param(status, reason, says, started, id=id)


def refused(reason: str) -> Any:
    status = body(reason=reason, message="Pod was rejected: x")
    return over(reason, status, "Disrupted", "Pod was rejected", started=False)


LOW = "The node was low on resource: memory. Threshold quantity: 100Mi"


@pytest.mark.parametrize(
    ("status", "reason", "says", "started"),
    [
        over("sigsegv", body(ended(139)), "NodeError", "exit code 139"),
        over("sigterm-by-itself", body(ended(143)), "NodeError", "exit code 143"),
        over("sigkill", body(ended(137)), "NodeError", "SIGKILL, or a child"),
        over("sigterm-of-a-delete", body(ended(143), deleted=True), "Disrupted", "was deleted"),
        over("oom-with-another-code", body(ended(1, "OOMKilled")), "OutOfMemory", "limits.memory"),
        over("no-exit-code", body(ended(None)), "NodeError", "no exit code"),
        over("windows", body(ended(-1073741515)), "NodeError", "exit code -1073741515"),
        over("no-status", body(), "Disrupted", "phase Failed, but no status of its container"),
        over("succeeded-without-status", body(phase="Succeeded"), "Disrupted", "phase Succeeded"),
        over(
            "unknown",
            body(UNKNOWN),
            "Disrupted",
            f"does not know how the container ended: {NOT_FOUND}",
        ),
        over(
            "unknown-with-exit-code-0",
            body(ended(0, "ContainerStatusUnknown", startedAt=None, finishedAt=None)),
            "Disrupted",
            "does not know how the container ended",
        ),
        over(
            "unknown-after-an-earlier-start",
            body({**UNKNOWN, "lastState": {"terminated": {"startedAt": BEGAN}}}),
            "Disrupted",
            "does not know",
        ),
        over("power-cut", body(ended(255, "Unknown")), "Disrupted", "does not know how"),
        over(
            "start-error",
            body(ended(128, "StartError", startedAt=EPOCH)),
            "NodeError",
            "exit code 128 (StartError)",
            started=False,
        ),
        over(
            "start-error-with-exit-code-0",
            body(ended(0, "StartError", startedAt=EPOCH)),
            "NodeError",
            "StartError",
            started=False,
        ),
        over(
            "own-storage",
            body(
                reason="Evicted",
                message='Usage of EmptyDir volume "tmp" exceeds the limit "256Mi". ',
            ),
            "OutOfDisk",
            "raise resources.limits.ephemeral-storage",
        ),
        over(
            "own-storage-of-a-container",
            body(
                reason="Evicted",
                message='Container node exceeded its local ephemeral storage limit "1Gi". ',
            ),
            "OutOfDisk",
            "raise resources.limits.ephemeral-storage",
        ),
        over(
            "own-storage-of-all-containers",
            body(
                reason="Evicted",
                message="Pod ephemeral local storage usage exceeds the total limit of containers "
                "1Gi. ",
            ),
            "OutOfDisk",
            "raise resources.limits.ephemeral-storage",
        ),
        over("evicted-without-a-word", body(reason="Evicted"), "Disrupted", "was evicted"),
        over(
            "evicted-by-a-descheduler",
            body(reason="Evicted", message="Pod evicted from m1 node by sigs.k8s.io/descheduler"),
            "Disrupted",
            "descheduler",
        ),
        over(
            "evicted-in-other-words",
            body(reason="Evicted", message="Le nœud manquait de mémoire"),
            "Disrupted",
            "mémoire",
        ),
        over(
            "inodes-of-the-machine",
            body(reason="Evicted", message="The node was low on resource: inodes."),
            "Disrupted",
            "inodes",
        ),
        over("machine-rejects-it", body(reason="TaintToleration", message="x"), "Disrupted", "x"),
        over(
            "end-before-the-start",
            body(ended(1, startedAt=ENDED, finishedAt=BEGAN)),
            "NodeError",
            "exit code 1",
        ),
        over(
            "end-in-the-future",
            body(ended(1, finishedAt="2099-01-01T00:00:00Z")),
            "NodeError",
            "exit code 1",
        ),
        over("memory-of-the-machine", body(reason="Evicted", message=LOW), "Disrupted", LOW),
        over(
            "pressure-on-the-machine",
            body(reason="Evicted", message="The node had condition: [PIDPressure]. "),
            "Disrupted",
            "PIDPressure",
            started=False,
        ),
        over(
            "not-admitted-for-pressure",
            body(
                reason="Evicted",
                message="Pod was rejected: The node had condition: [DiskPressure]. ",
            ),
            "Disrupted",
            "DiskPressure",
            started=False,
        ),
        over(
            "not-admitted-for-pressure-older-kubelets",
            body(reason="Evicted", message="Pod The node had condition: [DiskPressure]. "),
            "Disrupted",
            "DiskPressure",
            started=False,
        ),
        over(
            "low-on-resource-after-a-prefix",
            body(reason="Evicted", message=f"Pod was evicted: {LOW}"),
            "Disrupted",
            LOW,
        ),
        over(
            "machine-shuts-down",
            body(
                ended(143),
                reason="Terminated",
                message="Pod was terminated in response to imminent node shutdown.",
            ),
            "Disrupted",
            "node shutdown",
        ),
        over(
            "machine-shut-down-exit-0",
            body(ended(0, "Completed"), reason="Terminated", message="imminent node shutdown"),
            "Disrupted",
            "node shutdown",
        ),
        over(
            "preempted-by-the-kubelet",
            body(
                ended(143), reason="Preempting", message="Preempted in order to admit critical pod"
            ),
            "Disrupted",
            "critical pod",
        ),
        over(
            "machine-lost",
            body(reason="NodeLost", message="Node m1 is unresponsive"),
            "Disrupted",
            "unresponsive",
        ),
        over(
            "disruption-that-is-over",
            body(ended(1), conditions=condition("DisruptionTarget", "False", "x")),
            "NodeError",
            "exit code 1",
        ),
        refused("OutOfcpu"),
        refused("UnexpectedAdmissionError"),
        refused("NodeAffinity"),
        refused("NodeShutdown"),
        refused("TopologyAffinityError"),
        refused("SysctlForbidden"),
        refused("AppArmor"),
        refused("NodePorts"),
        refused("PodOSSelectorNodeLabelDoesNotMatch"),
        refused("PodLevelResourcesNotSupported"),
        refused("UserNamespacesNotSupported"),
        over(
            "refused-for-a-reason-that-we-do-not-know",
            body(reason="SolarFlare", message="x"),
            "Disrupted",
            "x",
        ),
        over(
            "init-failed",
            body(waits("PodInitializing"), inits=[failed_init()]),
            "PodRejected",
            "vault failed with exit code 3",
            started=False,
        ),
        over(
            "init-out-of-memory",
            body(waits("PodInitializing"), inits=[failed_init(137, "OOMKilled")]),
            "PodRejected",
            "137: OOMKilled",
            started=False,
        ),
        over(
            "init-cannot-be-started",
            body(
                waits("PodInitializing"),
                inits=[failed_init(128, "StartError", message="no such file", startedAt=EPOCH)],
            ),
            "PodRejected",
            "no such file",
            started=False,
        ),
        over(
            "init-failed-then-placeholder",
            body(UNKNOWN, inits=[failed_init()]),
            "PodRejected",
            "vault failed with exit code 3",
            started=False,
        ),
        over(
            "both-placeholders",
            body(UNKNOWN, inits=[failed_init(137, "ContainerStatusUnknown")]),
            "Disrupted",
            "does not know",
        ),
        over(
            "sidecar-ended-after-the-node",
            body(
                UNKNOWN,
                inits=[init("proxy", terminated={"exitCode": 143, "reason": "Error"})],
                spec=SIDECAR,
            ),
            "Disrupted",
            "does not know",
        ),
        over(
            "an-init-container-that-never-ends",
            body(
                waits("PodInitializing"),
                inits=[init("clone", running={"startedAt": BEGAN})],
                reason="DeadlineExceeded",
            ),
            "Unschedulable",
            "did not start in time: init container clone is still running",
            started=False,
        ),
        over(
            "a-sidecar-that-is-never-ready",
            body(
                waits("PodInitializing"),
                inits=[{**init("proxy", running={"startedAt": BEGAN}), "started": False}],
                spec=SIDECAR,
                reason="DeadlineExceeded",
            ),
            "Unschedulable",
            "init container proxy is still running",
            started=False,
        ),
        over(
            "preempted-while-an-init-container-ran",
            body(
                waits("PodInitializing"),
                inits=[init("clone", running={"startedAt": BEGAN})],
                conditions=condition("DisruptionTarget", "True", "PreemptionByScheduler"),
            ),
            "Disrupted",
            "PreemptionByScheduler",
            started=False,
        ),
        over(
            "init-failed-and-deleted",
            body(waits("PodInitializing"), inits=[failed_init()], deleted=True),
            "PodRejected",
            "vault",
            started=False,
        ),
    ],
)
def test_a_pod_that_is_over(status: Any, reason: str, says: str, started: bool) -> None:
    outcome = judged(status)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.started) == (reason, started)
    assert says in outcome.message


def again(
    count: Any, *, spec: Any = None, last: Any = None, phase: Any = "Running", **state: Any
) -> dict[str, Any]:
    """A container that the kubelet has started again, and how the run before the last ended."""
    container: Any = {"name": "node", "restartCount": count, "state": state}
    if last is not None:
        container["lastState"] = {"terminated": last}
    return body(container, spec=spec or {"restartPolicy": "OnFailure"}, phase=phase)


CRASH = {"exitCode": 3, "reason": "Error", "startedAt": BEGAN, "finishedAt": ENDED, "message": "x"}
RUNS: Any = {"running": {"startedAt": ENDED}}
BY_RULES = [{"name": "node", "restartPolicy": "Never", "restartPolicyRules": [{}]}]


@pytest.mark.parametrize(
    ("status", "over", "repeats", "code"),
    [
        pytest.param(again(1, last=CRASH, **RUNS), False, True, 3, id="runs-again"),
        pytest.param(
            again(1, last=CRASH, waiting={"reason": "CrashLoopBackOff"}), False, True, 3, id="waits"
        ),
        pytest.param(
            again(1, last=CRASH, phase="Succeeded", terminated={"exitCode": 0}),
            True,
            True,
            3,
            id="the-second-was-good",
        ),
        pytest.param(
            again(4, last=CRASH, **RUNS), False, True, None, id="the-first-is-not-known-any-more"
        ),
        pytest.param(again(1, **RUNS), False, True, None, id="without-a-last-state"),
        pytest.param(
            again(0, terminated={"exitCode": 3}), False, True, 3, id="will-be-started-again"
        ),
        pytest.param(again(0, terminated={"exitCode": 0}), True, False, 0, id="ended-well"),
        pytest.param(
            again(0, spec={"restartPolicy": "Always"}, terminated={"exitCode": 0}),
            False,
            True,
            0,
            id="always",
        ),
        pytest.param(
            again(
                0,
                spec={
                    "restartPolicy": "Never",
                    "containers": [{"name": "node", "restartPolicy": "OnFailure"}],
                },
                terminated={"exitCode": 3},
            ),
            False,
            True,
            3,
            id="policy-of-the-container",
        ),
        pytest.param(
            again(
                0,
                spec={"restartPolicy": "Never", "containers": BY_RULES},
                terminated={"exitCode": 3},
            ),
            False,
            True,
            3,
            id="rules-of-the-container",
        ),
        pytest.param(
            again(
                0,
                spec={
                    "restartPolicy": "OnFailure",
                    "containers": [{"name": "node", "restartPolicy": "Never"}],
                },
                terminated={"exitCode": 3},
            ),
            True,
            False,
            3,
            id="the-container-says-never",
        ),
        pytest.param(
            again(0, spec={"restartPolicy": "Never"}, terminated={"exitCode": 3}),
            True,
            False,
            3,
            id="never",
        ),
        pytest.param(
            again(True, last=CRASH, terminated={"exitCode": 0}), True, False, 0, id="no-number"
        ),
    ],
)
def test_s524_a_container_that_is_started_again(
    status: Any, over: bool, repeats: bool, code: int | None
) -> None:
    fact = pod_fact(status)
    assert fact is not None
    assert (fact.over, fact.starts_again, fact.exit_code) == (over, repeats, code)


FULL = 'Usage of EmptyDir volume "tmp" exceeds the limit "256Mi". '
LOST = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": USED_TO_RUN}
GONE = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": NOT_FOUND}


@pytest.mark.parametrize(
    ("count", "end", "last", "why", "reason"),
    [
        pytest.param(1, None, LOST, "Evicted", "OutOfDisk", id="evicted-a-moment-ago"),
        pytest.param(1, GONE, LOST, "Evicted", "OutOfDisk", id="evicted"),
        pytest.param(1, GONE, LOST, "Terminated", "Disrupted", id="its-machine-shuts-down"),
        pytest.param(1, GONE, LOST, "", "ContainerRestarted", id="the-pod-was-not-ended"),
        pytest.param(1, None, CRASH, "Evicted", "ContainerRestarted", id="before-its-second-run"),
        pytest.param(2, GONE, LOST, "Evicted", "ContainerRestarted", id="once-more-before"),
        pytest.param(1, CRASH, LOST, "Evicted", "ContainerRestarted", id="the-second-run-is-known"),
        pytest.param(1, GONE, CRASH, "Evicted", "ContainerRestarted", id="the-first-run-is-known"),
    ],
)
def test_s524_a_kubelet_that_ends_a_pod_counts_a_restart_that_never_comes(
    count: int, end: dict[str, Any] | None, last: dict[str, Any], why: str, reason: str
) -> None:
    # Until it has cleaned up, the kubelet shows the container as waiting.
    container = {
        "name": "node",
        "restartCount": count,
        "state": {"terminated": end} if end else {"waiting": {"reason": "PodInitializing"}},
        "lastState": {"terminated": last},
    }
    outcome = judged(body(container, spec={"restartPolicy": "Never"}, reason=why, message=FULL))
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.started) == (reason, True)


def test_s524_only_the_first_run_is_judged() -> None:
    """The second one has given a result."""
    done = {"exitCode": 0, "reason": "Completed", "message": "1"}
    outcome = judged(again(1, last=CRASH, phase="Succeeded", terminated=done))
    assert isinstance(outcome, Failed)
    assert outcome.reason == "ContainerRestarted"
    assert "exit code 3: x" in outcome.message


def judged(status: Any) -> Any:
    fact = pod_fact(status)
    assert fact is not None
    assert fact.over
    expect = Attempt(run_uid="u-1", path="a", round=1, attempt=1, pod_uid="pu")
    return judge_pod(
        fact, kind="container", expect=expect, output_schema=None, stopping=None, log=None
    )


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(body(ended(0, "Completed", message="1"), phase="Succeeded"), id="plain"),
        pytest.param(
            body({"name": "mesh", "state": {"terminated": {"exitCode": 7}}}, ended(0, message="1")),
            id="beside-a-sidecar-that-failed",
        ),
        pytest.param(
            body(
                ended(0, "Completed", message="1"),
                {"name": "proxy", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
                phase="Pending",
            ),
            id="beside-a-container-that-never-started",
        ),
        pytest.param(
            body(
                ended(0, "Completed", message="1"),
                phase="Running",
                ephemeralContainerStatuses=[{"name": "debugger", "state": {"running": {}}}],
            ),
            id="beside-a-debugger-that-lives-on",
        ),
        pytest.param(
            body(
                ended(0, "Completed", message="1"),
                inits=[init("proxy", terminated={"exitCode": 2, "reason": "Error"})],
                spec=SIDECAR,
            ),
            id="and-a-sidecar-that-failed-at-its-end",
        ),
        pytest.param(
            body(ended(0, "OOMKilled", message="1"), phase="Succeeded"),
            id="a-child-process-was-killed-and-the-program-went-on",
        ),
    ],
)
def test_a_result_counts(status: Any) -> None:
    assert isinstance(judged(status), Succeeded)


def pending(id: str, status: Any, reason: str, says: str) -> Any:
    waiting = {**status, "status": {**status["status"], "phase": "Pending"}}
    return pytest.param(waiting, reason, says, id=id)


QUIET = waits("PodInitializing")


@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        pending("creating", body(waits("ContainerCreating")), "Unschedulable", ""),
        pending(
            "container-cannot-be-created",
            body(waits("CreateContainerError", "context deadline exceeded")),
            "PodRejected",
            "CreateContainerError: context deadline exceeded",
        ),
        pending(
            "container-cannot-be-run",
            body(waits("RunContainerError", "exec")),
            "PodRejected",
            "RunContainerError: exec",
        ),
        pending(
            "registry-away",
            body(waits("RegistryUnavailable", "x")),
            "ImagePull",
            "RegistryUnavailable: x",
        ),
        pending(
            "image-not-signed",
            body(waits("SignatureValidationFailed", "x")),
            "ImagePull",
            "SignatureValidationFailed: x",
        ),
        pending(
            "never-pulled",
            body(waits("ErrImageNeverPull", "x")),
            "ImagePull",
            "ErrImageNeverPull: x",
        ),
        pending(
            "init-image",
            body(
                QUIET,
                inits=[
                    init("vault", waiting={"reason": "ImagePullBackOff", "message": "Back-off"})
                ],
            ),
            "ImagePull",
            "init container vault: ImagePullBackOff: Back-off",
        ),
        pending(
            "init-loops",
            body(
                QUIET,
                inits=[
                    init(
                        "vault",
                        waiting={"reason": "CrashLoopBackOff", "message": "back-off 5m"},
                        last={"exitCode": 2, "message": "no vault"},
                    )
                ],
            ),
            "PodRejected",
            "init container vault: CrashLoopBackOff: back-off 5m; "
            "it failed with exit code 2: no vault",
        ),
        pending(
            "sidecar-loops",
            body(
                QUIET,
                inits=[init("proxy", waiting={"reason": "CrashLoopBackOff"}, last={"exitCode": 9})],
                spec=SIDECAR,
            ),
            "PodRejected",
            "init container proxy: CrashLoopBackOff; it failed with exit code 9",
        ),
        pending(
            "added-container-without-image",
            body(
                waits("ContainerCreating"),
                {
                    "name": "proxy",
                    "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}},
                },
            ),
            "Unschedulable",
            "container proxy: ErrImagePull: no",
        ),
        pending(
            "scheduler-error",
            body(
                spec={"nodeName": ""},
                conditions=condition("PodScheduled", "False", "SchedulerError", "binding failed"),
            ),
            "Unschedulable",
            "SchedulerError: binding failed",
        ),
    ],
)
def test_a_pod_that_has_not_started(status: Any, reason: str, says: str) -> None:
    fact = pod_fact(status)
    assert fact is not None
    assert not fact.over
    assert (str(never_started(fact)), trouble_of(fact)) == (reason, says)


@pytest.mark.parametrize("began", [EPOCH, None])
def test_a_container_that_runs_has_started_whatever_its_time_says(began: Any) -> None:
    """Otherwise queueTimeout would stop a program that runs."""
    fact = pod_fact(body(node(running={"startedAt": began}), phase="Running", startTime=BEGAN))
    assert fact is not None
    assert fact.started_at == NOW


@pytest.mark.parametrize("reason", ["PostStartHookError", "CrashLoopBackOff"])
def test_a_container_that_waits_may_have_run(reason: str) -> None:
    outcome = judged(body(waits(reason)))
    assert isinstance(outcome, Failed)
    assert outcome.started
