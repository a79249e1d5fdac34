"""Reads two runs, and compares them."""

from waypost.cli.connection.cluster import Session, find_run
from waypost.cli.connection.definitions import body
from waypost.cli.reading.describe import describe
from waypost.views.difference import difference
from waypost.views.documents import RunDifference


async def compared(session: Session, name: str, other: str) -> RunDifference:
    """How two runs of the session's namespace differ.

    Raises:
        CommandError: One of them does not exist.
        CannotShow: What one took from its template cannot be read.
        ClusterError: A request failed.
    """
    runs = (await find_run(session, name), await find_run(session, other))
    shown = (await describe(session, runs[0]), await describe(session, runs[1]))
    bodies = (await body(session, runs[0]), await body(session, runs[1]))
    return difference(runs, shown, bodies)
