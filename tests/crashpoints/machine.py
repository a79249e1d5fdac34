"""A simulated machine: it binds pods and reports on them as a kubelet does, without containers.

The pods are bound to no Node. One that does not exist has its pods ended by PodGC within a minute,
which is a disruption and costs an attempt; one that is made would be seen by all others on the
cluster.
"""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from waypost.api import meta
from waypost.kube.objects import section, text

from tests.crashpoints.api import MERGE, Api, Obj
from tests.fakes.nodes.programs import Execution, Ledger, Outcome, PodView
from tests.support.harness import Script


class Machine:
    """Plays every pod of one namespace by a script; every start of a program is in the ledger."""

    def __init__(self, *, api: Api, namespace: str, script: Script) -> None:
        self.ledger = Ledger()
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._script = script
        self._seen: set[str] = set()

    async def run(self) -> None:
        """Play until cancelled."""
        path = f"{self._pods}?watch=true&labelSelector={meta.LABEL_RUN}"
        async with asyncio.TaskGroup() as group:
            while True:
                # A watch without a version begins with what exists.
                async for event in self._api.watch(path):
                    body = event["object"]
                    if event["type"] in ("ADDED", "MODIFIED") and self._is_new(body):
                        group.create_task(self._play(body))

    def _is_new(self, body: Obj) -> bool:
        uid = body["metadata"]["uid"]
        new = uid not in self._seen and "deletionTimestamp" not in body["metadata"]
        self._seen.add(uid)
        return new

    async def _play(self, body: Obj) -> None:
        """Start a pod's program, let it run, and report how it ended."""
        name = body["metadata"]["name"]
        document = text(section(body, "metadata", "annotations"), meta.ANNOTATION_REQUEST)
        pod = PodView(body, json.loads(document))
        programs = self._script[pod.path]
        outcome = programs[min(pod.attempt, len(programs)) - 1](pod)
        execution = Execution(pod.run_uid, pod.path, pod.attempt, pod.uid, name, _monotonic())
        self.ledger.executions.append(execution)
        started = _now()
        await self._tell(body, "Running", {"running": {"startedAt": started}})
        await asyncio.sleep(outcome.seconds or 0.0)
        execution.ended_at = _monotonic()
        phase = "Failed" if outcome.exit_code else "Succeeded"
        await self._tell(body, phase, {"terminated": _end(outcome, started)})

    async def _tell(self, body: Obj, phase: str, state: Obj) -> None:
        container = section(body, "spec")["containers"][0]
        status: dict[str, Any] = {
            "phase": phase,
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": "running" in state,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        name = body["metadata"]["name"]
        patch = {"metadata": {"uid": body["metadata"]["uid"]}, "status": status}
        await self._api.call("PATCH", f"{self._pods}/{name}/status", patch, content_type=MERGE)


def _end(outcome: Outcome, started: str) -> Obj:
    return {
        "exitCode": outcome.exit_code,
        "reason": "Error" if outcome.exit_code else "Completed",
        "startedAt": started,
        "finishedAt": _now(),
        "message": outcome.message,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
