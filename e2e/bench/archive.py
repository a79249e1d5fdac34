"""Lists of an archive with 100,000 runs, by page: in SQLite and, if it is there, in PostgreSQL."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from sqlalchemy import Engine, insert
from waypost.archive.core.document import Document
from waypost.archive.core.entry import Entry, milliseconds
from waypost.archive.core.query import Cursor, Query
from waypost.archive.storage.database import open_database
from waypost.archive.storage.store import Store
from waypost.archive.storage.tables import DOCUMENTS, LABELS
from waypost.archive.storage.tables import RUNS as RUNS_TABLE

from tests.archive import postgres
from tests.archive.samples import START, finished, stored

RUNS: Final = 100_000
BOUND: Final = 0.1  # seconds for a page
_REPEATS: Final = 5
_SINGLE: Final = 1000  # runs that are kept as the service keeps them; the others faster
_BATCH: Final = 1000
_OLD: Final = 4000  # runs with a label that later ones do not have

_END: Final = milliseconds(START)
QUERIES: Final = {
    "newest": Query(),
    "middle": Query(after=Cursor(_END + RUNS * 500, "x")),
    "namespace": Query(namespace="ns-3"),
    "phase": Query(phases=("Failed",)),
    "template": Query(template="triage-3"),
    "label": Query(labels=(("team", "team-2"),)),
    "label of the oldest": Query(labels=(("old", "yes"),)),
    "label that none has": Query(labels=(("team", "x"),)),
    "text": Query(text="number 77"),
    "text that none has": Query(text="nowhere"),
    "cost": Query(cost=980_000),
    "cost that none has": Query(cost=10**9),
    "time": Query(since=_END + RUNS * 200, until=_END + RUNS * 400),
    "namespace, phase, time, text": Query(
        namespace="ns-2", phases=("Failed",), until=_END + RUNS * 700, text="model"
    ),
}


def main() -> int:
    """Measure both databases; 1 if a page takes longer than the bound."""
    slowest = [_measured(name, opened) for name, opened in _databases()]
    return int(max(slowest) > BOUND)


def _databases() -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        yield "SQLite", f"sqlite:///{folder}/archive.db"
    programs = postgres.programs()
    if programs is None:
        print("archive: no PostgreSQL; scripts/postgres.sh says why")
        return
    with postgres.server(programs) as url:
        yield "PostgreSQL", url


def _measured(name: str, url: str) -> float:
    engine = open_database(url)
    store = Store(engine)
    began = time.perf_counter()
    for number in range(_SINGLE):
        store.put(*_kept(number), now=_END)
    seconds = time.perf_counter() - began
    print(f"archive: {name}: {_SINGLE / seconds:,.0f} runs a second, one transaction each")
    _fill(engine)
    slowest = 0.0
    for label, query in QUERIES.items():
        times = [_timed(store, query) for _ in range(_REPEATS)]
        slowest = max(slowest, *(seconds for seconds, _ in times))
        worst = max(seconds for seconds, _ in times) * 1000
        best = min(seconds for seconds, _ in times) * 1000
        print(f"| {name} | {label} | {times[0][1]} | {best:.1f} ms | {worst:.1f} ms |", flush=True)
    pages = list(_walk(store))
    print(f"| {name} | all {len(pages)} pages | {RUNS} | | {max(pages) * 1000:.1f} ms |")
    engine.dispose()
    return max(slowest, *pages)


def _kept(number: int) -> tuple[Entry, Document]:
    labels = {"team": f"team-{number % 5}", **({"old": "yes"} if number < _OLD else {})}
    return stored(finished(number, namespace=f"ns-{number % 10}", labels=labels))


def _fill(engine: Engine) -> None:
    """The other runs, many in a transaction."""
    for begin in range(_SINGLE, RUNS, _BATCH):
        runs = [_kept(number) for number in range(begin, begin + _BATCH)]
        rows = [
            {
                **{key: value for key, value in asdict(run).items() if key != "labels"},
                "digest": document.digest,
                "archived": _END,
            }
            for run, document in runs
        ]
        documents = [
            {"uid": run.uid, "size": document.size, "content": document.content}
            for run, document in runs
        ]
        labels = [
            {"uid": run.uid, "name": name, "value": value, "finished": run.finished}
            for run, _ in runs
            for name, value in run.labels
        ]
        with engine.begin() as connection:
            connection.execute(insert(RUNS_TABLE), rows)
            connection.execute(insert(DOCUMENTS), documents)
            connection.execute(insert(LABELS), labels)
    if engine.dialect.name == "postgresql":  # autovacuum does it within minutes
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")


def _walk(store: Store) -> Iterator[float]:
    """The seconds of each page of all runs."""
    after: Cursor | None = None
    count = 0
    while True:
        began = time.perf_counter()
        rows, after = store.page(Query(after=after))
        yield time.perf_counter() - began
        count += len(rows)
        if after is None:
            assert count == RUNS, f"{count} of {RUNS} runs"
            return


def _timed(store: Store, query: Query) -> tuple[float, int]:
    began = time.perf_counter()
    rows, _ = store.page(query)
    return time.perf_counter() - began, len(rows)
