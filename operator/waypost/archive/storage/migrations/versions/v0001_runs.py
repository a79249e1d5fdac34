"""Runs, their labels and their documents."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "runs",
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.Column("template", sa.String(253), nullable=False),
        sa.Column("finished", sa.BigInteger, nullable=False),
        sa.Column("archived", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("searched", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
    )
    op.create_index("runs_finished", "runs", ["finished", "uid"])
    op.create_index("runs_namespace", "runs", ["namespace", "finished", "uid"])
    op.create_index("runs_phase", "runs", ["phase", "finished", "uid"])
    op.create_index("runs_template", "runs", ["template", "finished", "uid"])
    op.create_index("runs_name", "runs", ["namespace", "name", "finished"])
    op.create_index("runs_archived", "runs", ["archived"])
    op.create_index("runs_cost", "runs", ["cost"])
    op.create_table(
        "labels",
        sa.Column("uid", sa.String(64), _run(), primary_key=True),
        sa.Column("name", sa.String(320), primary_key=True),
        sa.Column("value", sa.String(63), nullable=False),
    )
    op.create_index("labels_value", "labels", ["name", "value", "uid"])
    op.create_table(
        "documents",
        sa.Column("uid", sa.String(64), _run(), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Remove the tables, with all that they hold."""
    for name in ("documents", "labels", "runs"):
        op.drop_table(name)


def _run() -> sa.ForeignKey:
    return sa.ForeignKey("runs.uid", ondelete="CASCADE")
