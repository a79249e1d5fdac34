"""The service: feeds find occurrences, couriers deliver them, a ConfigMap has what they did."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from waypost.kube.objects import section, text
from waypost.notifier.core.ledger import Record
from waypost.notifier.core.occurrences import KINDS, is_open, occurrences
from waypost.notifier.courier import Courier, Sink, Surroundings
from waypost.notifier.feed import Feed, Reader
from waypost.notifier.state import State
from waypost.ports.cluster import ClusterError, Kind, Obj, failure_text

STOP_SECONDS: Final = 12.0  # for messages that are being sent
# Kubernetes creates objects with whole seconds: one of this second is not one of before the start.
_STARTED: Final = 2.0
_BETWEEN_WRITES: Final = 1.0
_AFTER_FAILURE: Final = 5.0
_LOOK: Final = 60.0
_MOVED: Final = 600.0  # seconds of `until` that alone are worth a write

log = logging.getLogger("waypost.notifier")


@dataclass
class Notifier:
    """A notifier. Call `run` once.

    Attributes:
        sinks: Where messages go.
        reader: Where objects are read.
        namespaces: Those that are served; none for all.
        state: Where it keeps what was delivered.
        around: What couriers share; its `changed` is replaced.
        now: Seconds since 1970.
    """

    sinks: Sequence[Sink]
    reader: Reader
    namespaces: Sequence[str]
    state: State
    around: Callable[[Callable[[], None]], Surroundings]
    now: Callable[[], float]
    _couriers: list[Courier] = field(default_factory=list)
    _feeds: list[Feed] = field(default_factory=list)
    _dirty: asyncio.Event = field(default_factory=asyncio.Event)
    _written: float = -math.inf  # the `until` that was written last

    @property
    def ready(self) -> bool:
        """Whether all objects were seen."""
        return bool(self._feeds) and self._seen > -math.inf

    def health(self) -> str | None:
        """None: always healthy. A task that fails ends the process."""
        return None

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set, then finish what is being sent and record it.

        Raises:
            Overwritten: Another program writes the ConfigMap.
        """
        ended = asyncio.create_task(stopping.wait())
        serving = asyncio.create_task(self._serve())
        try:
            await asyncio.wait((ended, serving), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            ended.cancel()
            serving.cancel()
            await asyncio.gather(ended, serving, return_exceptions=True)

    async def _serve(self) -> None:
        await self._begin()
        spaces: Sequence[str | None] = tuple(self.namespaces) or (None,)
        self._feeds = [
            Feed(self.reader, kind, space, exists=self._exists, gone=self._gone, now=self.now)
            for kind in KINDS
            for space in spaces
        ]
        delivering = [asyncio.create_task(courier.run()) for courier in self._couriers]
        others = [asyncio.create_task(feed.run()) for feed in self._feeds]
        others.append(asyncio.create_task(self._keep()))
        try:
            await asyncio.wait((*delivering, *others), return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await _ended(others)
            for courier in self._couriers:
                courier.stop()
            await asyncio.wait(delivering, timeout=STOP_SECONDS)
            await _ended(delivering)
            with contextlib.suppress(ClusterError):
                await self._save()
        for task in (*delivering, *others):
            if not task.cancelled():
                task.result()

    async def _begin(self) -> None:
        """Read what was delivered, and note the start of sinks that are new."""
        while True:
            try:
                known = await self.state.load()
                around = self.around(self._dirty.set)
                new = Record(until=self.now() - _STARTED)
                self._couriers = [
                    Courier(sink, known.get(sink.name, new), around) for sink in self.sinks
                ]
                await self._save()
                return
            except ClusterError as error:
                log.warning("the ConfigMap of the notifier cannot be used: %s", failure_text(error))
                await asyncio.sleep(_AFTER_FAILURE)

    def _exists(self, kind: Kind, body: Obj) -> None:
        found = occurrences(kind, body)
        answered = kind is Kind.APPROVAL and not is_open(body)
        for courier in self._couriers:
            courier.offer(found)
            if answered:
                courier.withdraw(_uid(body))

    def _gone(self, kind: Kind, body: Obj) -> None:
        if kind is Kind.APPROVAL:
            for courier in self._couriers:
                courier.withdraw(_uid(body))

    @property
    def _seen(self) -> float:
        """All objects were seen at this time or later."""
        return min(
            (-math.inf if f.heard is None else f.heard for f in self._feeds), default=-math.inf
        )

    async def _keep(self) -> None:
        """Record what was delivered, soon after it was."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._dirty.wait()
            if self.ready:
                for courier in self._couriers:
                    courier.ledger.forget_unseen()
            if not self._dirty.is_set() and self._seen < self._written + _MOVED:
                continue
            try:
                await self._save()
            except ClusterError as error:
                log.warning("what was delivered cannot be recorded: %s", failure_text(error))
                self._dirty.set()
                await asyncio.sleep(_AFTER_FAILURE)
            await asyncio.sleep(_BETWEEN_WRITES)

    async def _save(self) -> None:
        self._dirty.clear()
        seen = self._seen
        await self.state.save(
            {one.sink.name: one.ledger.record(seen=seen) for one in self._couriers}
        )
        self._written = seen


async def _ended(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _uid(body: Obj) -> str:
    return text(section(body, "metadata"), "uid")
