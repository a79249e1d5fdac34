"""Runs that are set aside: runs whose pass keeps failing, and runs of a newer release.

The condition SetAside is written from the raw body, without the models and the engine: they may be
what failed. Errors of the API server are logged, not raised.
"""

import logging
import traceback
from dataclasses import dataclass
from typing import Any, Final, Literal

from waypost.api.meta import Condition
from waypost.api.status import ENGINE_VERSION
from waypost.engine.state.decision import RunEvent
from waypost.kube.facts.runs import written_by_newer_engine
from waypost.kube.objects import items, section
from waypost.kube.timestamps import timestamp
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    Cluster,
    ClusterError,
    Conflict,
    Kind,
    Obj,
    PatchType,
    failure_text,
)
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.writes.run_events import RunEvents

Why = Literal["Failing", "NewerEngine"]
REASONS: Final[tuple[Why, ...]] = ("Failing", "NewerEngine")
FAILURES: Final = 5  # in a row, then the run is set aside
PAUSE: Final = 300.0  # seconds between two tries of a run that is set aside
_WRITES: Final = 4  # tries of one condition, when others write at the same time
_MESSAGE: Final = 1024
_TYPE: Final = Condition.SET_ASIDE

log = logging.getLogger(__name__)


@dataclass
class _Case:
    why: Why
    failures: int = 0
    reported: bool = False
    until: float = 0.0  # monotonic; it rests until then
    generation: object = None


class SetAsideRuns:
    """The runs that this operator has set aside, and why."""

    def __init__(
        self, *, cluster: Cluster, store: RunCache, clock: Clock, events: RunEvents
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock
        self._events = events
        self._cases: dict[str, _Case] = {}

    def count(self, why: str) -> int:
        """Number of runs that are set aside for this reason."""
        return sum(case.reported and case.why == why for case in self._cases.values())

    def rest(self, key: Key) -> float:
        """Seconds until the next pass of the run is allowed; 0 if it is now, as after an edit."""
        case = self._cases.get(key.uid)
        if case is None or _generation(self._store.run_body(key)) != case.generation:
            return 0.0
        return max(case.until - self._clock.monotonic(), 0.0)

    def reset(self) -> None:
        """Retry every run at once, because another replica may have worked on it since."""
        self._cases.clear()

    def forget(self, uid: str) -> None:
        """Drop what is known of a run that was deleted."""
        self._cases.pop(uid, None)

    async def failed(self, key: Key, error: Exception) -> bool:
        """Count a failed pass whose cause is permanent.

        Returns whether the run is now set aside. If it is, the caller waits for `rest(key)`
        seconds before the next pass.
        """
        case = self._cases.get(key.uid)
        if case is None or case.why != "Failing":
            case = self._cases[key.uid] = _Case("Failing")
        case.failures += 1
        if case.failures < FAILURES:
            return False
        case.until = self._clock.monotonic() + PAUSE
        case.generation = _generation(self._store.run_body(key))
        text = (
            f"the operator failed {FAILURES} times in a row on this run: {_explain(error)}. "
            f"No data is lost. The operator retries the run every {PAUSE / 60:.0f} minutes, and at "
            "once after an edit; its log has the details"
        )
        await self._put(key, status="True", reason="Failing", message=text[:_MESSAGE])
        if not case.reported:
            case.reported = True
            await self._events.post(key, [RunEvent("Warning", "SetAside", text[:_MESSAGE])])
        return True

    async def succeeded(self, key: Key) -> None:
        """Clear the condition after a successful pass, also if another replica has set it."""
        body = self._store.run_body(key)
        if body is None or written_by_newer_engine(body):
            return
        self.forget(key.uid)
        known = _condition(body)
        if known.get("status") == "True":
            await self._put(key, status="False", reason="Served", message="the last pass succeeded")

    async def is_newer(self, key: Key, body: Obj) -> bool:
        """Whether a newer release has written this run's status.

        This release cannot interpret such a status. It counts the run and posts one Event.
        """
        case = self._cases.get(key.uid)
        known = case is not None and case.why == "NewerEngine"
        if not written_by_newer_engine(body):
            if known:
                self.forget(key.uid)
            return False
        if not known:
            self._cases[key.uid] = _Case("NewerEngine", reported=True)
            found = section(body, "status").get("engineVersion")
            text = (
                f"status.engineVersion is {found}, but this operator supports {ENGINE_VERSION}: a "
                "newer release has worked on this run. This operator leaves it unchanged; install "
                "that release or a later one to continue it"
            )
            await self._events.post(key, [RunEvent("Warning", "NewerEngine", text)])
        return True

    async def _put(self, key: Key, *, status: str, reason: str, message: str) -> None:
        """Write the condition SetAside to the current version of the run."""
        for _ in range(_WRITES):
            try:
                await self._put_once(key, {"status": status, "reason": reason, "message": message})
            except Conflict:
                continue
            except (ClusterError, TimeoutError) as error:
                log.warning("the condition SetAside was not written: %s", error, extra=_about(key))
            return

    async def _put_once(self, key: Key, said: dict[str, str]) -> None:
        body = await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=key.namespace, name=key.name)
        metadata, known = section(body, "metadata"), _condition(body)
        if metadata.get("uid") != key.uid or {**known, **said} == known:
            return
        now = timestamp(self._clock.now())
        same = known.get("status") == said["status"]
        condition = {
            "type": _TYPE,
            **said,
            "observedGeneration": _generation(body) or 1,
            "lastTransitionTime": known.get("lastTransitionTime", now) if same else now,
        }
        landed = await self._cluster.patch(
            Kind.AGENT_WORKFLOW,
            namespace=key.namespace,
            name=key.name,
            body=_patch(body, condition),
            patch_type=PatchType.JSON,
            subresource="status",
        )
        self._store.put_run(landed)


def _patch(body: Obj, condition: dict[str, Any]) -> list[dict[str, Any]]:
    version = section(body, "metadata").get("resourceVersion")
    fence = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
    status = body.get("status")
    if not isinstance(status, dict):
        return [fence, {"op": "add", "path": "/status", "value": {"conditions": [condition]}}]
    listed = status.get("conditions")
    if not isinstance(listed, list):
        return [fence, {"op": "add", "path": "/status/conditions", "value": [condition]}]
    at = next(
        (i for i, c in enumerate(listed) if isinstance(c, dict) and c.get("type") == _TYPE), None
    )
    if at is None:
        return [fence, {"op": "add", "path": "/status/conditions/-", "value": condition}]
    return [fence, {"op": "replace", "path": f"/status/conditions/{at}", "value": condition}]


def _condition(body: Obj | None) -> Obj:
    found = (c for c in items(body or {}, "status", "conditions") if c.get("type") == _TYPE)
    return next(found, {})


def _generation(body: Obj | None) -> object:
    return section(body or {}, "metadata").get("generation")


def _explain(error: Exception) -> str:
    """The API server's message, or type and place of a defect: its text may contain user data."""
    if isinstance(error, ClusterError | OSError):
        return failure_text(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _about(key: Key) -> dict[str, str]:
    return {"run": key.name, "namespace": key.namespace}
