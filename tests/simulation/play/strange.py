"""Troubles of clusters that others have a hand in: quotas and policies, records that vanish,
queues, suspended Jobs, sidecars. One function a kind, as in `troubles`.

`refuse`: `choice` is the answer, the verb and the kind; after `seconds` it is lifted, or with
`number` 2 a person cancels the run first. `record_gone`: the `number`th result, `at` seconds after
it was named in status. `queue` and `sidecars`: new Jobs and pods, for `seconds`. `suspend_job`: the
Job of the `number`th pod, `at` seconds after that was made, for `seconds`, if it runs.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from waypost.ports.cluster import ClusterError, Kind, QuotaExceeded, RefusedForNow, Rejected

from tests.simulation.play import standstill
from tests.simulation.play.silence import silence
from tests.simulation.play.withheld import withhold
from tests.simulation.scenario.plan import Trouble
from tests.simulation.watching.evidence import PodStory

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

Doing = Callable[["Stage", Trouble], Coroutine[Any, Any, None]]

ANSWERS: Final[dict[str, Callable[[], ClusterError]]] = {
    "quota": lambda: QuotaExceeded("exceeded quota: team", code=403, reason="Forbidden"),
    "policy": lambda: Rejected("admission webhook denied the request: no", code=403),
    "webhook": lambda: RefusedForNow("failed calling webhook: refused", code=500),
}
REFUSED: Final[dict[str, tuple[str, Kind]]] = {
    "records": ("create", Kind.NODE_RECORD),
    "approvals": ("create", Kind.APPROVAL),
    "answers": ("patch_status", Kind.APPROVAL),
    "jobs": ("create", Kind.JOB),
    "maps": ("create", Kind.CONFIG_MAP),
}
CHOICES: Final = tuple(f"{answer} {what}" for answer in ANSWERS for what in REFUSED)


async def _refuse(stage: "Stage", trouble: Trouble) -> None:
    answer, what = trouble.choice.split()
    refusals = stage.world.cluster.server.refusals
    refusals[REFUSED[what]] = ANSWERS[answer]
    try:
        await standstill.outlast(stage, trouble)
    finally:
        refusals.pop(REFUSED[what], None)


async def _record_gone(stage: "Stage", trouble: Trouble) -> None:
    def named() -> list[str]:
        records = (entry.get("outputRecord") for entry in stage.seen.nodes.values())
        return sorted(record for record in records if record)

    record = await stage.nth(named, trouble.number)
    await asyncio.sleep(trouble.at)
    stage.exercise(trouble, record)
    with contextlib.suppress(ClusterError):
        await stage.world.delete(Kind.NODE_RECORD, record)


async def _queue(stage: "Stage", trouble: Trouble) -> None:
    began = stage.watcher.now
    stage.world.work.queue_jobs(True)
    try:
        await asyncio.sleep(trouble.seconds)
        standstill.blame(stage, since=began)
    finally:
        stage.world.work.queue_jobs(False)


async def _suspend_job(stage: "Stage", trouble: Trouble) -> None:
    pod: PodStory = await stage.nth(lambda: list(stage.seen.pods.values()), trouble.number)
    await asyncio.sleep(trouble.at)
    if pod.over_at is not None:
        return
    stage.exercise(trouble, pod.name)
    stage.world.work.suspend_job(pod.job, True)
    try:
        await asyncio.sleep(trouble.seconds)
    finally:
        stage.world.work.suspend_job(pod.job, False)


async def _sidecars(stage: "Stage", trouble: Trouble) -> None:
    stage.world.work.inject(lambda job: [{"name": "proxy", "image": "proxy:1"}])
    try:
        await asyncio.sleep(trouble.seconds)
    finally:
        stage.world.work.inject(lambda job: [])


DOINGS: Final[dict[str, Doing]] = {
    "refuse": _refuse,
    "record_gone": _record_gone,
    "queue": _queue,
    "suspend_job": _suspend_job,
    "sidecars": _sidecars,
    "withhold": withhold,
    "silence": silence,
}
