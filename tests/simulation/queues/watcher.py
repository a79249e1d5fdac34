"""A watcher of queues: judges every change as the API server stores it (VP1, VP2).

It reads Jobs, pods and the queue's own list, and asks no operator.
"""

from typing import Final

from waypost.api import meta
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.kueue import Kueue
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

FINAL: Final = ("Succeeded", "Failed", "Cancelled", "Skipped")


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World, queue: Kueue) -> None:
        self.violations: list[Violation] = []
        self.ended: dict[str, str] = {}  # reason by name of the Job of an attempt
        self._world, self._queue = world, queue
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, text_: str, invariant: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text_, self._world.clock.monotonic()))

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.POD and change == "ADDED":
            self._pod(body)
        elif kind is Kind.AGENT_WORKFLOW and change == "MODIFIED":
            self._run(body)

    def _pod(self, body: Obj) -> None:
        """VP1: a pod of a queue is created only while its Job is admitted, and not after the end
        of its attempt."""
        owner = next(iter(items(body, "metadata", "ownerReferences")), {})
        if not text(section(body, "metadata", "annotations"), meta.ANNOTATION_QUEUE):
            return
        if owner.get("uid") not in self._queue.admitted:
            self.blame(f"pod {body['metadata']['name']} starts, and is not admitted", "VP1")
        if owner.get("name") in self.ended:
            self.blame(f"pod {body['metadata']['name']} starts after its attempt ended", "VP1")

    def _run(self, body: Obj) -> None:
        """VP2: an attempt ends as Preempted only if its queue preempted it."""
        for node in items(body, "status", "nodes"):
            for attempt in items(node, "attempts"):
                if attempt.get("finishedAt") and attempt["job"] not in self.ended:
                    self.ended[attempt["job"]] = attempt["reason"]
                    if attempt["reason"] == "Preempted" and not self._was_evicted(attempt):
                        self.blame(f"{attempt['job']} ended as Preempted, and was not", "VP2")

    def _was_evicted(self, attempt: Obj) -> bool:
        return attempt["job"] in self._queue.evictions
