"""The CA of the webhook in its MutatingWebhookConfiguration: with it the API server verifies who
answers. The chart makes the configuration without a CA, so that no template has to make a key."""

import base64
import logging
from typing import Final

from waypost.gateway.tls.secret import SelfSigned
from waypost.gateway.tls.serving import NoCertificate, Pair
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Cluster, ClusterError, Conflict, Kind, Obj, PatchType, Rejected

_TRIES: Final = 5  # another replica may write at the same time

log = logging.getLogger("waypost.admission")


class Registered:
    """Certificates whose CAs are in a MutatingWebhookConfiguration before they are used.

    Args:
        source: What signs the certificates.
        cluster: Where the configuration is.
        name: Its name.
    """

    # Also how long a configuration that was replaced stays without its CA.
    again_seconds = 60.0

    def __init__(self, source: SelfSigned, *, cluster: Cluster, name: str) -> None:
        self._source, self._cluster, self._name = source, cluster, name

    async def renewed(self) -> Pair | None:
        """A new certificate, if it is due; None if the last one stays.

        Raises:
            NoCertificate: There is none, or the configuration cannot be read or written.
        """
        pair = await self._source.renewed()
        bundle = base64.b64encode(self._source.bundle.encode()).decode()
        try:
            await self._register(bundle)
        except ClusterError as error:
            raise NoCertificate(self._problem(error)) from error
        return pair

    async def _register(self, bundle: str) -> None:
        for left in reversed(range(_TRIES)):
            found = await self._cluster.get(
                Kind.WEBHOOK_CONFIGURATION, namespace=None, name=self._name
            )
            operations = _missing(found, bundle)
            if not operations:
                return
            try:
                await self._write(found, operations)
            except Conflict:
                if not left:
                    raise
                continue
            log.info("MutatingWebhookConfiguration %s has the current CAs", self._name)
            return

    async def _write(self, found: Obj, operations: list[Obj]) -> None:
        version = text(section(found, "metadata"), "resourceVersion")
        # The API server refuses a stale resourceVersion with a Conflict.
        fence = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        await self._cluster.patch(
            Kind.WEBHOOK_CONFIGURATION,
            namespace="",
            name=self._name,
            body=[fence, *operations],
            patch_type=PatchType.JSON,
        )

    def _problem(self, error: ClusterError) -> str:
        where = f"MutatingWebhookConfiguration {self._name}"
        if isinstance(error, Rejected) or error.code == 404:
            return f"{where}: {error}; the chart makes it and the right to it: helm upgrade"
        return f"{where}: {error}"


def _missing(configuration: Obj, bundle: str) -> list[Obj]:
    """What each webhook of the configuration lacks."""
    return [
        {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": bundle}
        for index, webhook in enumerate(items(configuration, "webhooks"))
        if section(webhook, "clientConfig").get("caBundle") != bundle
    ]
