"""How a service with the HTTP server of the gateways starts, serves and ends."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import uvicorn

from waypost import __version__
from waypost.adapters import collector
from waypost.adapters.http import build_app as build_probes
from waypost.adapters.http import serve as serve_probes
from waypost.adapters.logs import configure_logging
from waypost.gateway.server import connections
from waypost.gateway.tls.serving import ServerTls, Source, kept_current
from waypost.settings import ClusterSettings


def run(
    settings: ClusterSettings,
    name: str,
    serve: Callable[[], Coroutine[None, None, None]],
    *,
    log: logging.Logger,
    failures: tuple[type[Exception], ...] = (),
) -> int:
    """Run a service until SIGTERM.

    Args:
        settings: Say how to log.
        name: Its command.
        serve: Serves, and finishes what is in progress when the server ends.
        log: Its log.
        failures: Errors after which it cannot serve. Their messages say why.

    Returns:
        The exit code.
    """
    configure_logging(level=settings.log_level, style=settings.log_format)
    log.info("waypost %s %s starts", name, __version__)
    ignore_sigterm()
    try:
        asyncio.run(serve())
    except failures as error:
        log.critical("stopped: %s", error)
        return 1
    log.info("stopped")
    return 0


def ignore_sigterm() -> None:
    """uvicorn shuts down on the signal and then raises it again; ignore it then."""
    signal.signal(signal.SIGTERM, lambda *_: None)


@asynccontextmanager
async def prepared(
    config: uvicorn.Config,
    *,
    host: str,
    http_port: int,
    exposition: Callable[[str], tuple[bytes, str]],
    plain_port: int = 0,
    tls: ServerTls | None = None,
    source: Source | None = None,
) -> AsyncIterator[connections.Server]:
    """The server of `config`, with probes and metrics at another port while the block lasts.

    Args:
        config: As `connections.uvicorn_config` makes it.
        host: Address of probes and metrics; "" for all.
        http_port: Their port.
        exposition: The metrics, for a header Accept.
        plain_port: A second port without TLS; 0 for none.
        tls: The TLS of `config`; None without.
        source: Where its next certificates come from.
    """
    server = connections.Server(config, plain_port=plain_port)
    probes = build_probes(probed=connections.Serving(server), metrics=exposition)
    collector.begin()
    async with serve_probes(probes, host=host, port=http_port), kept_current(tls, source):
        yield server
