"""`waypost memory export` and `import`: memory as a file of manifests."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.cli.memory.transfer import Imported
    from waypost.ports.cluster import Obj


def export(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Only entries of this key.")] = "",
    scope: options.Scope = "",
    output: Annotated[str, options.output_of("yaml or json.")] = "yaml",
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Print entries as manifests, for `waypost memory import`.

    Tombstones of forgotten keys are among them. The values can be personal data.
    """
    import json

    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.errors import CommandError, Exit
    from waypost.cli.memory.entries import Wanted, read_entries
    from waypost.cli.memory.transfer import as_yaml, exported
    from waypost.cli.report.format import write

    if output not in ("yaml", "json"):
        raise CommandError(f"--output {output}: expected yaml or json", code=Exit.USAGE)

    async def work(session: "Session") -> "list[Obj]":
        found, _ = await read_entries(session, Wanted(scope=scope, key=key))
        return [exported(one) for one in reversed(found)]

    made = with_cluster(Target(kubeconfig, context, namespace), work)
    if output == "json":
        listed = {"apiVersion": "v1", "kind": "List", "items": made}
        write(json.dumps(listed, indent=2, ensure_ascii=False) + "\n", raw=True)
    else:
        write(as_yaml(made), raw=True)


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="File of entries; - for stdin.")],
    review: Annotated[
        bool, typer.Option("--review", help="All facts have to be accepted again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Create the entries of a file that `waypost memory export` has printed.

    Decisions keep the names of those who made them. Entries that exist, have expired or were
    forgotten in this namespace are left out.
    """
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.memory.transfer import create, plan, read_file
    from waypost.cli.report import format
    from waypost.cli.report.tables import confirm

    manifests = read_file(_text(file), file=file, review=review)
    target = Target(kubeconfig, context, namespace)
    planned = with_cluster(target, lambda session: plan(session, manifests))
    for name, reason in planned.left_out:
        typer.echo(f"left out: {name}: {reason}", err=True)
    entries = format.entries(len(planned.create))
    if dry_run:
        typer.echo(f"{entries} would be created in namespace {planned.namespace}")
        return
    if not planned.create:
        typer.echo("no entries to create")
        return
    confirm(f"Create {entries} in namespace {planned.namespace}?", yes=yes)
    done: Imported = with_cluster(target, lambda session: create(session, planned.create))
    typer.echo(f"{format.entries(done.created)} created")
    if done.existed:
        typer.echo(f"{done.existed:,} exist already", err=True)


def _text(file: str) -> str:
    import sys

    from waypost.cli.errors import CommandError, Exit

    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}", code=Exit.USAGE) from error
