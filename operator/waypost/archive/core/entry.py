"""The line of a run in the archive: what a list shows and is filtered by."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from waypost.kube.objects import items, section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Obj
from waypost.views.row import row

_TEXT: Final = 2000  # characters that a search reads of a run
_MOST_COST: Final = 10**15  # millionths


@dataclass(frozen=True)
class Entry:
    """A run as the tables have it. Times in milliseconds since 1970."""

    uid: str
    namespace: str
    name: str
    phase: str
    template: str
    finished: int
    cost: int  # millionths of a dollar
    searched: str  # what a search reads, in the case of `folded`
    shown: str  # JSON of its `views.models.RunRow`
    labels: tuple[tuple[str, str], ...]


def folded(value: str) -> str:
    """Text as a search compares it, with characters that every database takes."""
    return value.casefold().replace("\x00", "").encode("utf-8", "replace").decode()


def milliseconds(moment: datetime) -> int:
    """A time as the tables have it."""
    return int(moment.timestamp() * 1000)


def millionths(value: str) -> int:
    """Dollars as the tables have them; 0 for a text that is no amount."""
    try:
        found = int(Decimal(value) * 1_000_000)
    except (InvalidOperation, OverflowError, ValueError):
        return 0
    return min(max(found, 0), _MOST_COST)


def entry(run: Obj) -> Entry:
    """The line of a run that has ended.

    Raises:
        ValueError: It has no time of its end.
    """
    shown = row(run)
    metadata = section(run, "metadata")
    finished = parse_timestamp(shown.finished_at or "")
    if finished is None:
        raise ValueError("status.finishedAt is not a time")
    labels = section(metadata, "labels")
    return Entry(
        uid=text(metadata, "uid"),
        namespace=shown.namespace,
        name=shown.name,
        phase=shown.phase,
        template=text(section(run, "spec", "templateRef"), "name"),
        finished=milliseconds(finished),
        cost=millionths(shown.cost_usd or ""),
        searched=folded(_searched(run))[:_TEXT],
        shown=json.dumps(shown.to_json()),
        labels=tuple(
            sorted((key, value) for key, value in labels.items() if isinstance(value, str))
        ),
    )


def _searched(run: Obj) -> str:
    metadata, spec, status = (section(run, key) for key in ("metadata", "spec", "status"))
    said = [
        text(one, "message")
        for one in items(status, "conditions")
        if one.get("type") in ("Succeeded", "Accepted") and one.get("status") != "Unknown"
    ]
    values = (spec.get("inputs"), status.get("outputs"))
    found = [
        text(metadata, "name"),
        text(section(spec, "templateRef"), "name"),
        text(spec, "requestedBy"),
        *said,
        *(json.dumps(value, ensure_ascii=False) for value in values if value),
    ]
    return "\n".join(part for part in found if part)
