"""Forgets a key: a tombstone first, then the entries, then the copies in records of runs."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from waypost.api import meta
from waypost.api.memory.model import FORGOTTEN_DAYS
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.pages import read_list
from waypost.cli.errors import CommandError, Exit
from waypost.cli.memory.entries import SHOWN, Found, Wanted, read_entries
from waypost.kube.memory.names import entry_labels, forgotten_name
from waypost.kube.objects import section, text
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import AlreadyExists, ClusterError, Kind, NotFound, Obj

_AT_ONCE: Final = 8  # concurrent requests
# Of the operator's clock. An entry of a later time was made by hand, and must not forget the
# future.
_SKEW: Final = timedelta(minutes=5)
_OF_MEMORY: Final = re.compile(r"-(memory|remember)-[0-9a-f]{10}\Z")


@dataclass(frozen=True)
class Holder:
    """A run whose snapshot is of the key, and the names of its records of memory."""

    name: str
    uid: str
    phase: str
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copies:
    """The runs that have copies. `note`: why their records are not known."""

    runs: list[Holder] = field(default_factory=list)
    note: str = ""


async def scope_of(session: Session, key: str, given: str) -> str:
    """The scope that is meant: the one that is given, else the only one that has this key.

    Raises:
        CommandError: There is no entry of this key, or there are several scopes.
    """
    if given:
        return given
    found, _ = await read_entries(session, Wanted(key=key))
    scopes = sorted({one.entry.spec.scope for one in found})
    if len(scopes) == 1:
        return scopes[0]
    if scopes:
        named = ", ".join(scopes[:SHOWN])
        text_ = f"several workflows remember key {key!r}: {named}; choose one with --scope"
        raise CommandError(text_, code=Exit.USAGE)
    text_ = (
        f"nothing is remembered of key {key!r} in namespace {session.namespace}; to forget what a "
        "run in progress is about to write, name the workflow with --scope"
    )
    raise CommandError(text_, code=Exit.NOT_FOUND)


async def remembered(session: Session, *, scope: str, key: str) -> list[Found]:
    """All entries of the key but those that say that it was forgotten."""
    found, _ = await read_entries(session, Wanted(scope=scope, key=key))
    return [one for one in found if one.entry.spec.type != "Forgotten"]


async def begin(session: Session, *, scope: str, key: str) -> str:
    """Create the entry that says that everything of the key until now is forgotten.

    Its time is that of the API server, and not before that of any entry: the clock of this machine
    or of the operator may be wrong.

    Returns:
        Its name.
    """
    listed = await remembered(session, scope=scope, key=key)
    now = await session.cluster.server_time() + timedelta(seconds=1)
    at = max([now, *(one.entry.at for one in listed if one.entry.at < now + _SKEW)])
    body = manifest(scope=scope, key=key, at=at)
    name = str(body["metadata"]["name"])
    with suppress(AlreadyExists):  # of the same time, and so with the same effect
        await session.cluster.create(Kind.MEMORY_ENTRY, namespace=session.namespace, body=body)
    return name


def manifest(*, scope: str, key: str, at: datetime) -> Obj:
    """The entry of type Forgotten."""
    spec = {
        "scope": scope,
        "key": key,
        "type": "Forgotten",
        "source": {"at": timestamp(at)},
        "expiresAt": timestamp(at + timedelta(days=FORGOTTEN_DAYS)),
    }
    metadata = {
        "name": forgotten_name(scope=scope, key=key, at=at),
        "labels": entry_labels(scope=scope, key=key, type_="Forgotten"),
    }
    kind = meta.MEMORY_ENTRY
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}


async def delete_entries(session: Session, *, scope: str, key: str) -> int:
    """Delete all entries of the key. Returns how many."""
    found = await remembered(session, scope=scope, key=key)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def remove(one: Found) -> None:
        async with turns:
            with suppress(NotFound):
                await session.cluster.delete(
                    Kind.MEMORY_ENTRY,
                    namespace=one.namespace,
                    name=one.name,
                    uid=one.entry.uid or None,
                )

    await asyncio.gather(*(remove(one) for one in found))
    return len(found)


async def copies(session: Session, *, scope: str, key: str) -> Copies:
    """The runs whose status names a snapshot of this key, and their records of memory."""

    def holder(run: Obj) -> Holder | None:
        metadata, status = section(run, "metadata"), section(run, "status")
        memory = section(status, "memory")
        if text(memory, "key") != key or text(memory, "scope") != scope:
            return None
        return Holder(text(metadata, "name"), text(metadata, "uid"), text(status, "phase"))

    listed, _ = await read_list(session, Kind.AGENT_WORKFLOW, holder)
    runs = [one for one in listed if one is not None]
    try:
        return Copies([await _with_records(session, one) for one in runs])
    except ClusterError as error:
        if error.code != 403:
            raise
        note = f"their records are not known: {error.message}"
        return Copies(runs, f"{note}; the chart's role waypost-memory-keeper lets you read them")


async def _with_records(session: Session, run: Holder) -> Holder:
    found = await session.cluster.list(
        Kind.NODE_RECORD,
        namespace=session.namespace,
        labels=f"{meta.LABEL_RUN}={run.uid}",
        metadata_only=True,
    )
    names = (text(section(one, "metadata"), "name") for one in found.items)
    records = tuple(sorted(name for name in names if _OF_MEMORY.search(name)))
    return Holder(run.name, run.uid, run.phase, records)


async def delete_records(session: Session, held: Copies) -> int:
    """Delete the snapshots of these runs, and what they have yet to write. Returns how many."""
    names = [name for run in held.runs for name in run.records]
    for name in names:
        with suppress(NotFound):
            await session.cluster.delete(Kind.NODE_RECORD, namespace=session.namespace, name=name)
    return len(names)
