"""The `waypost` program: finds and runs a command, and turns its errors into exit codes.

COMMANDS names the module of each command and, after a colon, its typer app (default: `app`). The
module is imported when its command is called (or listed by --help), so `waypost lint` never pays
for kopf. Large libraries are imported inside the command's function.
"""

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from waypost import __version__
from waypost.cli.errors import CommandError, Exit
from waypost.protocol.text import printable
from waypost.views.errors import CannotShow

COMMANDS: Final[Mapping[str, str]] = {
    "list": "waypost.cli.commands.list",
    "get": "waypost.cli.commands.get",
    "trace": "waypost.cli.commands.trace",
    "io": "waypost.cli.commands.io",
    "logs": "waypost.cli.commands.logs",
    "cost": "waypost.cli.commands.cost",
    "diff": "waypost.cli.commands.diff",
    "graph": "waypost.cli.commands.graph",
    "schedules": "waypost.cli.commands.schedules",
    "deliveries": "waypost.cli.commands.deliveries",
    "approvals": "waypost.cli.commands.approvals",
    "memory": "waypost.cli.memory.app",
    "download": "waypost.cli.commands.download",
    "ui": "waypost.ui.command",
    "mcp": "waypost.mcp.command",
    "approve": "waypost.cli.actions.answer:approve",
    "deny": "waypost.cli.actions.answer:deny",
    "run": "waypost.cli.actions.run",
    "send": "waypost.cli.actions.send",
    "backfill": "waypost.cli.actions.backfill",
    "rerun": "waypost.cli.actions.rerun",
    "fork": "waypost.cli.actions.fork",
    "suspend": "waypost.cli.actions.switches:suspend",
    "resume": "waypost.cli.actions.switches:resume",
    "cancel": "waypost.cli.actions.switches:cancel",
    "cleanup": "waypost.cli.actions.cleanup",
    "provider": "waypost.cli.actions.provider",
    "lint": "waypost.cli.lint.command",
    "doctor": "waypost.cli.tools.doctor",
    "schema": "waypost.cli.tools.schema",
    "completion": "waypost.cli.tools.completion",
    "dev": "waypost.cli.processes.dev",
    "operator": "waypost.cli.processes.operator",
    "gateway": "waypost.cli.processes.gateway",
    "model-gateway": "waypost.cli.processes.model_gateway",
    "admission": "waypost.cli.processes.admission",
    "ingress": "waypost.cli.processes.ingress",
    "archive": "waypost.cli.processes.archive",
    "notifier": "waypost.cli.processes.notifier",
    "uninstall": "waypost.cli.processes.uninstall",
}
# Old names, which work for one more release.
HIDDEN: Final[Mapping[str, str]] = {"runs": "list"}


class LazyGroup(TyperGroup):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands, without importing any."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, imported now; None if there is none."""
        cmd_name = HIDDEN.get(cmd_name, cmd_name)
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            module, _, name = COMMANDS[cmd_name].partition(":")
            command = get_command(getattr(import_module(module), name or "app"))
            command.name = cmd_name
            self.commands[cmd_name] = command
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments begin with. A name that is none gets the nearest ones."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = get_close_matches(name, self.list_commands(ctx), n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else "See `waypost --help`."
            ctx.fail(f"No such command {name!r}. {hint}")
        return super().resolve_command(ctx, args)


def _print_version(given: bool) -> None:
    if given:
        typer.echo(__version__)
        raise typer.Exit


# Plain help: the same text on a terminal, in a log and in the docs.
app = typer.Typer(
    cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True
)


@app.callback()
def waypost(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Durable AI-agent workflows on Kubernetes."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments without the program's name; default: those of this process.

    Returns:
        The exit code, one of `errors.Exit`.
    """
    try:
        get_command(app).main(args=argv, prog_name="waypost")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.FAILED
    except CommandError as error:
        print(f"waypost: {printable(str(error))}", file=sys.stderr)
        return error.code
    except CannotShow as error:
        print(f"waypost: {printable(str(error))}", file=sys.stderr)
        return Exit.FAILED
    return Exit.OK
