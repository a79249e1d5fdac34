"""Reads a run as a graph, and as a report with its graph."""

from datetime import UTC, datetime

from waypost.cli.archive.client import CLUSTER, Where, locate
from waypost.cli.archive.source import Source
from waypost.cli.connection.cluster import Session, Target, with_cluster
from waypost.cli.connection.definitions import definition, known_definition
from waypost.cli.reading.describe import describe
from waypost.cli.reading.node_values import read_node_io
from waypost.cli.report.page import page
from waypost.compiler.definition import Definition
from waypost.ports.cluster import Obj
from waypost.views.documents import NodeIo, RunGraph
from waypost.views.errors import CannotShow
from waypost.views.graph import run_graph
from waypost.views.models import NodeView, RunView
from waypost.views.run.report import run_report


def load_graph(target: Target, name: str, where: Where = CLUSTER) -> RunGraph:
    """The graph of the run `name`; without edges if its definition cannot be read.

    Raises:
        CommandError: the run does not exist or cannot be read.
    """

    async def work(session: Session) -> RunGraph:
        source, run = await locate(session, target, name, where)
        definition, _ = await known_definition(source, run)
        return run_graph(await describe(source, run), definition)

    return with_cluster(target, work)


def load_page(target: Target, name: str, where: Where, *, with_values: bool) -> str:
    """The report of the run `name` with its traces, as HTML.

    Args:
        target: Where the run is.
        name: The run.
        where: Whether it is read from the cluster or the archive.
        with_values: Whether it has the inputs and the output of each node.

    Raises:
        CommandError: The run cannot be read, or the page of reports is not installed.
    """

    async def work(session: Session) -> str:
        source, run = await locate(session, target, name, where)
        known, _ = await known_definition(source, run)
        shown = await describe(source, run, with_traces=True)
        values = await _values(source, run, shown) if with_values else None
        graph = run_graph(shown, known)
        return page(run_report(run, shown, graph, values=values, now=datetime.now(UTC)))

    return with_cluster(target, work)


async def _values(session: Source, run: Obj, shown: RunView) -> list[NodeIo]:
    known = await definition(session, run)
    return [await _value(session, run, known, node) for node in shown.nodes]


async def _value(session: Source, run: Obj, known: Definition, node: NodeView) -> NodeIo:
    try:
        return await read_node_io(session, run, known, node.path)
    except CannotShow as error:
        metadata = run["metadata"]
        return NodeIo(
            name=metadata["name"],
            namespace=metadata["namespace"],
            path=node.path,
            kind=node.kind,
            phase=node.phase,
            inputs_note=str(error),
            output_note=str(error),
        )
