"""What is to be done about the entries of a key: phases to write for people, entries to delete."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from waypost.api.memory.model import (
    KEPT_EPISODES,
    KEPT_FACTS,
    KEPT_SETTLED,
    EntryPhase,
    MemoryEntryStatus,
)
from waypost.kube.memory.entries import Entry
from waypost.kube.memory.phases import BY_A_PERSON, Standing, standings


@dataclass(frozen=True)
class Upkeep:
    """What is due now.

    Attributes:
        statuses: What the status of an entry should say, if it says something else.
        delete: Entries that are over, or more than the key may have.
    """

    statuses: tuple[tuple[Entry, MemoryEntryStatus], ...] = ()
    delete: tuple[Entry, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing is due."""
        return not self.statuses and not self.delete


def upkeep(entries: Iterable[Entry], *, now: datetime) -> Upkeep:
    """What is due at `now`.

    Args:
        entries: All entries of one scope and key.
        now: The time.
    """
    listed = [one for one in entries if not one.deleting]
    found = standings(listed, now=now)
    over = [one for one in listed if found[one.name].phase == "Expired"]
    last = [one for one in over if one.spec.type == "Forgotten"]
    first = [one for one in over if one.spec.type != "Forgotten"] + surplus(listed, found)
    # A tombstone goes last: without it, what it forbids would be read again.
    delete = first or last
    gone = {one.name for one in (*first, *last)}
    kept = [one for one in listed if one.name not in gone]
    statuses = [(one, _status(one, found[one.name])) for one in kept]
    return Upkeep(
        statuses=tuple((one, wanted) for one, wanted in statuses if one.status != wanted),
        delete=tuple(delete),
    )


def surplus(entries: Iterable[Entry], found: dict[str, Standing]) -> list[Entry]:
    """The entries that are more than a key may have, the oldest first. Never an Active fact, and
    never the newest Episode of a run that succeeded."""
    listed = sorted(entries, key=lambda one: one.age)

    def having(type_: str, *phases: EntryPhase) -> list[Entry]:
        return [one for one in listed if one.spec.type == type_ and found[one.name].phase in phases]

    ended = [*having("Episode", "Rejected", "Superseded"), *having("Episode", "Active")]
    succeeded = [one for one in having("Episode", "Active") if one.spec.succeeded][-1:]
    droppable = [one for one in ended if one not in succeeded]
    episodes = droppable[: max(len(ended) - KEPT_EPISODES, 0)]
    active, proposed = having("Fact", "Active"), having("Fact", "Proposed")
    facts = proposed[: max(len(active) + len(proposed) - KEPT_FACTS, 0)]
    settled = having("Fact", "Superseded", "Rejected")
    return [*episodes, *facts, *settled[: max(len(settled) - KEPT_SETTLED, 0)]]


def _status(one: Entry, standing: Standing) -> MemoryEntryStatus:
    decided = standing.reason == BY_A_PERSON
    return MemoryEntryStatus(
        phase=standing.phase,
        reason=standing.reason,
        decided_by=one.spec.decided_by if decided else None,
    )
