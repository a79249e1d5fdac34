"""What a run reads of its memory, from the entries as they are stored, and what it leaves there of
values that schemas mark: a second implementation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from waypost.ports.cluster import Obj

from tests.simulation.memory.plan import Run

_REDACTED: Final = "[redacted]"


@dataclass(frozen=True)
class Read:
    """The names of the Episodes that a run reads, the newest first, of the last good one, and of
    the facts."""

    episodes: tuple[str, ...]
    succeeded: str | None
    facts: tuple[str, ...] = ()


def read(
    bodies: Iterable[Obj], *, scope: str, key: str, most: int, facts: int, now: datetime
) -> Read:
    """What a run of this scope and key reads at `now`: `most` Episodes, and `facts`."""
    own = [b["spec"] | {"name": b["metadata"]["name"]} for b in bodies]
    own = [s for s in own if s["scope"] == scope and s["key"] == key]
    ends = [_time(s["source"]["at"]) for s in own if s["type"] == "Forgotten"]
    valid = [
        s
        for s in own
        if s["type"] != "Forgotten"
        and _time(s["expiresAt"]) > now
        and all(_time(s["source"]["at"]) > end for end in ends)
    ]
    latest: dict[str, Any] = {}
    episodes = [s for s in valid if s["type"] == "Episode"]
    for s in sorted(episodes, key=lambda s: s["source"]["round"]):
        latest[s["source"]["runUid"]] = s
    ordered = sorted(latest.values(), key=lambda s: (s["source"]["at"], s["name"]), reverse=True)
    good = [s["name"] for s in ordered if s["succeeded"]]
    stated = [s["name"] for s in _facts(valid)]
    listed = tuple(s["name"] for s in ordered[:most])
    return Read(listed, good[0] if good else None, tuple(stated[:facts]))


def _facts(valid: list[Any]) -> list[Any]:
    """The facts that count, the newest first: accepted, or not reviewed and not rejected."""
    active = [
        s
        for s in valid
        if s["type"] == "Fact"
        and s.get("decision", "Accepted" if s["review"] == "Automatic" else "") == "Accepted"
    ]
    active.sort(key=lambda s: (_time(s["source"]["at"]), s["name"]), reverse=True)
    newest: dict[str, Any] = {}
    for s in active:
        newest.setdefault(s["subject"], s)
    return list(newest.values())


def in_snapshot(snapshot: Any) -> Read:
    """What a snapshot says that a run has read."""
    good = snapshot.get("lastSucceeded")
    listed = tuple(one["entry"] for one in snapshot["episodes"])
    facts = tuple(one["entry"] for one in snapshot["facts"])
    return Read(listed, good["entry"] if good else None, facts)


def kept_facts(run: Run, attempt: int) -> list[Any]:
    """The facts of an attempt, as they are remembered."""
    return [{**one, "token": _REDACTED} if run.marks else one for one in run.facts(attempt)]


def kept_output(run: Run, attempt: int) -> Any:
    """The whole output of an attempt of a run with marks, as it is remembered."""
    given = run.output(attempt)
    facts = [{**one, "token": _REDACTED} if "token" in one else one for one in given["facts"]]
    return {**given, "facts": facts, "token": _REDACTED}


def kept_inputs(run: Run) -> Any:
    """The inputs of a run that asks, as they are remembered."""
    return {"n": run.number, "account": _REDACTED}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
