"""The CAs of the gateways, in a Secret that the chart makes empty: no right to create is needed."""

import base64
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from waypost.gateway.tls.authorities import (
    Authority,
    Leaf,
    Unreadable,
    advanced,
    from_data,
    new_leaf,
    signer_of,
    to_data,
)
from waypost.gateway.tls.serving import NoCertificate, Pair
from waypost.kube.objects import section, text
from waypost.ports.cluster import Cluster, ClusterError, Conflict, Kind, Obj, PatchType, Rejected

_TRIES: Final = 5  # another replica may write at the same time

log = logging.getLogger("waypost.tls")


class SelfSigned:
    """Certificates that this process signs with a CA of the Secret.

    Args:
        cluster: Where the Secret is.
        namespace: Its namespace.
        name: Its name.
        server: The name in the certificates.
        now: The time.
    """

    again_seconds = 3600.0

    def __init__(
        self,
        *,
        cluster: Cluster,
        namespace: str,
        name: str,
        server: str,
        now: Callable[[], datetime],
    ) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._server, self._now = server, now
        self._leaf: Leaf | None = None
        self.bundle = ""  # the CAs that clients trust, PEM; of the last look at the Secret

    async def renewed(self) -> Pair | None:
        """A new certificate, if it is due or another CA signs; None if the last one stays.

        Raises:
            NoCertificate: The Secret cannot be read or written.
        """
        try:
            authorities = await self._authorities()
        except (ClusterError, Unreadable) as error:
            raise NoCertificate(self._problem(error)) from error
        self.bundle = "".join(each.pem for each in authorities)
        now = self._now()
        signer = signer_of(authorities, now)
        leaf = self._leaf
        if leaf is not None and leaf.authority == signer and now < leaf.renewal:
            return None
        self._leaf = new_leaf(signer, self._server, now)
        return self._leaf.pair

    async def _authorities(self) -> tuple[Authority, ...]:
        for _ in range(_TRIES):
            found = await self._cluster.get(Kind.SECRET, namespace=self._namespace, name=self._name)
            known = from_data(_decoded(found))
            wanted = advanced(known, self._now())
            if wanted == known:
                return wanted
            try:
                await self._write(found, wanted)
            except Conflict:
                continue
            log.info("Secret %s has a new CA, until %s", self._name, wanted[-1].until)
            return wanted
        raise Unreadable("other replicas write it all the time")

    async def _write(self, found: Obj, wanted: tuple[Authority, ...]) -> None:
        version = text(section(found, "metadata"), "resourceVersion")
        data = {
            key: base64.b64encode(value.encode()).decode() for key, value in to_data(wanted).items()
        }
        await self._cluster.patch(
            Kind.SECRET,
            namespace=self._namespace,
            name=self._name,
            body={"metadata": {"resourceVersion": version}, "data": data},
            patch_type=PatchType.MERGE,
        )

    def _problem(self, error: Exception) -> str:
        where = f"Secret {self._name} in namespace {self._namespace}"
        if isinstance(error, Unreadable):
            return f"{where}: {error}; delete its data, and rerun what fails then"
        if isinstance(error, Rejected) and error.code in (403, 404):
            return f"{where}: {error}; the chart makes it and the right to it: helm upgrade"
        return f"{where}: {error}"


def _decoded(secret: Obj) -> dict[str, str]:
    try:
        return {
            key: base64.b64decode(value).decode() for key, value in section(secret, "data").items()
        }
    except (ValueError, TypeError):
        raise Unreadable("its data cannot be decoded") from None
