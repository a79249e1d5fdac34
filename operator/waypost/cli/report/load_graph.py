"""Reads a run as a graph, and as a report with its graph."""

from datetime import UTC, datetime

from waypost.cli.connection.cluster import Session, Target, find_run, with_cluster
from waypost.cli.connection.definitions import known_definition
from waypost.cli.reading.describe import describe
from waypost.cli.report.html.page import page
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


def load_page(target: Target, name: str) -> str:
    """The report of the run `name` with its traces, as HTML. Raises as `load_graph`."""

    async def work(session: Session) -> str:
        run = await find_run(session, name)
        definition, _ = await known_definition(session, run)
        shown = await describe(session, run, with_traces=True)
        return page(shown, run_graph(shown, definition), now=datetime.now(UTC))

    return with_cluster(target, work)
