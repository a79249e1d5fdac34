"""The certificate of a running server: new connections get the newest one, without a restart."""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Protocol

_RETRY_SECONDS: Final = 30.0  # after a certificate that could not be had

log = logging.getLogger("waypost.tls")


class Pair(NamedTuple):
    """A certificate with its chain, and its key, both PEM."""

    chain: bytes
    key: bytes


class NoCertificate(Exception):
    """There is no certificate to serve with. The message says why and what to do."""


class Source(Protocol):
    """Where certificates come from. `again_seconds`: how often it is asked."""

    again_seconds: float

    async def renewed(self) -> Pair | None:
        """A new certificate; None if the last one stays. Raises NoCertificate."""


class ServerTls:
    """A TLS context whose certificate can be replaced while it is in use."""

    def __init__(self) -> None:
        self.context = _context()

    def use(self, pair: Pair) -> None:
        """Serve new connections with this certificate.

        Raises:
            NoCertificate: It is none, or the key is that of another one; the last one stays.
        """
        with _files(pair) as (chain, key):
            try:
                # A failure would leave the live context with a certificate and another key.
                _context().load_cert_chain(chain, key)
                self.context.load_cert_chain(chain, key)
            except (ssl.SSLError, ValueError, OSError) as error:
                text = f"the certificate cannot be used: {error}; the key must belong to it"
                raise NoCertificate(text) from None


async def start(source: Source) -> ServerTls:
    """A context with the first certificate of `source`. Raises NoCertificate."""
    tls = ServerTls()
    pair = await source.renewed()
    if pair is None:
        raise NoCertificate("the source of certificates has none")
    tls.use(pair)
    return tls


@asynccontextmanager
async def kept_current(tls: ServerTls | None, source: Source | None) -> AsyncIterator[None]:
    """Renew the certificate until the block ends; nothing without TLS."""
    if tls is None or source is None:
        yield
        return
    task = asyncio.create_task(_renew(tls, source), name="certificate")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _renew(tls: ServerTls, source: Source) -> None:
    pause = source.again_seconds
    while True:
        await asyncio.sleep(pause)
        pause = source.again_seconds
        try:
            if (pair := await source.renewed()) is not None:
                tls.use(pair)
                log.info("a new certificate is in use")
        except NoCertificate as error:
            log.error("the certificate from before stays: %s", error)
            pause = min(pause, _RETRY_SECONDS)
        except Exception:
            log.exception("the certificate from before stays")
            pause = min(pause, _RETRY_SECONDS)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


@contextlib.contextmanager
def _files(pair: Pair) -> Iterator[tuple[str, str]]:
    """The names of files in memory: OpenSSL reads files only, and keys must not be on a disk."""
    with contextlib.ExitStack() as stack:
        names = []
        for content in pair:
            file = os.memfd_create("certificate", os.MFD_CLOEXEC)
            stack.callback(os.close, file)
            os.write(file, content)
            names.append(f"/proc/self/fd/{file}")
        yield names[0], names[1]
