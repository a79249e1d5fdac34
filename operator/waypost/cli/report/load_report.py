"""Reads a run for a command."""

from waypost.cli.archive.client import Where, locate
from waypost.cli.connection.cluster import Session, Target, with_cluster
from waypost.cli.reading.describe import describe
from waypost.views.models import RunView


def load_report(target: Target, name: str, where: Where, *, with_traces: bool) -> RunView:
    """Read the run `name` and describe it; `with_traces` also reads the traces of its attempts.

    Raises:
        CommandError: the run does not exist or cannot be read.
    """

    async def work(session: Session) -> RunView:
        source, run = await locate(session, target, name, where)
        return await describe(source, run, with_traces=with_traces)

    return with_cluster(target, work)
