"""An archiver that is killed in the middle: no run is lost, and none is there twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waypost.archive.core.document import decode
from waypost.archive.core.query import Query
from waypost.archive.storage.database import open_database
from waypost.archive.storage.store import Store

from tests.archive.apiserver import ApiServer, environment, serving

COUNTS = [
    pytest.param(60, id="60"),
    pytest.param(10_000, id="10000", marks=[pytest.mark.nightly, pytest.mark.timeout(4 * 3600)]),
]


@contextmanager
def archiving(api: ApiServer, folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`waypost archive serve` as its pod starts it."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "waypost", "archive", "serve"],
            env={**os.environ, **environment(api, folder, url)},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def opened(url: str) -> Iterator[Store]:
    engine = open_database(url)
    try:
        yield Store(engine)
    finally:
        engine.dispose()


def kept(store: Store) -> list[str]:
    """The names of all runs in the archive, as pages show them."""
    rows, after = store.page(Query(limit=500))
    names = [row["name"] for row in rows]
    while after is not None:
        rows, after = store.page(Query(limit=500, after=after))
        names += [row["name"] for row in rows]
    return names


@pytest.mark.parametrize("count", COUNTS)
def test_killed_twice_in_the_middle(count: int, url: str, tmp_path: Path) -> None:
    """S711: a run with the condition is in the archive, whenever the archiver dies."""
    with serving(count) as api:
        for part in (count // 3, 2 * count // 3):
            api.stop_after(part)
            with archiving(api, tmp_path, url) as process:
                api.wait(part)
                process.kill()
                process.wait()
            with opened(url) as store:
                assert set(api.marked) <= set(kept(store)), "TTL may delete these"
                assert len(api.marked) == part, "it was killed in the middle"
        api.stop_after(count)
        with archiving(api, tmp_path, url) as process:
            api.wait(count)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, (tmp_path / "log").read_text()[-2000:]
        with opened(url) as store:
            names = kept(store)
            assert (len(names), set(names)) == (count, set(api.runs)), "none lost, none doubled"
            assert store.count() == count
            for name in names:
                found = store.find("default", name)
                assert found is not None
                assert decode(found)["run"]["spec"] == api.runs[name]["spec"]
        assert sorted(api.marked) == sorted(api.runs), "each was marked once"
