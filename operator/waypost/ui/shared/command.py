"""`waypost ui serve`: the web interface in the cluster, with the token of each person."""

import asyncio
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from waypost.cli.errors import CommandError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_SERVER: Final = re.compile(r"https?://[^/?#\s]+/?")
_LOGINS: Final = ("token", "proxy")


@app.command()
def serve(
    login: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="token: people paste a token. proxy: each request has the header Authorization.",
        ),
    ] = "token",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Refuse every request that changes something.")
    ] = False,
    prefix: Annotated[
        str, typer.Option(metavar="PATH", help="Serve below this path, such as /team/waypost.")
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="A name of this server, beside localhost. Can be repeated.",
        ),
    ] = None,
    offer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMESPACE",
            help="Offer this namespace to people who may not list all. Can be repeated.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on. 0 picks a free port.")
    ] = 8080,
    api_server: Annotated[
        str,
        typer.Option(metavar="URL", help="The API server. Default: that of the cluster around it."),
    ] = "",
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its certificate authority. Default: the system's."),
    ] = None,
) -> None:
    """Show runs to many people, each with the rights of the token that they present.

    It uses no credentials of this machine or pod.
    """
    check_address(prefix, allow_host or [])
    if login not in _LOGINS:
        text = f"--login: expected one of {', '.join(_LOGINS)}, found {login!r}"
        raise CommandError(text, code=Exit.USAGE)
    server = api_server or _around()
    if not _SERVER.fullmatch(server):
        text = f"--api-server: expected a URL such as https://10.96.0.1, found {server!r}"
        raise CommandError(text, code=Exit.USAGE)
    if ca_file is not None and not ca_file.is_file():
        raise CommandError(f"--ca-file: {ca_file} does not exist", code=Exit.USAGE)
    from waypost.ui.shared.entrance import Login
    from waypost.ui.shared.server import SharedOptions, SharedServing

    options = SharedOptions(
        server=server,
        ca=ca_file,
        login=Login(login),
        prefix=prefix,
        read_only=read_only,
        hosts=allow_host or (),
        namespaces=offer or (),
    )
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise CommandError(f"--port: cannot listen on {host}:{port}: {error}") from error

    async def work() -> None:
        where = "{}:{}".format(*listening.getsockname()[:2])
        typer.echo(f"waypost ui serve listens on {where}{prefix}/, login: {login}")
        await SharedServing(listening, options).run()

    with listening:
        try:
            asyncio.run(work())
        except KeyboardInterrupt:
            return  # Ctrl-C is how it ends


def _around() -> str:
    """The API server of the cluster in which this process runs. Raises CommandError."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    if not host:
        text = "there is no cluster around this process; name the API server with --api-server"
        raise CommandError(text, code=Exit.USAGE)
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def check_address(prefix: str, hosts: Iterable[str]) -> None:
    """Raises CommandError for a prefix or names that no server can have."""
    if prefix and not _PREFIX.fullmatch(prefix):
        text = f"--prefix: expected a path such as /team/waypost, found {prefix!r}"
        raise CommandError(text, code=Exit.USAGE)
    for host in hosts:
        if not _HOST.fullmatch(host):
            text = f"--allow-host: expected HOST or HOST:PORT, found {host!r}"
            raise CommandError(text, code=Exit.USAGE)
