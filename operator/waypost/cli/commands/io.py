"""`waypost io`: inputs and output of a node, beside their schemas."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.documents import AttemptsDifference, NodeIo

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
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare the last two attempts instead.")
    ] = False,
    attempts: Annotated[
        str,
        typer.Option(metavar="FIRST,SECOND", help="Compare these two attempts, of any rounds."),
    ] = "",
    namespace: options.Namespace = None,
    output: options.Document = "text",
    archived: options.Archived = False,
    archive: options.Archive = "",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show the inputs and the output of a node.

    The inputs are evaluated again and compared with the recorded digest. Large outputs are read
    from NodeRecords, which requires the role waypost-view-payloads. --compare and --attempts show
    how two attempts of a node differ.
    """
    from waypost.api.paths import node_of
    from waypost.cli.archive.client import Where, locate
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.connection.definitions import definition
    from waypost.cli.errors import no_node
    from waypost.cli.reading.node_values import read_node_io
    from waypost.cli.reading.tried import compare_attempts
    from waypost.cli.report.attempts import print_attempts
    from waypost.cli.report.output import emit, form_of
    from waypost.views.documents import NodeIo

    form = form_of(output, named=False)
    numbers = _numbers(attempts)
    target, where = Target(kubeconfig, context, namespace), Where(archive, archived)

    async def work(session: "Session") -> "NodeIo | AttemptsDifference":
        source, found = await locate(session, target, run, where)
        known = await definition(source, found)
        if node_of(node) not in known.graph.nodes:
            raise no_node(run, node, known.graph.order)
        if compare or numbers:
            return await compare_attempts(source, found, known, node, numbers)
        return await read_node_io(source, found, known, node)

    shown = with_cluster(target, work)
    if form.for_programs:
        emit(form, shown.to_json())
    elif isinstance(shown, NodeIo):
        _print(shown, schemas=schemas)
    else:
        print_attempts(shown)


def _numbers(given: str) -> list[int]:
    """The numbers of two attempts; empty for "". Raises CommandError."""
    from waypost.cli.errors import CommandError, Exit

    parts = given.split(",") if given else []
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal()]
    if given and (len(numbers) != 2 or len(parts) != 2):
        text = f"--attempts {given!r:.40}: expected two numbers, such as 1,3"
        raise CommandError(text, code=Exit.USAGE)
    return numbers


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
