"""Opens a database, and brings its tables to this release."""

from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError as MigrationRefused
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

_PLACE: Final = "waypost.archive.storage:migrations"
_BUSY_SECONDS: Final = 10
_DRIVERS: Final = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}


class DatabaseError(Exception):
    """The database cannot be used. The message does not contain its URL, which may have a
    password."""


def open_database(url: str) -> Engine:
    """The database at a URL, with the tables of this release. Close it with `dispose`.

    Raises:
        DatabaseError: The URL is not one of SQLite or PostgreSQL, the database cannot be reached,
            or a later release has changed its tables.
    """
    place = _place(url)
    engine = create_engine(place, pool_pre_ping=True, **_pool(place))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    try:
        with writing(engine).begin() as connection:
            config = Config()
            config.set_main_option("script_location", _PLACE)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except BaseException as error:
        engine.dispose()
        if isinstance(error, MigrationRefused):
            raise DatabaseError(f"the tables are of a later release: {error}") from error
        if isinstance(error, SQLAlchemyError):
            raise DatabaseError(problem(error)) from error
        raise
    return engine


def writing(engine: Engine) -> Engine:
    """The same database, for transactions that write: with SQLite one waits for another when it
    begins."""
    return engine.execution_options(waypost_writes=True)


def problem(error: SQLAlchemyError) -> str:
    """What the driver said, without the statement and its values."""
    said = str(getattr(error, "orig", None) or "").strip().splitlines()
    return said[0][:300] if said else type(error).__name__


def _place(url: str) -> URL:
    try:
        place = make_url(url)
    except ArgumentError:
        raise DatabaseError("the URL of the database cannot be read") from None
    driver = _DRIVERS.get(place.drivername.partition("+")[0])
    if driver is None:
        text = f"expected sqlite:///FILE or postgresql://..., found {place.drivername[:20]}"
        raise DatabaseError(text)
    return place.set(drivername=driver)


def _pool(place: URL) -> dict[str, Any]:
    if place.drivername.startswith("sqlite"):
        return {"connect_args": {"timeout": _BUSY_SECONDS}}
    # A prepared statement would get one plan for all texts and costs.
    given = {"connect_timeout": _BUSY_SECONDS, "prepare_threshold": None}
    return {"pool_size": 4, "max_overflow": 4, "connect_args": given}


def _prepare(connection: Any, _record: object) -> None:
    """Settings of each connection to SQLite: readers do not wait for the writer, and what was
    committed outlives a crash of the machine. Transactions begin by `_begin`, as the driver would
    commit the steps of a migration one by one."""
    connection.isolation_level = None
    for text in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {text}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("waypost_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
