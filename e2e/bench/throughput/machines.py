"""Machines without containers: KWOK reports what their pods do, 100 ms after they were placed."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from waypost.api import meta
from waypost.protocol.record import Attempt, CommitRecord, encode

from e2e.bench.simulated import NODES, cordoned
from e2e.cluster import golang, serving
from e2e.cluster.golang import Installable
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress
from e2e.suite.kube import Kube, Obj

KWOK: Final = Installable("sigs.k8s.io/kwok/cmd/kwok", "0.8.0")
OUTPUT: Final = 1  # of each node of Waypost
MILLISECONDS: Final = 100
_NAME: Final = "simulated"
_MARK: Final = "kwok.x-k8s.io/node"
# The API server takes a node without ephemeral-storage as one without any.
_ROOM: Final = {"cpu": "10k", "memory": "40Ti", "ephemeral-storage": "40Ti", "pods": "20000"}
_LEASE_SECONDS: Final = 40


@contextlib.contextmanager
def running(kube: Kube, settings: Settings, folder: Path, progress: Progress) -> Iterator[None]:
    """A simulated machine takes all new pods while the context lasts.

    Args:
        kube: The cluster.
        settings: Where KWOK is built.
        folder: For the configuration and the log of KWOK.
        progress: Says what is built.
    """
    program = golang.installed(settings, KWOK, progress)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "stages.yaml"
    config.write_text("\n---\n".join(json.dumps(stage) for stage in _stages()))
    port, *_ = serving.free_ports(1)
    argv = [str(program), f"--kubeconfig={kube.kubeconfig}", f"--config={config}"]
    argv += ["--manage-all-nodes=false", f"--manage-nodes-with-annotation-selector={_MARK}=fake"]
    argv += [f"--node-lease-duration-seconds={_LEASE_SECONDS}"]
    argv += [f"--server-address=127.0.0.1:{port}"]
    others = [node["metadata"]["name"] for node in kube.request("GET", NODES)["items"]]
    kube.request("POST", NODES, _node())
    try:
        log = folder / "kwok.log"
        with (
            serving.served(argv, log=log, env=dict(os.environ), port=port),
            cordoned(kube, others),
        ):
            yield
    finally:
        kube.request("DELETE", f"{NODES}/{_NAME}")


def _node() -> Obj:
    status = {"capacity": _ROOM, "allocatable": _ROOM}
    metadata = {"name": _NAME, "annotations": {_MARK: "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status}


def _stages() -> tuple[Obj, ...]:
    alive = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
    going = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}
    pending = {"key": ".status.phase", "operator": "In", "values": ["Pending"]}
    ready = '.status.conditions.[] | select( .type == "Ready" ) | .status'
    unready = {"key": ready, "operator": "NotIn", "values": ["True"]}
    completed = {"statusTemplate": _COMPLETED.replace("RECORD", record_template())}
    delay = {"durationMilliseconds": MILLISECONDS}
    return (
        _stage("Node", "ready", [unready], next={"statusTemplate": _READY}),
        _stage("Pod", "completed", [alive, pending], delay=delay, next=completed),
        _stage("Pod", "deleted", [going], next={"delete": True}),
    )


def _stage(kind: str, name: str, selector: list[Obj], **rest: object) -> Obj:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"{kind.lower()}-{name}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": selector},
            **rest,
        },
    }


def record_template() -> str:
    """The commit record of any attempt with OUTPUT, as a template of KWOK."""
    marks = Attempt("@run", "@path", 1, 1, "@pod")
    text = encode(CommitRecord(marks, "Succeeded", OUTPUT)).decode()
    labels, notes = "(index .metadata.labels %s)", "(index .metadata.annotations %s)"
    number = labels % json.dumps(meta.LABEL_ATTEMPT)
    for mark, value in {
        '"@run"': f"{{{{ {labels % json.dumps(meta.LABEL_RUN)} | Quote }}}}",
        '"@path"': f"{{{{ {notes % json.dumps(meta.ANNOTATION_PATH)} | Quote }}}}",
        '"@pod"': "{{ .metadata.uid | Quote }}",
        '"attempt":1': f'"attempt":{{{{ {number} }}}}',
    }.items():
        assert mark in text, f"{mark} in {text}"
        text = text.replace(mark, value)
    return text


_READY: Final = """
conditions:
- type: Ready
  status: "True"
  reason: Simulated
  message: ready
  lastHeartbeatTime: {{ Now | Quote }}
  lastTransitionTime: {{ Now | Quote }}
"""
_COMPLETED: Final = """
{{ $now := Now }}
phase: Succeeded
startTime: {{ $now | Quote }}
containerStatuses:
{{ $pod := . }}
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  restartCount: 0
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
      {{ with $pod }}
      {{ if .metadata.annotations }}
      message: |-
        RECORD
      {{ end }}
      {{ end }}
{{ end }}
"""
