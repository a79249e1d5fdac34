"""The places of runs in their namespaces, for `maxRuns` of the policy of a namespace (S640).

A run that is accepted has a place until it ends. The others are in line: those that were seen
together by the time of their creation, and always behind those that were seen before. So a run that
is accepted in a pass is before all that another pass looks at. Child runs need no place: their
parents have one, and would wait for them without end.
"""

import sys
from dataclasses import dataclass, field
from typing import Final

from waypost.api.meta import Condition, ConditionReason
from waypost.kube.objects import section, text
from waypost.ports.cluster import Obj

_WOKEN: Final = 8  # runs that look again when a place may be free
_LAST: Final = sys.maxsize


@dataclass
class _Namespace:
    holders: set[str] = field(default_factory=set)  # uids
    new: dict[str, str] = field(default_factory=dict)  # in line since the last look: creation
    line: dict[str, int] = field(default_factory=dict)  # the others: how many are before each
    limited: set[str] = field(default_factory=set)  # of those in line: they wait for a place
    moved: bool = False  # somebody has left the line since the last look

    def remove(self, uid: str) -> None:
        """Take a run out of all of it."""
        self.holders.discard(uid)
        self.limited.discard(uid)
        self.new.pop(uid, None)
        self.moved = self.line.pop(uid, None) is not None or self.moved

    def settle(self) -> None:
        """Put those that are new at the end of the line."""
        if not self.new and not self.moved:
            return
        ordered = sorted((created, uid) for uid, created in self.new.items())
        uids = [*self.line, *(uid for _, uid in ordered)]
        self.line = {uid: at for at, uid in enumerate(uids)}
        self.new, self.moved = {}, False


class Places:
    """Kept up to date by the cache of runs."""

    def __init__(self) -> None:
        self._namespaces: dict[str, _Namespace] = {}
        self._freed: set[str] = set()

    def put(self, body: Obj) -> None:
        """Note a state of a run."""
        metadata = section(body, "metadata")
        uid, namespace = text(metadata, "uid"), text(metadata, "namespace")
        limited = _reason(body) == ConditionReason.RUN_LIMIT
        if "parent" in section(body, "spec"):
            return
        if not _is_active(body) and _is_in_line(body, limited=limited):
            there = self._namespaces.setdefault(namespace, _Namespace())
            there.holders.discard(uid)
            if uid not in there.line:
                there.new[uid] = text(metadata, "creationTimestamp")
            if limited and uid not in there.limited:
                there.limited.add(uid)
                self._freed.add(namespace)  # a place may have become free in between
            return
        self.drop(namespace, uid, holds=_is_active(body))

    def drop(self, namespace: str, uid: str, *, holds: bool = False) -> None:
        """Forget a run that is not in line; `holds`: it has a place."""
        there = self._namespaces.setdefault(namespace, _Namespace())
        known = uid in there.holders, uid in there.line or uid in there.new
        there.remove(uid)
        if holds:
            there.holders.add(uid)
        elif there.limited and any(known):
            self._freed.add(namespace)
        if not there.holders and not there.line and not there.new:
            del self._namespaces[namespace]

    def ahead(self, namespace: str, uid: str) -> int | None:
        """How many runs have a place or are in line before this one; None if it has a place. Very
        many for one that is not in line: it gets in line as soon as its status says that it waits.
        """
        there = self._namespaces.get(namespace, _Namespace())
        if uid in there.holders:
            return None
        there.settle()
        return len(there.holders) + there.line.get(uid, _LAST)

    def freed(self) -> list[str]:
        """The uids of runs that should look again, because those before them are gone."""
        found: list[str] = []
        for namespace in self._freed:
            there = self._namespaces.get(namespace, _Namespace())
            there.settle()
            found += [uid for uid in there.line if uid in there.limited][:_WOKEN]
        self._freed.clear()
        return found


def _reason(body: Obj) -> str:
    """The reason of the condition Accepted; "" without one."""
    conditions = section(body, "status").get("conditions")
    for one in conditions if isinstance(conditions, list) else ():
        if isinstance(one, dict) and one.get("type") == Condition.ACCEPTED:
            return text(one, "reason")
    return ""


def _is_active(body: Obj) -> bool:
    status = section(body, "status")
    return bool(status.get("nodes")) and not status.get("finishedAt")


def _is_in_line(body: Obj, *, limited: bool) -> bool:
    """Whether a run without a place may want one now: it is new, it waits for one, or its spec
    has changed, which may request a round."""
    metadata, status = section(body, "metadata"), section(body, "status")
    stale = status.get("observedGeneration") != metadata.get("generation")
    return limited or stale or not status.get("conditions")
