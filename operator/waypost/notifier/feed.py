"""One list and one watch for each kind. Nothing of an object is kept."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from waypost.adapters.kube import Change, Page
from waypost.kube.objects import section, text
from waypost.ports.cluster import ClusterError, Kind, Obj, Rejected, failure_text

_PAGE: Final = 100  # runs are large
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0

log = logging.getLogger("waypost.notifier")


class Reader(Protocol):
    """The part of `adapters.kube.KubeCluster` that a feed uses."""

    async def page(self, kind: Kind, *, namespace: str | None, limit: int, token: str) -> Page:
        """One page of a list. Raises ClusterError."""
        ...

    def watch(self, kind: Kind, *, namespace: str | None, version: str) -> AsyncIterator[Change]:
        """The changes after a version, until the API server ends the watch. Raises ClusterError."""
        ...


class Feed:
    """Passes on all objects of a kind, and then each change.

    Args:
        reader: The API server.
        kind: The kind.
        namespace: None for all.
        exists: Called with an object that exists.
        gone: Called with an object that was deleted.
        now: Seconds since 1970.

    Attributes:
        heard: All that existed at this time was passed on; None before the first list.
    """

    def __init__(
        self,
        reader: Reader,
        kind: Kind,
        namespace: str | None,
        *,
        exists: Callable[[Kind, Obj], None],
        gone: Callable[[Kind, Obj], None],
        now: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._kind = kind
        self._namespace = namespace
        self._exists = exists
        self._gone = gone
        self._now = now
        self.heard: float | None = None

    async def run(self) -> None:
        """List and watch, until cancelled."""
        pause, problem = _FIRST_PAUSE, ""
        while True:
            try:
                version = await self._list()
                pause, problem = _FIRST_PAUSE, ""
                await self._watch(version)
            except ClusterError as error:
                if isinstance(error, Rejected) and error.code == 410:
                    await asyncio.sleep(_FIRST_PAUSE)
                    continue  # the version is too old: list again
                said = failure_text(error)
                if said != problem:
                    about = {"kind": self._kind.kind, "namespace": self._namespace}
                    log.warning("objects cannot be read: %s", said, extra=about)
                problem = said
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _list(self) -> str:
        """Read all pages. Returns the version to watch from: that of the first page."""
        started = self._now()
        version, token = "", ""
        while True:
            page = await self._reader.page(
                self._kind, namespace=self._namespace, limit=_PAGE, token=token
            )
            version, token = version or page.resource_version, page.token
            for body in page.items:
                self._exists(self._kind, body)
            if not token:
                self.heard = started
                return version

    async def _watch(self, version: str) -> None:
        while True:
            async for change in self._reader.watch(
                self._kind, namespace=self._namespace, version=version
            ):
                version = text(section(change.object, "metadata"), "resourceVersion") or version
                if change.type == "DELETED":
                    self._gone(self._kind, change.object)
                elif change.type != "BOOKMARK":
                    self._exists(self._kind, change.object)
                self.heard = self._now()
            await asyncio.sleep(_FIRST_PAUSE)  # a server that ends every watch at once
