"""Looks names up for connections to addresses which others name.

A name is resolved once for a connection, and each of its addresses is checked. The connection goes
to one of those, so a name that changes its address gains nothing.
"""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from waypost.kube.egress.addresses import AddressRules


class NotAllowed(OSError):
    """A name has an address that may not be called."""


class CheckedResolver(AbstractResolver):
    """Looks names up, and refuses those with an address that may not be called."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        listed: list[ResolveResult] = []
        for kind, _, proto, _, address in found:
            if problem := self._rules.problem(str(address[0])):
                raise NotAllowed(f"{host}: {problem}")
            listed.append(
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=port,
                    family=kind,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return listed

    async def close(self) -> None:
        """Nothing to close."""


def refusal_in(error: BaseException) -> str:
    """Why the resolver refused the address of a failed connection; "" if it failed otherwise."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotAllowed):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return ""
