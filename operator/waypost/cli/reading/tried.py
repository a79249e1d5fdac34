"""Reads two attempts of a node, and compares them."""

from collections.abc import Sequence

from waypost.cli.archive.source import Source
from waypost.cli.connection.records import read_records
from waypost.cli.reading.describe import describe
from waypost.cli.reading.node_values import read_node_io
from waypost.compiler.definition import Definition
from waypost.ports.cluster import Obj
from waypost.views.documents import AttemptsDifference
from waypost.views.run.attempts import attempts_difference, chosen


async def compare_attempts(
    session: Source, run: Obj, definition: Definition, path: str, numbers: Sequence[int]
) -> AttemptsDifference:
    """How two attempts of a node differ; the last two, if `numbers` is empty.

    Raises:
        CannotShow: There is no such node, or the status does not have these attempts.
        ClusterError: A request failed.
    """
    shown = await describe(session, run)
    pair = chosen(shown, path, numbers)
    first, second = [await read_node_io(session, run, definition, one.path) for one in pair]
    records = await read_records(session, [name for one in pair for name in one.records])
    return attempts_difference(shown, path, pair, ios=(first, second), records=records)
