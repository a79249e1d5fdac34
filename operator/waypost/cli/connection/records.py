"""NodeRecords that a command reads by name. Not all people may read them, so all are optional."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from waypost.cli.archive.source import Source
from waypost.kube.objects import section, text
from waypost.ports.cluster import ClusterError, Kind, Obj

_AT_ONCE: Final = 8  # concurrent requests


async def record_of(session: Source, run: Obj) -> Obj | None:
    """The NodeRecord of what a run took from its template; None if there is none to read."""
    name = text(section(run, "status", "template"), "record")
    if not name:
        return None
    with suppress(ClusterError):  # without it the kinds of the nodes are not known; all else is
        return await session.cluster.get(Kind.NODE_RECORD, namespace=session.namespace, name=name)
    return None


async def read_records(session: Source, names: Iterable[str]) -> dict[str, Obj]:
    """The NodeRecords with these names, as far as they exist and may be read."""
    turns, found = asyncio.Semaphore(_AT_ONCE), {}

    async def read(name: str) -> None:
        async with turns:
            with suppress(ClusterError):
                found[name] = await session.cluster.get(
                    Kind.NODE_RECORD, namespace=session.namespace, name=name
                )

    await asyncio.gather(*(read(name) for name in sorted(set(names))))
    return found
