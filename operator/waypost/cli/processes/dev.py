"""`waypost dev`: tools for writing and testing workflows."""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.dev.script import ScriptFile

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def dev() -> None:
    """Tools for writing and testing workflows."""


@app.command("model-server")
def model_server(
    script: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Script file. Can be repeated.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on. Use 0.0.0.0 in a container.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on. 0 picks a free port.")
    ] = 8089,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append each request to this file, as one line of JSON."),
    ] = None,
) -> None:
    """Serve scripted answers in place of a model provider.

    Implements the APIs of OpenAI, Anthropic and Google; no model is used. GET /_log lists requests
    and answers, POST /_script adds scripts. docs/testing-agents.md describes the format.
    """
    import uvicorn

    from waypost.dev.journal import Journal
    from waypost.dev.model_server import ModelServer

    scripts = _load(script)
    with ExitStack() as stack:
        try:
            listening = stack.enter_context(socket.create_server((host, port)))
        except OSError as error:
            raise CommandError(f"--port: cannot listen on {host}:{port}: {error}") from error
        try:
            out = stack.enter_context(log.open("a", encoding="utf-8")) if log else None
        except OSError as error:
            raise CommandError(f"--log: {error}", code=Exit.USAGE) from error
        address = f"http://{host}:{listening.getsockname()[1]}"
        typer.echo(_banner(address, sorted(scripts.scripts)))
        config = uvicorn.Config(
            ModelServer(scripts, journal=Journal(out=out)).app(),
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _load(paths: list[Path]) -> "ScriptFile":
    from waypost.dev.script import ScriptError, ScriptFile, load

    merged = ScriptFile.model_construct(scripts={}, api_key=None)
    for path in paths:
        try:
            found = load(path)
        except ScriptError as error:
            raise CommandError(str(error), code=Exit.USAGE) from error
        twice = sorted(merged.scripts.keys() & found.scripts.keys())
        if twice:
            text = f"{path}: the script {twice[0]!r} is also in another file; rename one of them"
            raise CommandError(text, code=Exit.USAGE)
        key = found.api_key or merged.api_key
        merged = ScriptFile(scripts=merged.scripts | found.scripts, api_key=key)
    return merged


def _banner(address: str, names: list[str]) -> str:
    return "\n".join(
        (
            "waypost model server: answers come from scripts, no model is used",
            f"  models     {', '.join(f'scripted/{name}' for name in names)}",
            f"  OpenAI     {address}/v1",
            f"  Anthropic  {address}",
            f"  Google     {address}",
            f"  log        {address}/_log",
        )
    )
