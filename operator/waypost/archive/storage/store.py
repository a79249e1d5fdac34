"""Reads and writes archived runs. Its methods block: the service calls them in threads."""

import json
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from waypost.archive.core.document import Document
from waypost.archive.core.entry import Entry
from waypost.archive.core.query import MOST, Cursor, Query
from waypost.archive.storage.database import writing
from waypost.archive.storage.selection import page_rows
from waypost.archive.storage.tables import DOCUMENTS, LABELS, RUNS
from waypost.ports.cluster import Obj

_DELETED_AT_ONCE: Final = 500


class Store:
    """The archived runs of a database: one row and one document for each uid."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = writing(engine)

    def put(self, run: Entry, document: Document, *, now: int) -> bool:
        """Keep a run, in one transaction.

        Args:
            run: Its line.
            document: Its document.
            now: The time, in milliseconds since 1970.

        Returns:
            False if nothing was written: this document, or that of a later end of the run, is
            there.

        Raises:
            SQLAlchemyError: Nothing was kept.
        """
        with self._writing.begin() as connection:
            found = connection.execute(
                select(RUNS.c.digest, RUNS.c.finished)
                .where(RUNS.c.uid == run.uid)
                .with_for_update()
            ).first()
            if found is not None and (
                found.digest == document.digest or found.finished > run.finished
            ):
                return False
            values = _values(run, document, now)
            if found is None:
                connection.execute(insert(RUNS).values(uid=run.uid, **values))
            else:
                connection.execute(update(RUNS).where(RUNS.c.uid == run.uid).values(**values))
                for table in (DOCUMENTS, LABELS):
                    connection.execute(delete(table).where(table.c.uid == run.uid))
            _put_parts(connection, run, document)
        return True

    def page(self, query: Query) -> tuple[list[Obj], Cursor | None]:
        """The rows of a page, and where it ends if there are more."""
        limit = min(max(query.limit, 1), MOST)
        with self._engine.connect() as connection:
            found = page_rows(connection, query, limit + 1)
        rows = [json.loads(one.shown) for one in found[:limit]]
        more = len(found) > limit
        last = found[limit - 1] if more else None
        return rows, Cursor(last.finished, last.uid) if last is not None else None

    def find(self, namespace: str, name: str) -> Document | None:
        """The document of a run by its name, the newest if there were several, or by its uid."""
        columns = select(RUNS.c.digest, DOCUMENTS.c.size, DOCUMENTS.c.content).join(DOCUMENTS)
        here = columns.where(RUNS.c.namespace == namespace)
        named = here.where(RUNS.c.name == name).order_by(RUNS.c.finished.desc(), RUNS.c.uid.desc())
        with self._engine.connect() as connection:
            for asked in (named.limit(1), here.where(RUNS.c.uid == name)):
                found = connection.execute(asked).first()
                if found is not None:
                    return Document(found.digest, found.size, found.content)
        return None

    def count(self) -> int:
        """How many runs are kept."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(RUNS)).scalar_one())

    def delete_archived_before(self, moment: int) -> int:
        """Delete some runs that were archived before a time, the oldest first.

        Returns:
            How many were deleted; 0 if there are none left.
        """
        with self._writing.begin() as connection:
            old = select(RUNS.c.uid).where(RUNS.c.archived < moment).order_by(RUNS.c.archived)
            uids = list(connection.execute(old.limit(_DELETED_AT_ONCE)).scalars())
            for table in (DOCUMENTS, LABELS, RUNS):
                connection.execute(delete(table).where(table.c.uid.in_(uids)))
        return len(uids)


def _values(run: Entry, document: Document, now: int) -> dict[str, Any]:
    return {
        "namespace": run.namespace,
        "name": run.name,
        "phase": run.phase,
        "template": run.template,
        "finished": run.finished,
        "archived": now,
        "cost": run.cost,
        "searched": run.searched,
        "shown": run.shown,
        "digest": document.digest,
    }


def _put_parts(connection: Connection, run: Entry, document: Document) -> None:
    connection.execute(
        insert(DOCUMENTS).values(uid=run.uid, size=document.size, content=document.content)
    )
    if run.labels:
        same = {"uid": run.uid, "finished": run.finished}
        rows = [{"name": name, "value": value, **same} for name, value in run.labels]
        connection.execute(insert(LABELS), rows)
