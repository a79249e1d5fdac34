"""Reads a run as a graph."""

from waypost.cli.connection.cluster import Session, Target, find_run, with_cluster
from waypost.cli.connection.definitions import known_definition
from waypost.cli.report.load_report import describe
from waypost.views.documents import RunGraph
from waypost.views.graph import run_graph


def load_graph(target: Target, name: str) -> RunGraph:
    """The graph of the run `name`; without edges if its definition cannot be read.

    Raises:
        CommandError: the run does not exist or cannot be read.
    """

    async def work(session: Session) -> RunGraph:
        run = await find_run(session, name)
        definition, _ = await known_definition(session, run)
        return run_graph(await describe(session, run), definition)

    return with_cluster(target, work)
