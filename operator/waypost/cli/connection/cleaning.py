"""Finds runs that ended long ago, and deletes them as they were found."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from waypost.cli.connection.cluster import Session
from waypost.cli.connection.pages import read_list
from waypost.kube.facts.runs import tracked_by_git
from waypost.kube.objects import section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Conflict, Kind, NotFound, Obj

_AT_ONCE: Final = 8  # concurrent requests


@dataclass(frozen=True)
class Old:
    """A run that has ended, in the version in which it was found."""

    name: str
    namespace: str
    uid: str
    version: str
    phase: str
    finished_at: str
    tracked: bool


async def find_old(
    session: Session, *, seconds: float, phases: list[str], labels: str, everywhere: bool
) -> tuple[list[Old], int]:
    """The runs that ended longer than `seconds` ago, oldest first, and how many are tracked by Git.

    Args:
        session: Where to look.
        seconds: How long ago they ended at least.
        phases: Only these phases; empty for all.
        labels: A label selector.
        everywhere: In all namespaces.
    """
    now = datetime.now(UTC)

    def old(run: Obj) -> Old | None:
        metadata, status = section(run, "metadata"), section(run, "status")
        ended = parse_timestamp(text(status, "finishedAt"))
        # A run whose spec requests a round that has not begun is about to continue.
        requested, round_ = section(run, "spec", "rerun").get("round"), status.get("round", 1)
        continues = isinstance(requested, int) and requested > round_
        if ended is None or continues or (now - ended).total_seconds() < seconds:
            return None
        if section(run, "spec", "parent") or metadata.get("deletionTimestamp"):
            return None
        if phases and text(status, "phase") not in phases:
            return None
        return Old(
            name=text(metadata, "name"),
            namespace=text(metadata, "namespace"),
            uid=text(metadata, "uid"),
            version=text(metadata, "resourceVersion"),
            phase=text(status, "phase"),
            finished_at=text(status, "finishedAt"),
            tracked=tracked_by_git(run),
        )

    listed, _ = await read_list(
        session, Kind.AGENT_WORKFLOW, old, everywhere=everywhere, labels=labels
    )
    found = sorted((one for one in listed if one is not None), key=lambda one: one.finished_at)
    kept = [one for one in found if not one.tracked]
    return kept, len(found) - len(kept)


async def delete(session: Session, found: list[Old]) -> int:
    """Delete the runs, unless they have changed since. Returns how many were left."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def remove(old: Old) -> bool:
        async with turns:
            with suppress(NotFound):
                try:
                    await session.cluster.delete(
                        Kind.AGENT_WORKFLOW,
                        namespace=old.namespace,
                        name=old.name,
                        uid=old.uid,
                        resource_version=old.version,
                    )
                except Conflict:
                    return True
        return False

    return sum(await asyncio.gather(*(remove(old) for old in found)))
