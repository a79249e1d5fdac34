"""Databases for the tests of the archive: SQLite, and PostgreSQL where it can be installed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from waypost.archive.storage.database import open_database
from waypost.archive.storage.store import Store
from waypost.archive.storage.tables import METADATA

from tests.archive import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server for all tests of this worker."""
    programs = postgres.programs()
    if programs is None:
        complaint = "no PostgreSQL: scripts/postgres.sh says why"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    with postgres.server(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of both kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/archive.db"
        return
    found: str = request.getfixturevalue("postgres_url")
    yield found
    engine = create_engine(found.replace("postgresql:", "postgresql+psycopg:"))
    METADATA.drop_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    engine.dispose()


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Store]]:
    """Opens the database, as often as a test wants, and closes all at the end."""
    engines: list[Engine] = []

    def opening() -> Store:
        engines.append(open_database(url))
        return Store(engines[-1])

    yield opening
    for engine in engines:
        engine.dispose()


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    """An empty store."""
    return opened()
