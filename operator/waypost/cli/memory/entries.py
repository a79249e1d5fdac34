"""Reads MemoryEntries, and says what each of them is now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from waypost.api import meta
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.pages import read_list
from waypost.cli.errors import CommandError, Exit
from waypost.kube.memory.entries import Entry, entry
from waypost.kube.memory.names import memory_digest
from waypost.kube.memory.phases import Standing, standings
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind, NotFound, Obj

SHOWN: Final = 10  # names in a message


@dataclass(frozen=True)
class Found:
    """An entry in its namespace, and what it is now."""

    namespace: str
    entry: Entry
    standing: Standing
    body: Obj

    @property
    def name(self) -> str:
        """The name of the object."""
        return self.entry.name


@dataclass(frozen=True)
class Wanted:
    """Which entries of a namespace; "" for any."""

    scope: str = ""
    key: str = ""
    type: str = ""
    run: str = ""

    @property
    def labels(self) -> str:
        """As a label selector, as far as labels can say it."""
        if self.scope and self.key:
            return f"{meta.LABEL_MEMORY}={memory_digest(scope=self.scope, key=self.key)}"
        return ""

    def holds(self, one: Entry) -> bool:
        """Whether this entry is wanted. Labels are hints, the spec decides."""
        spec = one.spec
        return (
            self.scope in ("", spec.scope)
            and self.key in ("", spec.key)
            and self.type in ("", spec.type)
            and self.run in ("", spec.source.run)
        )


async def read_entries(
    session: Session, wanted: Wanted, *, everywhere: bool = False
) -> tuple[list[Found], int]:
    """The entries, the newest first, and how many could not be read.

    Args:
        session: Where to look.
        wanted: Which of them.
        everywhere: In all namespaces.
    """
    bodies, _ = await read_list(
        session,
        Kind.MEMORY_ENTRY,
        lambda body: body,
        everywhere=everywhere,
        labels=wanted.labels,
    )
    found = list(judged(bodies, namespace=session.namespace))
    kept = [one for one in found if wanted.holds(one.entry)]
    kept.sort(key=lambda one: one.entry.age, reverse=True)
    return kept, len(bodies) - len(found)


def judged(bodies: Iterable[Obj], *, namespace: str) -> Iterable[Found]:
    """What each entry is now; those that cannot be read are left out."""
    places: dict[str, dict[str, tuple[Entry, Obj]]] = {}
    for body in bodies:
        read = entry(body)
        if read is not None:
            where = text(section(body, "metadata"), "namespace") or namespace
            places.setdefault(where, {})[read.name] = read, body
    now = datetime.now(UTC)
    for where, held in places.items():
        found = standings((one for one, _ in held.values()), now=now)
        for name, (one, body) in held.items():
            yield Found(where, one, found[name], body)


async def read_entry(session: Session, name: str) -> Found:
    """One entry, judged beside the others of its key.

    Raises:
        CommandError: There is none, or it cannot be read.
    """
    try:
        body = await session.cluster.get(Kind.MEMORY_ENTRY, namespace=session.namespace, name=name)
    except NotFound as error:
        if "could not find the requested resource" in error.message:
            raise
        message = (
            f"no MemoryEntry {name!r} in namespace {session.namespace}; see `waypost memory list`"
        )
        raise CommandError(message, code=Exit.NOT_FOUND) from error
    one = entry(body)
    if one is None:
        text_ = f"this release cannot read the MemoryEntry {name}, and runs do not read it"
        raise CommandError(text_)
    beside, _ = await read_entries(session, Wanted(scope=one.spec.scope, key=one.spec.key))
    found = {each.name: each for each in beside}
    if name not in found:  # its labels are not those of its key
        found |= {each.name: each for each in judged([body], namespace=session.namespace)}
    return found[name]
