"""The tables of the archive, as the migrations make them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA: Final = MetaData()

RUNS: Final = Table(
    "runs",
    METADATA,
    Column("uid", String(64), primary_key=True),
    Column("namespace", String(253), nullable=False),
    Column("name", String(253), nullable=False),
    Column("phase", String(32), nullable=False),
    Column("template", String(253), nullable=False),
    Column("finished", BigInteger, nullable=False),  # milliseconds since 1970, as the next
    Column("archived", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),  # millionths of a dollar
    Column("searched", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("digest", String(71), nullable=False),
    # A page is read in the order of an index, and filters by time end it.
    Index("runs_finished", "finished", "uid"),
    Index("runs_namespace", "namespace", "finished", "uid"),
    Index("runs_phase", "phase", "finished", "uid"),
    Index("runs_template", "template", "finished", "uid"),
    Index("runs_name", "namespace", "name", "finished"),
    Index("runs_archived", "archived"),
    Index("runs_cost", "cost", "finished", "uid"),
)

LABELS: Final = Table(
    "labels",
    METADATA,
    Column("uid", String(64), ForeignKey("runs.uid", ondelete="CASCADE"), primary_key=True),
    Column("name", String(320), primary_key=True),
    Column("value", String(63), nullable=False),
    Column("finished", BigInteger, nullable=False, server_default="0"),  # as the run has it
    # A page with a label is read in its order.
    Index("labels_finished", "name", "value", "finished", "uid"),
)

# Documents are large: a scan of RUNS must not read them.
DOCUMENTS: Final = Table(
    "documents",
    METADATA,
    Column("uid", String(64), ForeignKey("runs.uid", ondelete="CASCADE"), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
