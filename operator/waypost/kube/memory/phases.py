"""What the entries of a key are at a moment: which of them a run reads, and why the others not.

It follows from their specs alone, so nothing has to be written between the creation of an entry and
a run that reads it; `status.phase` is for people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from waypost.api.memory.model import KEPT_FACTS, EntryPhase
from waypost.kube.memory.entries import MEMORY_FULL, Entry
from waypost.protocol import ijson

BY_A_PERSON: Final = "Decided"  # reasons in status
BY_POLICY: Final = "ReviewAutomatic"
AWAITS_REVIEW: Final = "ReviewRequired"
NEWER_FACT: Final = "NewerFact"
LATER_ROUND: Final = "LaterRound"
TIME_OVER: Final = "TimeOver"
FORGOTTEN: Final = "Forgotten"
RECORDED: Final = "Recorded"  # an Episode


@dataclass(frozen=True)
class Standing:
    """What one entry is, and why: a CamelCase word."""

    phase: EntryPhase
    reason: str


def forgotten_until(entries: Iterable[Entry], *, scope: str, key: str) -> datetime | None:
    """The time up to which everything of a key is forgotten. A run neither reads nor creates an
    entry whose source.at is this time or an earlier one."""
    found = [
        one.at for one in entries if one.spec.type == "Forgotten" and one.identity == (scope, key)
    ]
    return max(found, default=None)


def standings(entries: Iterable[Entry], *, now: datetime) -> dict[str, Standing]:
    """What each entry is at `now`, by its name. `entries` are all that exist of their keys."""
    listed = list(entries)
    ends = {
        one: forgotten_until(listed, scope=one[0], key=one[1])
        for one in {entry.identity for entry in listed}
    }
    alone = {one.name: _alone(one, ends[one.identity], now) for one in listed}
    active = [one for one in listed if alone[one.name].phase == "Active"]
    kept = {one.name for one in newest(active)}
    for one in active:
        if one.name not in kept:
            reason = LATER_ROUND if one.spec.type == "Episode" else NEWER_FACT
            alone[one.name] = Standing("Superseded", reason)
    return alone


def is_known(one: Entry, entries: Iterable[Entry], found: Mapping[str, Standing]) -> bool:
    """Whether a fact that is about to be created is there already: one with its subject and value
    that is Proposed or Active, or that a person has rejected.

    Args:
        one: The fact.
        entries: All entries of its key, from a live list.
        found: What they are now (`standings`).
    """
    if one.spec.type != "Fact":
        return False
    mine = (one.spec.subject, ijson.digest(one.spec.value))
    return any(
        _counts(found[other.name]) or found[other.name] == Standing("Rejected", BY_A_PERSON)
        for other in entries
        if other.spec.type == "Fact"
        and other.name != one.name
        and not other.deleting
        and (other.spec.subject, ijson.digest(other.spec.value)) == mine
    )


def is_full(one: Entry, entries: Iterable[Entry], found: Mapping[str, Standing]) -> bool:
    """Whether the key has as many facts as it may have without one that is about to be created.
    Arguments as those of `is_known`."""
    others = [e for e in entries if e.spec.type == "Fact" and e.name != one.name]
    return one.spec.type == "Fact" and sum(_counts(found[e.name]) for e in others) >= KEPT_FACTS


def _counts(standing: Standing) -> bool:
    return standing.phase in ("Proposed", "Active")


def readable(entries: Iterable[Entry], *, scope: str, key: str, now: datetime) -> list[Entry]:
    """The Episodes and Facts of a key that a run reads at `now`, the newest first. The caller cuts
    them to its bounds.

    Args:
        entries: All entries with the label of the key, from a live list.
        scope: The scope of the run. Entries of others are left out, whatever their labels say.
        key: The key of the run.
        now: The time of the snapshot.
    """
    own = [one for one in entries if one.identity == (scope, key) and not one.deleting]
    found = standings(own, now=now)
    active = [
        one for one in own if one.spec.type != "Forgotten" and found[one.name].phase == "Active"
    ]
    return sorted(active, key=lambda one: one.age, reverse=True)


def newest(entries: Iterable[Entry]) -> list[Entry]:
    """Of several facts with one subject the newest, and of a run the Episode of its latest round;
    all others as they are."""
    best: dict[tuple[object, ...], Entry] = {}
    for one in entries:
        mark = _mark(one)
        other = best.get(mark)
        if other is None or _rank(one) > _rank(other):
            best[mark] = one
    return list(best.values())


def _mark(one: Entry) -> tuple[object, ...]:
    spec = one.spec
    if spec.type == "Fact" and spec.subject is not None:
        return (*one.identity, "Fact", spec.subject)
    if spec.type == "Episode":
        return (*one.identity, "Episode", spec.source.run_uid)
    return (*one.identity, "name", one.name)


def _rank(one: Entry) -> tuple[object, ...]:
    round_ = one.spec.source.round if one.spec.type == "Episode" else None
    return (round_ or 0, *one.age)


def _alone(one: Entry, forgotten: datetime | None, now: datetime) -> Standing:
    """What an entry is without those that may supersede it."""
    spec = one.spec
    if one.expires_at <= now:
        return Standing("Expired", TIME_OVER)
    if spec.type == "Forgotten":
        return Standing("Active", RECORDED)
    if forgotten is not None and one.at <= forgotten:
        return Standing("Expired", FORGOTTEN)
    if spec.decision is not None:
        return Standing("Active" if spec.decision == "Accepted" else "Rejected", BY_A_PERSON)
    if spec.type == "Episode":
        return Standing("Active", RECORDED)
    if one.spec.full:
        return Standing("Rejected", MEMORY_FULL)
    if spec.review == "Automatic":
        return Standing("Active", BY_POLICY)
    return Standing("Proposed", AWAITS_REVIEW)
