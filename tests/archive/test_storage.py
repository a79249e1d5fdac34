"""Documents in SQLite and in PostgreSQL: none twice, none lost, pages in the order of ends."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError
from waypost.archive.core.document import decode
from waypost.archive.core.entry import folded, milliseconds
from waypost.archive.core.query import Query, cursor
from waypost.archive.storage import selection
from waypost.archive.storage.database import DatabaseError, open_database
from waypost.archive.storage.migrations.versions import v0003_order_of_labels
from waypost.archive.storage.store import Store
from waypost.archive.storage.tables import METADATA
from waypost.ports.cluster import Obj

from tests.archive.samples import START, finished, stored

NOW = milliseconds(START) + 10**6


def keep(store: Store, *runs: Obj) -> None:
    """Keep these runs."""
    for run in runs:
        store.put(*stored(run), now=NOW)


def names(store: Store, **query: Any) -> list[str]:
    """The names of a page, in its order."""
    rows, _ = store.page(Query(**query))
    return [row["name"] for row in rows]


def migrate(connection: Connection, revision: str) -> None:
    """Bring the tables back to those of an earlier release."""
    config = Config()
    config.set_main_option("script_location", "waypost.archive.storage:migrations")
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def test_a_run_is_kept_once(opened: Callable[[], Store]) -> None:
    """S711"""
    first, second = opened(), opened()
    run = finished(1)
    assert first.put(*stored(run), now=NOW)
    assert not second.put(*stored(run), now=NOW + 1), "the same document, by another process"
    assert (first.count(), second.count()) == (1, 1)
    kept = second.find("default", "run-1")
    assert kept is not None
    assert decode(kept)["run"]["spec"] == run["spec"]


def test_a_later_end_takes_the_place_of_an_earlier_one(store: Store) -> None:
    """S712"""
    early = finished(1, at=10, phase="Failed", labels={"try": "one"})
    late = finished(1, at=20, phase="Succeeded", labels={"try": "two"}, round=2)
    keep(store, early, late)
    assert store.count() == 1
    assert not store.put(*stored(early), now=NOW), "and never the other way round"
    rows, _ = store.page(Query())
    assert [(row["phase"], row["round"]) for row in rows] == [("Succeeded", 2)]
    assert names(store, labels=(("try", "two"),)) == ["run-1"]
    assert names(store, labels=(("try", "one"),)) == []


def test_a_name_that_was_used_again(store: Store) -> None:
    keep(store, finished(1, name="nightly"), finished(2, name="nightly"))
    newest, older = (
        store.find("default", "nightly"),
        store.find("default", finished(1)["metadata"]["uid"]),
    )
    assert newest is not None
    assert older is not None
    assert decode(newest)["run"]["spec"]["inputs"] == {"ticket": "T-2"}
    assert decode(older)["run"]["spec"]["inputs"] == {"ticket": "T-1"}
    assert store.find("other", "nightly") is None
    assert store.find("other", finished(1)["metadata"]["uid"]) is None


FILTERS = [
    pytest.param({"namespace": "other"}, ["run-3"], id="namespace"),
    pytest.param({"phases": ("Failed",)}, ["run-2"], id="phase"),
    pytest.param({"phases": ("Failed", "Cancelled")}, ["run-3", "run-2"], id="phases"),
    pytest.param({"template": "triage-1"}, ["run-1"], id="template"),
    pytest.param({"labels": (("team", "team-3"),)}, ["run-3"], id="label"),
    pytest.param({"labels": (("team", "team-3"), ("x", "y"))}, [], id="labels-are-and"),
    pytest.param({"labels": (("all", "yes"),)}, ["run-2", "run-1"], id="label-of-several"),
    pytest.param(
        {"labels": (("all", "yes"), ("team", "team-2"))}, ["run-2"], id="labels-of-one-run"
    ),
    pytest.param({"labels": (("all", "yes"),), "text": "number 1"}, ["run-1"], id="label-and-text"),
    pytest.param(
        {"labels": (("all", "yes"),), "until": milliseconds(START) + 62_000},
        ["run-1"],
        id="label-and-time",
    ),
    pytest.param({"text": "T-2"}, ["run-2"], id="text-of-inputs"),
    pytest.param({"text": "WAS NUMBER 1"}, ["run-1"], id="text-of-outputs-in-any-case"),
    pytest.param({"text": "100%_"}, ["run-0"], id="text-is-no-pattern"),
    pytest.param({"text": "T_2"}, [], id="underscore-is-itself"),
    pytest.param({"since": milliseconds(START) + 62_000}, ["run-3", "run-2"], id="since"),
    pytest.param({"until": milliseconds(START) + 62_000}, ["run-1", "run-0"], id="until"),
    pytest.param({"cost": 20_000}, ["run-3", "run-2"], id="cost"),
    pytest.param({"limit": 2}, ["run-3", "run-2"], id="limit"),
]


@pytest.fixture(params=[2000, 0], ids=["few-by-uid", "many-in-order"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the rows of a page one by one, or in the order of an index."""
    monkeypatch.setattr(selection, "_FEW", request.param)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_filters(store: Store, query: dict[str, Any], expected: list[str]) -> None:
    """S714"""
    special = {"ticket": "at 100%_ of it"}
    both = [{"all": "yes", "team": f"team-{number}"} for number in (1, 2)]
    keep(
        store,
        finished(0, inputs=special),
        finished(1, labels=both[0]),
        finished(2, labels=both[1]),
        finished(3, namespace="other"),
    )
    assert names(store, **query) == expected


