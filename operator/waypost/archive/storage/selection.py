"""Selects the rows of a page.

Most pages are read in the order of an index, until they are full. That would read the whole table
for a label, a cost or a text that few runs have. So these filters are asked first which runs they
leave; if they are few, only those are read.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    column,
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


def page_rows(connection: Connection, query: Query, limit: int) -> list[Row[Any]]:
    """The first rows of a query: `shown`, `finished` and `uid`, the newest end first.

    Among equal ends they are in the order of their uid, so that each page begins where one ended.
    """
    few = _few(connection, query)
    if few is None:
        order = (RUNS.c.finished.desc(), RUNS.c.uid.desc())
        found = _rows().where(*_conditions(query)).order_by(*order).limit(limit)
        return list(connection.execute(found).all())
    asked = select(RUNS.c.finished, RUNS.c.uid).where(RUNS.c.uid.in_(few), *_conditions(query))
    ends = sorted(((one.finished, one.uid) for one in connection.execute(asked)), reverse=True)
    first = _rows().where(RUNS.c.uid.in_([uid for _, uid in ends[:limit]]))
    rows = connection.execute(first).all()
    return sorted(rows, key=lambda one: (one.finished, one.uid), reverse=True)


def _rows() -> Select[Any]:
    return select(RUNS.c.shown, RUNS.c.finished, RUNS.c.uid)


def _few(connection: Connection, query: Query) -> list[str] | None:
    """The runs that a filter leaves, if they are few; None if no filter leaves few."""
    for selection in _selections(query, indexed_text=connection.dialect.name == "sqlite"):
        found = list(connection.execute(selection.limit(_FEW + 1)).scalars())
        if len(found) <= _FEW:
            return found
    return None


def _selections(query: Query, *, indexed_text: bool) -> Iterator[Select[Any]]:
    """For each filter with an index that is not in the order of ends: the uids that it leaves."""
    for name, value in query.labels:
        yield select(LABELS.c.uid).where(LABELS.c.name == name, LABELS.c.value == value)
    if query.cost is not None:
        yield select(RUNS.c.uid).where(RUNS.c.cost >= query.cost)
    wanted = folded(query.text)
    if indexed_text and len(wanted) >= _TRIGRAM:
        phrase = '"' + wanted.replace('"', '""') + '"'
        found = _FOUND_TEXT.bindparams(bindparam("phrase", phrase))
        yield select(_NUMBERS.c.uid).where(found)


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.namespace:
        found.append(RUNS.c.namespace == query.namespace)
    if query.phases:
        found.append(RUNS.c.phase.in_(query.phases))
    if query.template:
        found.append(RUNS.c.template == query.template)
    if query.since is not None:
        found.append(RUNS.c.finished >= query.since)
    if query.until is not None:
        found.append(RUNS.c.finished < query.until)
    if query.cost is not None:
        found.append(RUNS.c.cost >= query.cost)
    if query.text:
        found.append(RUNS.c.searched.contains(folded(query.text), autoescape=True))
    for name, value in query.labels:
        has = and_(LABELS.c.uid == RUNS.c.uid, LABELS.c.name == name, LABELS.c.value == value)
        # For EXISTS, PostgreSQL would join the tables as a whole.
        found.append(select(LABELS.c.uid).where(has).scalar_subquery().is_not(None))
    if query.after is not None:
        place = (query.after.finished, query.after.uid)
        found.append(tuple_(RUNS.c.finished, RUNS.c.uid) < tuple_(*place))
    return found
