"""The end of a run beside each of its labels and its cost, so that indexes have what a page with
them needs; and an index of texts for PostgreSQL, where its extension pg_trgm may be used.

The extension comes with PostgreSQL and is trusted: who may create objects in the database may
create it. Where that is not allowed, a search reads the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# docs/history.md has them for administrators.
_TRIGRAMS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX search_runs ON runs USING gin (searched gin_trgm_ops)",
)


def upgrade() -> None:
    """Add the ends and the indexes."""
    op.add_column(
        "labels", sa.Column("finished", sa.BigInteger, nullable=False, server_default="0")
    )
    op.execute(
        "UPDATE labels SET finished = (SELECT finished FROM runs WHERE runs.uid = labels.uid)"
    )
    op.drop_index("labels_value", "labels")
    op.create_index("labels_finished", "labels", ["name", "value", "finished", "uid"])
    op.drop_index("runs_cost", "runs")
    op.create_index("runs_cost", "runs", ["cost", "finished", "uid"])
    if not _is_sqlite():
        _add_trigrams()


def downgrade() -> None:
    """Remove them. The extension stays: others may use it."""
    if not _is_sqlite():
        op.execute("DROP INDEX IF EXISTS search_runs")
    op.drop_index("runs_cost", "runs")
    op.create_index("runs_cost", "runs", ["cost"])
    op.drop_index("labels_finished", "labels")
    op.create_index("labels_value", "labels", ["name", "value", "uid"])
    op.drop_column("labels", "finished")


def _add_trigrams() -> None:
    connection = op.get_bind()
    nested = connection.begin_nested()
    try:
        for statement in _TRIGRAMS:
            connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError:
        nested.rollback()  # it may not be created, or is not installed
    else:
        nested.commit()


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
