"""A query from the parameters of a request."""

import re
from collections.abc import Iterable
from typing import Final

from waypost.archive.core.entry import millionths, milliseconds
from waypost.archive.core.query import MOST, Query, cursor
from waypost.archive.refusals import Refused
from waypost.kube.timestamps import parse_timestamp

_AMOUNT: Final = re.compile(r"\d{1,9}(\.\d{1,6})?")
_LONGEST: Final = 320
_MOST_LABELS: Final = 8
_MOST_PHASES: Final = 8


def query(parameters: Iterable[tuple[str, str]]) -> Query:
    """The query that a list asks for.

    Args:
        parameters: namespace, phase (several), template, label (several, as NAME=VALUE), text,
            since, until, minCost, limit and continue.

    Raises:
        Refused: One is unknown or has no valid value.
    """
    single: dict[str, str] = {}
    phases: list[str] = []
    labels: list[tuple[str, str]] = []
    for name, value in parameters:
        if len(value) > _LONGEST:
            raise Refused(400, f"{name[:20]}: expected at most {_LONGEST} characters")
        if name == "phase":
            phases.append(value)
        elif name == "label":
            labels.append(_label(value))
        elif name not in _SINGLE:
            raise Refused(400, f"unknown parameter {name[:40]!r}; expected one of {_NAMES}")
        elif name in single:
            raise Refused(400, f"{name}: expected one value")
        else:
            single[name] = value
    if len(phases) > _MOST_PHASES or len(labels) > _MOST_LABELS:
        raise Refused(400, f"expected at most {_MOST_PHASES} phases and {_MOST_LABELS} labels")
    try:
        after = cursor(single["continue"]) if single.get("continue") else None
    except ValueError as error:
        raise Refused(400, str(error)) from error
    return Query(
        namespace=single.get("namespace", ""),
        phases=tuple(phases),
        template=single.get("template", ""),
        labels=tuple(labels),
        text=single.get("text", ""),
        since=_time(single, "since"),
        until=_time(single, "until"),
        cost=_cost(single),
        limit=_limit(single),
        after=after,
    )


_SINGLE: Final = (
    "namespace",
    "template",
    "text",
    "since",
    "until",
    "minCost",
    "limit",
    "continue",
)
_NAMES: Final = ", ".join((*_SINGLE, "phase", "label"))


def _label(value: str) -> tuple[str, str]:
    name, separator, wanted = value.partition("=")
    if not separator or not name:
        raise Refused(400, f"label: expected NAME=VALUE, found {value[:80]!r}")
    return name, wanted


def _time(single: dict[str, str], name: str) -> int | None:
    if not single.get(name):
        return None
    moment = parse_timestamp(single[name])
    if moment is None:
        raise Refused(400, f"{name}: expected a time such as 2026-11-30T00:00:00Z")
    return milliseconds(moment)


def _cost(single: dict[str, str]) -> int | None:
    value = single.get("minCost")
    if not value:
        return None
    if not _AMOUNT.fullmatch(value):
        raise Refused(400, "minCost: expected dollars such as 0.25")
    return millionths(value)


def _limit(single: dict[str, str]) -> int:
    value = single.get("limit", "100")
    if not value.isdecimal() or len(value) > 4 or not 1 <= int(value) <= MOST:
        raise Refused(400, f"limit: expected a number from 1 to {MOST}")
    return int(value)
