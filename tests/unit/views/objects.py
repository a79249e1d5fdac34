"""Runs as the API server has them, for tests of what is shown of them."""

from typing import Any

from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.kube.timestamps import timestamp

from tests.support.builders import NOW, RUN, RUN_UID, after


def at(seconds: float) -> str:
    """The time `seconds` after the beginning, as text."""
    return timestamp(after(seconds))


def body(*nodes: JsonObject, status: Any = None, **spec: Any) -> JsonObject:
    """A run with these nodes in its spec."""
    return {
        "metadata": {
            "name": RUN,
            "namespace": "demo",
            "uid": RUN_UID,
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": timestamp(NOW),
        },
        "spec": {"nodes": list(nodes), **spec},
        "status": {"observedGeneration": 1, "phase": "Running", **(status or {})},
    }


def ended(run: JsonObject, **phases: str) -> list[JsonObject]:
    """Statuses of nodes that have ended, with the fingerprints of the definition of the run."""
    prints = define(run["spec"]).fingerprints
    return [
        {
            "path": path,
            "phase": phase,
            "fingerprint": prints[path],
            "startedAt": at(1),
            "finishedAt": at(9),
            **({"reason": "NodeError"} if phase == "Failed" else {}),
            **({"outputDigest": "sha256:0"} if phase == "Succeeded" else {}),
        }
        for path, phase in phases.items()
    ]
