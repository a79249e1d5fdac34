"""Complete lists that correct the cache.

kopf reports neither the end of its first list nor what was deleted while its watch was down. So
the operator lists for itself: before the first worker starts, and periodically.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from waypost.api import meta
from waypost.kube import objects
from waypost.ports.clock import Clock
from waypost.ports.cluster import Busy, Cluster, Kind, Listing, Obj, Rejected, Unavailable
from waypost.runtime.cache.endpoints import PROBED
from waypost.runtime.cache.ingest import Ingest
from waypost.runtime.cache.newest import version_of_list
from waypost.runtime.cache.others import OtherCaches
from waypost.runtime.cache.runs import Key, RunCache

_TRY_AGAIN: Final = (0.2, 0.5, 1.0)  # seconds before a list that failed is tried again
_LONGEST_PAUSE: Final = 5.0

log = logging.getLogger(__name__)


class Wake(Protocol):
    """Queues a run."""

    def __call__(self, key: Key, *, spare: bool = False) -> None:
        """Queue a run for a pass; with `spare` after all runs that are queued without it."""
        ...


class Resync:
    """Makes the caches equal to the cluster, whatever the watch has missed."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        caches: OtherCaches,
        ingest: Ingest,
        clock: Clock,
        namespaces: tuple[str | None, ...],
        wake: Wake,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._caches = caches
        self._clock = clock
        self._namespaces = namespaces
        self._wake = wake
        self._ingest = ingest
        self._synced_at = clock.monotonic()
        self._expected_since = self._synced_at
        self._refused: dict[str, str] = {}

    @property
    def refused(self) -> int:
        """Number of namespaces of which the API server refused a list in the last resync."""
        return len(self._refused)

    def expect(self) -> None:
        """From now on lists are due at their interval; a standby makes none."""
        self._expected_since = self._clock.monotonic()

    def since_sync(self) -> float:
        """Seconds since the last complete list."""
        return self._clock.monotonic() - self._synced_at

    def overdue(self, interval: float) -> float:
        """The age of the last complete list, if three lists in a row are missing.

        Args:
            interval: Seconds between lists.

        Returns:
            Seconds; 0 when the last list is recent enough, or none was expected.
        """
        age = self._clock.monotonic() - max(self._synced_at, self._expected_since)
        return age if age > 3 * interval + 60 else 0.0

    async def sync(self) -> None:
        """List every watched kind, correct the caches, queue every run.

        A namespace whose lists the API server refuses keeps its cached state and does not stop the
        others.

        Raises:
            ClusterError: A list failed, or the API server refused every namespace.
        """
        started = self._clock.monotonic()
        refusals: dict[str, Rejected] = {}
        for namespace in self._namespaces:
            try:
                await self._sync_namespace(namespace)
            except Rejected as error:
                refusals[namespace or ""] = error
        self._note_refusals(refusals)
        if len(refusals) == len(self._namespaces):
            raise next(iter(refusals.values()))
        self._synced_at = started
        self.wake_all()

    async def _sync_namespace(self, namespace: str | None) -> None:
        """As `sync`, for one namespace. Raises Rejected after it has tried every kind."""
        refusal = None
        news: dict[Key, None] = {}
        try:
            runs = await self._list_into(Kind.AGENT_WORKFLOW, namespace, news)
            pods = await self._list_into(Kind.POD, namespace, news, labels=meta.LABEL_RUN)
            approvals = await self._list_into(Kind.APPROVAL, namespace, news)
            self._store.retain(namespace, runs=runs, pods=pods, approvals=approvals)
        except Rejected as error:
            refusal = error
        finally:
            for key in news:  # the watch will not report again what is in the cache already
                self._wake(key)
        for kind in PROBED:
            try:
                self._caches.endpoints.replace(kind, namespace, await self._list(kind, namespace))
            except Rejected as error:
                refusal = refusal or error
        # Not EventSources: their condition only informs people, and the watch reports them.
        for kind, cache in (
            (Kind.AGENT_WORKFLOW_TEMPLATE, self._caches.templates),
            (Kind.AGENT_WORKFLOW_SCHEDULE, self._caches.schedules),
            (Kind.WORKFLOW_EVENT, self._caches.events),
        ):
            try:
                cache.replace(namespace, await self._list(kind, namespace))
            except Rejected as error:
                refusal = refusal or error
        if refusal is not None:
            raise refusal

    def _note_refusals(self, refusals: dict[str, Rejected]) -> None:
        """Log each namespace once when it is refused, and once when it is served again."""
        for namespace, error in refusals.items():
            if namespace not in self._refused:
                log.error(
                    "the API server refuses lists in a namespace; its runs are not served until "
                    "it allows them: %s",
                    error.message,
                    extra={"namespace": namespace},
                )
        for namespace in self._refused.keys() - refusals.keys():
            log.info("the namespace can be listed again", extra={"namespace": namespace})
        self._refused = {namespace: error.message for namespace, error in refusals.items()}

    async def _list_into(
        self, kind: Kind, namespace: str | None, news: dict[Key, None], *, labels: str = ""
    ) -> tuple[frozenset[str], int]:
        """Put a list into the cache, page by page: thousands of bodies take a hundred megabytes.

        Args:
            kind: Run, pod or Approval.
            namespace: None for all namespaces.
            news: Gets the runs that what is new concerns.
            labels: A label selector.

        Returns:
            The uids in the list, and its resourceVersion.
        """

        def keep(raw: Obj) -> Obj:
            news.update(dict.fromkeys(self._ingest.take(kind, raw, deleted=False)))
            return {"uid": objects.text(objects.section(raw, "metadata"), "uid")}

        listing = await self._list(kind, namespace, labels=labels, keep=keep)
        return frozenset(one["uid"] for one in listing.items), version_of_list(listing)

    async def _list(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        labels: str = "",
        keep: Callable[[Obj], Obj] | None = None,
    ) -> Listing:
        """One list, tried several times.

        A resync makes some lists for every namespace and fails with any of them: when one request
        in ten fails, it would otherwise hardly ever succeed.
        """
        for pause in _TRY_AGAIN:
            try:
                return await self._cluster.list(kind, namespace=namespace, labels=labels, keep=keep)
            except (Busy, Unavailable) as error:
                retry_after = error.retry_after if isinstance(error, Busy) else 0.0
                await asyncio.sleep(max(pause, min(retry_after, _LONGEST_PAUSE)))
        return await self._cluster.list(kind, namespace=namespace, labels=labels, keep=keep)

    def wake_all(self) -> None:
        """Queue every known run, ended ones last.

        The number of ended runs only grows, and a new leader must first continue active ones.
        """
        for uid in self._store.uids():
            key = self._store.last_key(uid)
            if key is not None:
                self._wake(key, spare=self._store.has_ended(uid))
