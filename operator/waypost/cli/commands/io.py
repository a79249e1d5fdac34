"""`waypost io`: inputs and output of a node, beside their schemas."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.documents import NodeIo

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def io(
    run: options.Run,
    node: Annotated[
        str, typer.Argument(metavar="NODE", help="Node, item (scan/3), iteration or compensation.")
    ],
    schemas: Annotated[
        bool, typer.Option("--schemas", help="Print inputSchema and outputSchema too.")
    ] = False,
    namespace: options.Namespace = None,
    output: options.Document = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show the inputs and the output of a node.

    The inputs are evaluated again and compared with the recorded digest. Large outputs are read
    from NodeRecords, which requires the role waypost-view-payloads.
    """
    from waypost.api.paths import node_of
    from waypost.cli.connection.cluster import Target, find_run, with_cluster
    from waypost.cli.connection.definitions import definition
    from waypost.cli.errors import no_node
    from waypost.cli.reading.node_values import read_node_io
    from waypost.cli.report.output import emit, form_of

    form = form_of(output, named=False)

    async def work(session: "Session") -> "NodeIo":
        found = await find_run(session, run)
        known = await definition(session, found)
        if node_of(node) not in known.graph.nodes:
            raise no_node(run, node, known.graph.order)
        return await read_node_io(session, found, known, node)

    shown = with_cluster(Target(kubeconfig, context, namespace), work)
    if form.for_programs:
        emit(form, shown.to_json())
        return
    _print(shown, schemas=schemas)


def _print(shown: "NodeIo", *, schemas: bool) -> None:
    from waypost.cli.report import format

    why = ": ".join(part for part in (shown.reason, shown.message) if part)
    _say(f"{shown.path}  {shown.kind}  {shown.phase}  {format.tame(why, limit=1000)}".rstrip())
    _say("")
    _say("inputs" if shown.same is not False else "inputs (others than the recorded ones)")
    _value(shown.inputs, known=shown.inputs is not None, note=shown.inputs_note)
    if schemas and shown.input_schema is not None:
        _say("inputSchema")
        _value(shown.input_schema, known=True, note=None)
    _say("output")
    _value(shown.output, known=shown.has_output, note=shown.output_note)
    for violation in shown.violations:
        _say(f"  does not match outputSchema: {format.tame(violation)}")
    if schemas and shown.output_schema is not None:
        _say("outputSchema")
        _value(shown.output_schema, known=True, note=None)
    if shown.tail:
        _say("end of its log")
        for line in shown.tail.splitlines():
            _indented(line, limit=1000)


def _value(value: Any, *, known: bool, note: str | None) -> None:
    import json

    from waypost.cli.report import format

    if not known:
        _say(f"  {format.tame(note or 'not known', limit=1000)}")
        return
    for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines():
        _indented(line, limit=100_000)


def _indented(line: str, *, limit: int) -> None:
    """Print a line of foreign text below a heading; it keeps up to 100 columns of indentation."""
    from waypost.cli.report import format

    indent = min(len(line) - len(line.lstrip(" ")), 100)
    _say(f"  {' ' * indent}{format.tame(line, limit=limit)}")


def _say(line: str) -> None:
    typer.echo(line)
