"""The archive of the chart: a run with a TTL is archived while its archive is killed, leaves the
cluster, and the commands show it as before (S710, S711, S718)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from e2e.cluster import api
from e2e.suite.build import workflow
from e2e.suite.forwarding import forwarded
from e2e.suite.install import install
from e2e.suite.kube import Kube, Obj, path_of
from e2e.suite.operators import NAMESPACE, RELEASE, Operator
from e2e.suite.people import Person
from e2e.suite.space import Run, Space, node_of
from e2e.suite.waiting import until

pytestmark = [
    pytest.mark.alone,  # the chart is installed with other values
    pytest.mark.timeout(500),
]

VOLUME: Final = "waypost-e2e-archive"
PLACE: Final = f"/var/lib/{VOLUME}"  # on the machine of the pods
LABELS: Final = "app.kubernetes.io/component=archive"
BIG: Final = "return {'text': 'x' * 300_000}"  # in a NodeRecord


@dataclass(frozen=True)
class Left:
    """A run that has left the cluster, as it was at its end, and where the archive answers."""

    run: Run
    seen: Obj
    url: str


@pytest.fixture(scope="module")
def archive(kube: Kube, cluster: api.Cluster, operator: Operator, runner: str) -> Iterator[None]:
    """The archive with SQLite on a folder of the machine: the cluster has no class of volumes."""
    if cluster.provider == "current":
        pytest.skip("it would write to a machine that is not of the tests")
    made = [("pods", "default", _folder(runner)), ("persistentvolumeclaims", NAMESPACE, _claim())]
    kube.request("POST", "/api/v1/persistentvolumes", _volume())
    for plural, namespace, body in made:
        kube.request("POST", f"/api/v1/namespaces/{namespace}/{plural}", body)
    try:
        until(
            lambda: _phase(kube, "pods", "default") == "Succeeded",
            within=120,
            what="the folder of the archive is there",
        )
        chosen = {"archive.enabled": "true", "archive.storage.existingClaim": VOLUME}
        install(kube, cluster.chart_values | chosen)
        yield
    finally:
        install(kube, cluster.chart_values)
        for plural, namespace, _ in made:
            kube.request("DELETE", f"/api/v1/namespaces/{namespace}/{plural}/{VOLUME}")
        kube.request("DELETE", f"/api/v1/persistentvolumes/{VOLUME}")


def _phase(kube: Kube, plural: str, namespace: str) -> str:
    found = kube.get(f"/api/v1/namespaces/{namespace}/{plural}/{VOLUME}")
    return str((found or {}).get("status", {}).get("phase"))


def _folder(image: str) -> Obj:
    """A pod that lets every user write to the folder, and empties it."""
    program = (
        "import os, shutil\n"
        "for name in os.listdir('/data'): os.remove(f'/data/{name}')\n"
        "os.chmod('/data', 0o777)\n"
    )
    container = {
        "name": "folder",
        "image": image,
        "command": ["python3", "-c", program],
        "securityContext": {"runAsUser": 0, "runAsNonRoot": False},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    host = {"path": PLACE, "type": "DirectoryOrCreate"}
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "data", "hostPath": host}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": VOLUME}, "spec": spec}


def _volume() -> Obj:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "hostPath": {"path": PLACE},
        "claimRef": {"namespace": NAMESPACE, "name": VOLUME},
    }
    metadata = {"name": VOLUME}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def _claim() -> Obj:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "",
        "volumeName": VOLUME,
    }
    metadata = {"name": VOLUME}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def left(kube: Kube, space: Space, archive: None) -> Iterator[Left]:
    """A run with a TTL. Its archive is killed as soon as the run has ended; the TTL waits for the
    next one."""
    flow = workflow("kept").having(ttlSecondsAfterFinished=1)
    run = space.start(flow.python("small", "return {'n': 7}").python("big", BIG))
    seen = run.finished()
    for pod in kube.request("GET", path_of("pods", NAMESPACE), labelSelector=LABELS)["items"]:
        kube.request(
            "DELETE",
            path_of("pods", NAMESPACE, pod["metadata"]["name"]),
            {"gracePeriodSeconds": 0},
        )
    until(
        lambda: space.get("agentworkflows", run.name) is None,
        within=180,
        what="the run is archived and deleted",
    )
    deployment = f"deployment/{RELEASE}-archive"
    kube.must("kubectl", "-n", NAMESPACE, "rollout", "status", deployment, "--timeout=90s")
    with forwarded(kube, f"{RELEASE}-archive") as url:
        yield Left(run, seen, url)


def document(person: Person, left: Left, *argv: str) -> Any:
    """What a command prints of the archive, as JSON."""
    return json.loads(person.reads(*argv, "--archived", "--archive", left.url, "-o", "json"))


def test_s711_it_is_archived_once(left: Left, people: dict[str, Person]) -> None:
    rows = document(people["dana"], left, "list")["items"]
    assert [(row["name"], row["uid"], row["phase"]) for row in rows] == [
        ("kept", left.run.uid, "Succeeded")
    ]


def test_s718_the_commands_show_it_as_before(left: Left, people: dict[str, Person]) -> None:
    dana = people["dana"]
    shown = document(dana, left, "get", "kept")
    assert (shown["uid"], shown["phase"]) == (left.run.uid, "Succeeded")
    assert shown["finishedAt"] == left.seen["status"]["finishedAt"]
    traced = document(dana, left, "trace", "kept")
    pods = {one["path"]: one["attempts"][0]["number"] for one in traced["nodes"]}
    assert pods == {"small": 1, "big": 1}
    assert document(dana, left, "io", "kept", "small")["output"] == {"n": 7}
    assert node_of(left.seen, "big")["outputRecord"]
    assert len(document(dana, left, "io", "kept", "big")["output"]["text"]) == 300_000


def test_s717_payloads_need_their_role(left: Left, people: dict[str, Person]) -> None:
    gail = people["gail"]
    assert document(gail, left, "get", "kept")["phase"] == "Succeeded"
    assert "output" not in document(gail, left, "io", "kept", "big")
