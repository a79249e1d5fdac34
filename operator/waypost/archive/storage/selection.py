"""Selects the rows of a page.

Most pages are read in the order of an index, until they are full; with a label, in that of the
index of labels. That would read the whole table for a cost or a text that few runs have. So these
filters are asked first how many runs they leave; if those are few, only they are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    TextClause,
    and_,
    bindparam,
    column,
    func,
    select,
    table,
    text,
    tuple_,
)

from waypost.archive.core.entry import folded
from waypost.archive.core.query import Query
from waypost.archive.storage.tables import LABELS, RUNS

_FEW: Final = 2000  # runs that are read one by one rather than in order
_TRIGRAM: Final = 3  # characters; shorter texts are not in the index
_NUMBERS: Final = table("search_numbers", column("number"), column("uid"))
_FOUND_TEXT: Final = text(
    "search_numbers.number IN (SELECT rowid FROM search_texts WHERE search_texts MATCH :phrase)"
)
_INDEX_OF_TEXTS: Final = text("SELECT to_regclass('search_runs') IS NOT NULL")  # of PostgreSQL


@dataclass(frozen=True)
class _Filter:
    """A filter with an index that is not in the order of ends."""

    source: FromClause  # RUNS, and what the filter needs beside it
    condition: ColumnElement[bool] | TextClause


def page_rows(connection: Connection, query: Query, limit: int) -> list[Row[Any]]:
    """The first rows of a query: `shown`, `finished` and `uid`, the newest end first.

    Among equal ends they are in the order of their uid, so that each page begins where one ended.
    """
    for filter_ in _filters(connection, query):
        if _leaves_few(connection, filter_):
            return _of_few(connection, query, filter_, limit)
    return list(connection.execute(_in_order(query).limit(limit)).all())


def _of_few(connection: Connection, query: Query, filter_: _Filter, limit: int) -> list[Row[Any]]:
    """Sorted here: a database that is asked for an order may read all in that order."""
    ends = select(RUNS.c.finished, RUNS.c.uid).select_from(filter_.source)
    found = connection.execute(ends.where(filter_.condition, *_conditions(query)))
    first = sorted(((one.finished, one.uid) for one in found), reverse=True)[:limit]
    rows = connection.execute(_rows().where(RUNS.c.uid.in_([uid for _, uid in first]))).all()
    return sorted(rows, key=lambda one: (one.finished, one.uid), reverse=True)


def _rows() -> Select[Any]:
    return select(RUNS.c.shown, RUNS.c.finished, RUNS.c.uid)


def _in_order(query: Query) -> Select[Any]:
    rows = _rows()
    if not query.labels:
        order = (RUNS.c.finished.desc(), RUNS.c.uid.desc())
        return rows.where(*_conditions(query)).order_by(*order)
    joined = RUNS.join(LABELS, LABELS.c.uid == RUNS.c.uid)
    name, value = query.labels[0]
    named = (LABELS.c.name == name, LABELS.c.value == value, *_times(query, LABELS))
    order = (LABELS.c.finished.desc(), LABELS.c.uid.desc())
    return rows.select_from(joined).where(*named, *_others(query, 1)).order_by(*order)


def _filters(connection: Connection, query: Query) -> Iterator[_Filter]:
    if query.cost is not None:
        yield _Filter(RUNS, RUNS.c.cost >= query.cost)
    wanted = folded(query.text)
    if len(wanted) < _TRIGRAM:
        return
    if connection.dialect.name == "sqlite":
        phrase = '"' + wanted.replace('"', '""') + '"'
        joined = RUNS.join(_NUMBERS, _NUMBERS.c.uid == RUNS.c.uid)
        yield _Filter(joined, _FOUND_TEXT.bindparams(bindparam("phrase", phrase)))
    elif connection.execute(_INDEX_OF_TEXTS).scalar():
        yield _Filter(RUNS, _has_text(wanted))


def _leaves_few(connection: Connection, filter_: _Filter) -> bool:
    source = filter_.source if filter_.source is RUNS else _NUMBERS
    some = select(text("1")).select_from(source).where(filter_.condition).limit(_FEW + 1)
    counted = connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()
    return int(counted) <= _FEW


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    return [*_times(query, RUNS), *_others(query)]


def _times(query: Query, place: FromClause) -> Iterator[ColumnElement[bool]]:
    """The conditions on the end, which RUNS and LABELS have, and on where a page begins."""
    if query.since is not None:
        yield place.c.finished >= query.since
    if query.until is not None:
        yield place.c.finished < query.until
    if query.after is not None:
        after = (query.after.finished, query.after.uid)
        yield tuple_(place.c.finished, place.c.uid) < tuple_(*after)


def _others(query: Query, labels_from: int = 0) -> Iterator[ColumnElement[bool]]:
    if query.namespace:
        yield RUNS.c.namespace == query.namespace
    if query.phases:
        yield RUNS.c.phase.in_(query.phases)
    if query.template:
        yield RUNS.c.template == query.template
    if query.cost is not None:
        yield RUNS.c.cost >= query.cost
    if query.text:
        yield _has_text(folded(query.text))
    for name, value in query.labels[labels_from:]:
        own = LABELS.alias()
        has = and_(own.c.uid == RUNS.c.uid, own.c.name == name, own.c.value == value)
        # For EXISTS, PostgreSQL would join the tables as a whole.
        yield select(own.c.uid).where(has).scalar_subquery().is_not(None)


def _has_text(wanted: str) -> ColumnElement[bool]:
    return RUNS.c.searched.contains(wanted, autoescape=True)
