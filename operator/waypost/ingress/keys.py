"""The signing secrets and tokens of EventSources: read by name, kept in memory for a short time."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from waypost.api.endpoint import KeyRef
from waypost.kube import objects
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj, Rejected

KEPT_SECONDS: Final = 30.0
_KEPT: Final = 1024

log = logging.getLogger("waypost.ingress")


class Keys:
    """Reads Secrets. One that is missing or may not be read is logged, and gives nothing."""

    def __init__(self, *, cluster: Cluster, monotonic: Callable[[], float]) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._kept: OrderedDict[tuple[str, str], tuple[float, Obj | None]] = OrderedDict()

    async def values(self, namespace: str, refs: Iterable[KeyRef]) -> list[str]:
        """The texts of these keys, without those that cannot be read. Raises ClusterError if the
        API server cannot be reached."""
        found = []
        for ref in refs:
            text = objects.secret_text(await self._secret(namespace, ref.name), ref.key)
            if text:
                found.append(text)
            else:
                about = {"namespace": namespace, "secret": ref.name}
                log.warning("key %s of a Secret cannot be used", ref.key, extra=about)
        return found

    async def _secret(self, namespace: str, name: str) -> Obj | None:
        place = (namespace, name)
        known = self._kept.get(place)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        try:
            body: Obj | None = await self._cluster.get(Kind.SECRET, namespace=namespace, name=name)
        except NotFound:
            body = None
        except Rejected as error:
            if error.code != 403:
                raise
            about = {"namespace": namespace, "secret": name}
            log.warning("the ingress may not read a Secret", extra=about)
            body = None
        self._kept[place] = (self._monotonic() + KEPT_SECONDS, body)
        self._kept.move_to_end(place)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return body
