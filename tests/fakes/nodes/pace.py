"""How long things take on the machines."""

from dataclasses import dataclass

from waypost.kube.objects import items
from waypost.ports.cluster import Obj


@dataclass(frozen=True)
class Pace:
    """How long things take, in seconds, uniform between two bounds."""

    schedule: tuple[float, float] = (0.05, 0.2)
    start: tuple[float, float] = (0.2, 1.0)
    report: tuple[float, float] = (0.01, 0.1)
    split_phase: float = 0.3  # share of pods whose container's end is reported before the pod's


def toleration(body: Obj) -> float:
    """Seconds that a pod stays on a machine that is silent."""
    for item in items(body, "spec", "tolerations"):
        if item.get("key") == "node.kubernetes.io/unreachable":
            return float(item.get("tolerationSeconds", 0))
    return 300.0
