"""An index of the texts of runs for SQLite, which has none for a text in the middle of another.

FTS5 with trigrams finds a text of three or more characters. Its rows need numbers that stay, and
the row numbers of a table with another primary key do not (VACUUM may change them), so
`search_numbers` has them. Triggers keep both up to date. PostgreSQL reads the table in parallel.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_TABLES = (
    """CREATE TABLE search_numbers (
        number INTEGER PRIMARY KEY,
        uid VARCHAR(64) NOT NULL UNIQUE)""",
    """CREATE VIRTUAL TABLE search_texts
        USING fts5(searched, content='', tokenize='trigram case_sensitive 1')""",
)
_KEPT = (
    "INSERT INTO search_numbers (uid) SELECT uid FROM runs",
    """INSERT INTO search_texts (rowid, searched)
        SELECT number, searched FROM runs JOIN search_numbers USING (uid)""",
)
_TRIGGERS = (
    """CREATE TRIGGER search_added AFTER INSERT ON runs BEGIN
        INSERT INTO search_numbers (uid) VALUES (new.uid);
        INSERT INTO search_texts (rowid, searched)
            SELECT number, new.searched FROM search_numbers WHERE uid = new.uid;
    END""",
    """CREATE TRIGGER search_changed AFTER UPDATE OF searched ON runs BEGIN
        INSERT INTO search_texts (search_texts, rowid, searched)
            SELECT 'delete', number, old.searched FROM search_numbers WHERE uid = old.uid;
        INSERT INTO search_texts (rowid, searched)
            SELECT number, new.searched FROM search_numbers WHERE uid = new.uid;
    END""",
    """CREATE TRIGGER search_removed AFTER DELETE ON runs BEGIN
        INSERT INTO search_texts (search_texts, rowid, searched)
            SELECT 'delete', number, old.searched FROM search_numbers WHERE uid = old.uid;
        DELETE FROM search_numbers WHERE uid = old.uid;
    END""",
)


def upgrade() -> None:
    """Make the index, and add the runs that are there."""
    if _is_sqlite():
        for statement in (*_TABLES, *_KEPT, *_TRIGGERS):
            op.execute(statement)


def downgrade() -> None:
    """Remove the index."""
    if _is_sqlite():
        for name in ("search_added", "search_changed", "search_removed"):
            op.execute(f"DROP TRIGGER {name}")
        for name in ("search_texts", "search_numbers"):
            op.execute(f"DROP TABLE {name}")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
