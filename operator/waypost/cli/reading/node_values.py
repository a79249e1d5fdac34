"""Inputs and output of a node, with the NodeRecords that they need."""

from datetime import UTC, datetime
from typing import Final

from waypost.cli.archive.source import Source
from waypost.cli.connection.records import read_records
from waypost.compiler.definition import Definition
from waypost.ports.cluster import Obj
from waypost.views.documents import NodeIo
from waypost.views.io import needed_records, node_io

_STEPS: Final = 64  # a block of results names the one before it


async def read_node_io(session: Source, run: Obj, definition: Definition, path: str) -> NodeIo:
    """Inputs and output of a node, an item, an iteration, or a compensation.

    Raises:
        CannotShow: The path names nothing in the run, or its status cannot be read.
    """
    now = datetime.now(UTC)
    records: dict[str, Obj | None] = {}
    for _ in range(_STEPS):
        needed = needed_records(run, definition, path, records=records, now=now)
        if not needed:
            break
        records |= dict.fromkeys(needed) | await read_records(session, needed)
    return node_io(run, definition, path, records=records, now=now)
