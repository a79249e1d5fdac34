"""Which machines have been silent, from their Node objects, not from the operator's reads (A4)."""

from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.simulation.watching.evidence import PodStory

_SILENT: Final = 299.0  # seconds; nodeLostSeconds is 300, and Kubernetes stamps whole seconds


class Machines:
    """Follows the machines of one cluster."""

    def __init__(self) -> None:
        self._silent_since: dict[str, float] = {}
        self._heard_again: dict[str, tuple[float, float]] = {}  # how long it was silent, until when

    def note(self, change: str, body: Obj, now: float) -> None:
        """Take note of a change of a Node object."""
        name = body["metadata"]["name"]
        conditions = items(section(body, "status"), "conditions")
        ready = any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)
        if change == "DELETED" or not ready:
            self._silent_since.setdefault(name, now)
        elif name in self._silent_since:
            self._heard_again[name] = (now - self._silent_since.pop(name), now)

    def have_lost(self, pods: list[PodStory], now: float, decided: float) -> bool:
        """Whether an attempt that is closed now had pods without an end, and all of them on
        machines that had been silent for nodeLostSeconds when that was decided.

        Args:
            pods: The pods of the attempt.
            now: When the status is stored.
            decided: When it was decided, at the earliest.
        """
        left = [
            pod
            for pod in pods
            if (pod.over_at is None or pod.over_at >= decided)
            and (pod.machine or pod.deleting_at is None)
        ]
        return bool(left) and all(self._lost(pod.machine, now, decided) for pod in left)

    def _lost(self, machine: str, now: float, decided: float) -> bool:
        since = self._silent_since.get(machine)
        silence, until = self._heard_again.get(machine, (0.0, 0.0))
        heard = silence >= _SILENT and until >= decided
        return heard or (since is not None and now - since >= _SILENT)
