"""A pass until its decision: what is read for it, and what is written before its status."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from waypost.engine.decide import decide
from waypost.engine.reads import required_reads
from waypost.engine.run.entry import Entry, enter
from waypost.engine.state.decision import Decision
from waypost.engine.state.observed import Observed, Reads
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.clock import Clock
from waypost.ports.offload import Offload
from waypost.runtime.cache.runs import Key
from waypost.runtime.cache.slots import SlotBoard
from waypost.runtime.reads.observer import Observer
from waypost.runtime.writes.actions import ActionExecutor, Prepared
from waypost.runtime.writes.rate_limit import UPDATES, TokenBucket

_READ_ROUNDS: Final = 8  # a run asks for two or three


@dataclass
class Decider:
    """Decides passes of one operator process.

    `pods` returns the settings of node pods as they are now: a CA of the gateways may change.
    """

    observer: Observer
    actor: ActionExecutor
    board: SlotBoard
    bucket: TokenBucket
    clock: Clock
    pods: Callable[[], PodSettings]
    offload: Offload

    async def decide(self, key: Key, observed: Observed) -> tuple[Entry, Decision, bool]:
        """A decision that may be written: everything exists that its status refers to.

        What could not be written, or took long, is decided on again.

        Returns:
            The run as the pass entered it, with all that was read; the decision; whether an
            Approval was answered.

        Raises:
            StaleRun: A live read found a newer version of the run.
            ClusterError: What the pass needs could not be read or written.
        """
        stored = observed.status
        entry = await self._read(key, await self.offload(enter, observed, self.clock.now()))
        done, permitted = Prepared(), False
        while True:
            decided = self.clock.monotonic()
            decision = await self.offload(decide, entry, self.clock.now(), self.pods())
            if (lacking := await self._with_slots(key, entry, decision)) is not None:
                entry = lacking
                continue
            known = done.unexpected
            await self.actor.prepare(key, decision.before, done)
            if decision.status != stored and not permitted:
                await self.bucket.permit(lane=UPDATES, group=key.namespace)
                permitted = True
            if done.unexpected == known and done.stands(self.clock.monotonic() - decided):
                return entry, decision, done.settled
            entry = replace(entry, observed=done.added_to(entry.observed))

    async def _with_slots(self, key: Key, entry: Entry, decision: Decision) -> Entry | None:
        """The entry with the slots that its decision lacks; None if the decision may stand."""
        if missing := decision.slots.unread:
            observed = await self.observer.read_slots(key, entry.observed, missing)
            return replace(entry, observed=observed)
        if not self.board.note(key, decision.slots):  # another pass was faster
            return replace(entry, observed=replace(entry.observed, slots={}))
        return None

    async def _read(self, key: Key, entry: Entry) -> Entry:
        """Load what `decide` needs; one read can show that another is needed."""
        for _ in range(_READ_ROUNDS):
            reads = await self.offload(required_reads, entry, self.clock.now())
            if reads == Reads():
                return entry
            observed = await self.observer.satisfy(key, entry.observed, reads)
            entry = replace(entry, observed=observed)
        raise RuntimeError(f"a pass still needs reads after {_READ_ROUNDS} rounds: {reads}")