TEXTS = [
    pytest.param('say "yes"', "yes", id="word"),
    pytest.param('say "yes"', 'y "', id="not-there"),
    pytest.param('say "yes"', '\\"yes\\"', id="quotes"),
    pytest.param("a AND b* OR c", "and b* or", id="words-of-a-query-language"),
    pytest.param("a AND b* OR c", "b c", id="not-side-by-side"),
    pytest.param("Straße 7", "STRASSE", id="case-of-two-characters"),
    pytest.param("naïve café", "caf", id="part-of-a-word"),
    pytest.param("naïve café", "cafe", id="accents-count"),
    pytest.param("the 😀 one", "😀", id="one-character"),
    pytest.param("the 😀 one", "e 😀 o", id="beyond-16-bits"),
    pytest.param("日本語のテキスト", "語のテ", id="without-spaces"),
    pytest.param("it's; -- x", "'; --", id="sql"),
    pytest.param("nul\x00 inside", "nul inside", id="nul-is-left-out"),
]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("kept", "asked"), TEXTS)
def test_a_text_is_found_wherever_it_stands(store: Store, kept: str, asked: str) -> None:
    """S714: as Python finds it, whatever index the database has."""
    run = finished(1, inputs={"said": kept})
    keep(store, run, finished(2))
    here = folded(asked) in stored(run)[0].searched
    assert names(store, text=asked) == ["run-1"] * here


