"""Machines that start no pod for a while, as `choice` says, and what a run must say of it (S450).

The status of the pods stays at ContainerCreating; only their Events say why.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from tests.simulation.play.standstill import is_calm
from tests.simulation.scenario.plan import Trouble

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

WORDS: Final = {
    "FailedCreatePodSandBox": "plugin type=calico failed: no addresses",
    "FailedMount": "MountVolume.SetUp failed for volume tmp: transport endpoint is not connected",
    "FailedAttachVolume": "volume is already exclusively attached to one node",
    "NetworkNotReady": "network is not ready: cni plugin not initialized",
}
_SAID: Final = 75.0  # seconds after its creation until a pod must have said what its Events say


async def silence(stage: "Stage", trouble: Trouble) -> None:
    """The trouble."""
    began = stage.watcher.now
    stage.world.work.start_no_pod((trouble.choice, WORDS[trouble.choice]))
    try:
        await asyncio.sleep(trouble.seconds)
        if is_calm(stage) and not stage.has_ended:
            _blame(stage, trouble.choice, since=began)
    finally:
        stage.world.work.start_no_pod(None)


def _blame(stage: "Stage", event: str, *, since: float) -> None:
    """A node whose pod its machine has not started says what the newest Event says."""
    due = stage.watcher.now - _SAID
    for path, entry in stage.seen.nodes.items():
        for pod in stage.seen.pods_of(path, entry.get("attempt", 1)):
            waits = pod.started_at is None and pod.over_at is None and pod.gone_at is None
            waits = waits and pod.deleting_at is None and bool(pod.machine)
            if entry["phase"] != "Running" or not waits or max(since, pod.created_at) > due:
                continue
            stage.exercise(Trouble("silence"), pod.name)
            if event not in (entry.get("message") or ""):
                stage.watcher.blame("said", f"{path} does not say that its pod has {event}")
