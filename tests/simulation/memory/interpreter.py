"""What a run reads of its memory, from the entries as they are stored: a second implementation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from waypost.ports.cluster import Obj


@dataclass(frozen=True)
class Read:
    """The names of the Episodes that a run reads, the newest first, and of the last good one."""

    episodes: tuple[str, ...]
    succeeded: str | None


def read(bodies: Iterable[Obj], *, scope: str, key: str, most: int, now: datetime) -> Read:
    """What a run of this scope and key reads at `now`."""
    own = [b["spec"] | {"name": b["metadata"]["name"]} for b in bodies]
    own = [s for s in own if s["scope"] == scope and s["key"] == key]
    ends = [_time(s["source"]["at"]) for s in own if s["type"] == "Forgotten"]
    valid = [
        s
        for s in own
        if s["type"] == "Episode"
        and _time(s["expiresAt"]) > now
        and all(_time(s["source"]["at"]) > end for end in ends)
    ]
    latest: dict[str, Any] = {}
    for s in sorted(valid, key=lambda s: s["source"]["round"]):
        latest[s["source"]["runUid"]] = s
    ordered = sorted(latest.values(), key=lambda s: (s["source"]["at"], s["name"]), reverse=True)
    good = [s["name"] for s in ordered if s["succeeded"]]
    return Read(tuple(s["name"] for s in ordered[:most]), good[0] if good else None)


def in_snapshot(snapshot: Any) -> Read:
    """What a snapshot says that a run has read."""
    good = snapshot.get("lastSucceeded")
    listed = tuple(one["entry"] for one in snapshot["episodes"])
    return Read(listed, good["entry"] if good else None)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