def test_the_index_of_texts_follows_the_runs(store: Store) -> None:
    """S712, S715: a later end, and a retention."""
    keep(store, finished(1, at=10, inputs={"said": "early"}), finished(2))
    keep(store, finished(1, at=20, inputs={"said": "later"}, round=2))
    assert (names(store, text="early"), names(store, text="later")) == ([], ["run-1"])
    assert store.delete_archived_before(NOW + 1) == 2
    keep(store, finished(1, inputs={"said": "kept again"}))
    assert (names(store, text="later"), names(store, text="kept again")) == ([], ["run-1"])


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "query",
    [
        pytest.param(Query(text="it was", limit=4), id="text"),
        pytest.param(Query(labels=(("all", "yes"),), limit=4), id="label"),
        pytest.param(Query(cost=0, limit=4), id="cost"),
    ],
)
def test_pages_of_a_filter_have_every_run_once(store: Store, query: Query) -> None:
    """S714: among equal ends too."""
    for number in range(23):
        keep(store, finished(number, at=number // 5, labels={"all": "yes"}))
    rows, after = store.page(query)
    seen = [row["name"] for row in rows]
    while after is not None:
        rows, after = store.page(replace(query, after=after))
        seen += [row["name"] for row in rows]
    order = sorted(range(23), key=lambda number: (number // 5, number), reverse=True)
    assert seen == [f"run-{number}" for number in order]


def test_pages_have_every_run_once(store: Store) -> None:
    """S714: also those with the same end; a run that comes in between moves no page."""
    keep(store, *(finished(number, at=number // 5) for number in range(23)))
    seen: list[str] = []
    rows, after = store.page(Query(limit=4))
    while after is not None:
        seen += [row["name"] for row in rows]
        keep(store, finished(100 + len(seen), at=1000))
        rows, after = store.page(Query(limit=4, after=cursor(str(after))))
    seen += [row["name"] for row in rows]
    assert sorted(seen) == sorted(f"run-{number}" for number in range(23))
    numbers = [int(name.removeprefix("run-")) // 5 for name in seen]
    assert numbers == sorted(numbers, reverse=True), "newest end first"


@pytest.mark.parametrize(
    "token", ["", "x", "1", "1.", "-1.a", ".a", "1." + "a" * 65, "9" * 17 + ".a"]
)
def test_a_token_that_is_none(token: str) -> None:
    with pytest.raises(ValueError, match="continue: expected"):
        cursor(token)


def test_retention(store: Store) -> None:
    """S715"""
    for number in range(5):
        store.put(*stored(finished(number)), now=number)
    assert store.delete_archived_before(3) == 3
    assert store.delete_archived_before(3) == 0
    assert sorted(names(store)) == ["run-3", "run-4"]
    assert store.find("default", "run-0") is None
    assert names(store, labels=(("team", "team-0"),)) == [], "its labels are gone too"


def test_what_is_not_committed_is_not_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """S711: a row never stands without its document."""

    class Crash(Exception):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("waypost.archive.storage.store._put_parts", crash)
        with pytest.raises(Crash):
            store.put(*stored(finished(1)), now=NOW)
    assert store.count() == 0
    keep(store, finished(1))
    assert store.find("default", "run-1") is not None


def test_two_writers_at_the_same_time(opened: Callable[[], Store]) -> None:
    """S711"""
    runs = [stored(finished(number)) for number in range(40)]
    stores = opened(), opened()

    def write(store: Store) -> None:
        for run in runs:
            with contextlib.suppress(IntegrityError):  # PostgreSQL: the other one was first
                store.put(*run, now=NOW)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].count() == 40
    assert all(stores[1].find("default", f"run-{number}") for number in range(40))


def test_a_migration_that_breaks_off_leaves_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S711: the next start makes all tables."""
    crash = "cannot make this index"

    def refuse(*_: object, **__: object) -> None:
        raise DatabaseError(crash)

    with monkeypatch.context() as patched:
        patched.setattr("alembic.op.create_index", refuse)
        with pytest.raises(DatabaseError, match=crash):
            open_database(url)
    open_database(url).dispose()


def test_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    engine = open_database(url)
    with engine.connect() as connection:
        options = {"include_name": lambda name, *_: not str(name).startswith("search_")}
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, METADATA)
    engine.dispose()
    assert found == [], "tables beside those of the index of texts, which SQLite alone has"


@pytest.mark.parametrize("release", ["0001", "0002"])
def test_an_archive_of_an_earlier_release_gets_the_indexes(url: str, release: str) -> None:
    """S714"""
    engine = open_database(url)
    keep(Store(engine), finished(1), finished(2), finished(6))
    with engine.begin() as connection:
        migrate(connection, release)
    engine.dispose()
    engine = open_database(url)
    store = Store(engine)
    keep(store, finished(3))
    found = [names(store, text=f"number {number}") for number in (1, 2, 3)]
    labelled = names(store, labels=(("team", "team-1"),))
    engine.dispose()
    assert found == [["run-1"], ["run-2"], ["run-3"]]
    assert labelled == ["run-6", "run-1"], "in the order of their ends"


@pytest.fixture
def small(url: str) -> Iterator[str]:
    """The same PostgreSQL, by a role that may make tables and no extensions."""
    admin = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with admin.begin() as connection:
        connection.exec_driver_sql("DROP EXTENSION IF EXISTS pg_trgm CASCADE")
        connection.exec_driver_sql("CREATE ROLE small LOGIN")
        connection.exec_driver_sql("GRANT CREATE, USAGE ON SCHEMA public TO small")
    yield url.replace("waypost@", "small@")
    with admin.begin() as connection:
        connection.exec_driver_sql("REASSIGN OWNED BY small TO waypost")
        connection.exec_driver_sql("DROP OWNED BY small")
        connection.exec_driver_sql("DROP ROLE small")
    admin.dispose()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_role_that_may_make_no_extension(small: str, url: str) -> None:
    """S714: a search reads the table, and an administrator can add the index later."""
    engine = open_database(small)
    store = Store(engine)
    keep(store, finished(1), finished(2))
    assert names(store, text="number 2") == ["run-2"]
    admin = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with admin.begin() as connection:
        assert not connection.execute(selection._INDEX_OF_TEXTS).scalar()
        for statement in v0003_order_of_labels._TRIGRAMS:
            connection.exec_driver_sql(statement)
    admin.dispose()
    keep(store, finished(3))
    assert [names(store, text=f"number {number}") for number in (2, 3)] == [["run-2"], ["run-3"]]
    engine.dispose()


def test_a_database_of_a_later_release_is_refused(url: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(DatabaseError, match="of a later release"):
        open_database(url)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param("mysql://u:hunter2@h/d", "expected sqlite:///FILE", id="other-kind"),
        pytest.param("hunter2", "cannot be read", id="no-url"),
        pytest.param("sqlite:////no/such/folder/a.db", "unable to open", id="no-folder"),
        pytest.param("postgresql://u:hunter2@127.0.0.1:1/d", "", id="nobody-listens"),
    ],
)
def test_a_database_that_cannot_be_used(wrong: str, said: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        open_database(wrong)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
