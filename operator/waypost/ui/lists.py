"""The lists of runs and Approvals, from the rows that the feed keeps. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waypost.api.base import JsonObject
from waypost.ui.table import Row

_SEARCHED = ("name", "template", "requestedBy", "parent", "waiting", "reason")


@dataclass(frozen=True)
class Query:
    """What a browser asks for. Empty values match all."""

    namespace: str = ""
    phases: frozenset[str] = frozenset()
    text: str = ""
    template: str = ""
    labels: tuple[str, ...] = ()  # KEY or KEY=VALUE, all of them
    after: str = ""  # a time, as timestamps are written
    offset: int = 0
    limit: int = 100


def runs(rows: Iterable[Row], query: Query) -> JsonObject:
    """A page of runs, newest first. `counts` has the runs by phase, whatever phase is asked for."""
    matching = [row.document for row in rows if _matches(row, query)]
    counts = Counter(str(one.get("phase", "Unknown")) for one in matching)
    kept = [one for one in matching if not query.phases or one.get("phase") in query.phases]
    kept.sort(key=lambda one: (str(one.get("createdAt", "")), str(one["name"])), reverse=True)
    page = kept[query.offset : query.offset + query.limit]
    return {"items": page, "total": len(kept), "counts": dict(sorted(counts.items()))}


def approvals(rows: Iterable[Row], query: Query, *, open_only: bool) -> JsonObject:
    """A page of Approvals: open ones oldest first, others newest first."""
    found = [
        row.document
        for row in rows
        if not query.namespace or row.document.get("namespace") == query.namespace
    ]
    waiting = [one for one in found if one.get("state", "Open") == "Open"]
    waiting.sort(key=lambda one: str(one.get("createdAt", "")))
    kept = waiting
    if not open_only:
        others = [one for one in found if one.get("state", "Open") != "Open"]
        others.sort(key=lambda one: str(one.get("createdAt", "")), reverse=True)
        kept = waiting + others
    page = kept[query.offset : query.offset + query.limit]
    return {"items": page, "total": len(kept), "open": len(waiting)}


def _matches(row: Row, query: Query) -> bool:
    """Whether a run is one that is asked for, whatever its phase is."""
    document, wanted = row.document, query.text.casefold()
    return (
        query.namespace in ("", document.get("namespace"))
        and query.template in ("", document.get("template"))
        and str(document.get("createdAt", "")) >= query.after
        and all(_labelled(row, label) for label in query.labels)
        and (not wanted or _contains(document, wanted))
    )


def _labelled(row: Row, wanted: str) -> bool:
    if "=" in wanted:
        return wanted in row.labels
    return any(label.partition("=")[0] == wanted for label in row.labels)


def _contains(document: Mapping[str, object], wanted: str) -> bool:
    return any(wanted in str(document.get(field, "")).casefold() for field in _SEARCHED)
