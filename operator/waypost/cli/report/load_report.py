"""Reads a run for a command."""

from waypost.cli.connection.cluster import Session, Target, find_run, with_cluster
from waypost.cli.reading.describe import describe
from waypost.views.models import RunView


def load_report(target: Target, name: str, *, with_traces: bool) -> RunView:
    """Read the run `name` and describe it; `with_traces` also reads the traces of its attempts.

    Raises:
        CommandError: the run does not exist or cannot be read.
    """

    async def work(session: Session) -> RunView:
        return await describe(session, await find_run(session, name), with_traces=with_traces)

    return with_cluster(target, work)
