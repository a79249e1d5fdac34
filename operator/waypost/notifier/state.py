"""What was delivered, in a ConfigMap that the chart makes: one key for each sink."""

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

from waypost.kube.objects import section, text
from waypost.notifier.core.ledger import Record
from waypost.ports.cluster import Cluster, Conflict, Kind, Obj, PatchType

log = logging.getLogger("waypost.notifier")


class Overwritten(Exception):
    """Another program has written the ConfigMap."""


class State:
    """The ConfigMap. Call `load` first.

    Args:
        cluster: Where.
        namespace: Its namespace.
        name: Its name.
    """

    def __init__(self, *, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster = cluster
        self._namespace, self._name = namespace, name
        self._version = ""
        self._data: Obj = {}

    async def load(self) -> dict[str, Record]:
        """The records by sink. Raises ClusterError."""
        found = await self._cluster.get(Kind.CONFIG_MAP, namespace=self._namespace, name=self._name)
        self._take(found)
        records = {sink: decoded(value) for sink, value in self._data.items()}
        for sink in (sink for sink, record in records.items() if record is None):
            log.error(
                "key %s of ConfigMap %s cannot be read; the sink starts from now", sink, self._name
            )
        return {sink: record for sink, record in records.items() if record is not None}

    async def save(self, records: Mapping[str, Record]) -> None:
        """Replace all records.

        Raises:
            Overwritten: The ConfigMap does not have what this process has read or written.
            ClusterError: The request failed.
        """
        wanted = {sink: encoded(record) for sink, record in records.items()}
        try:
            self._take(await self._patch(wanted))
        except Conflict:
            found = await self._cluster.get(
                Kind.CONFIG_MAP, namespace=self._namespace, name=self._name
            )
            # A write whose answer was lost has the records of then, and no others.
            if section(found, "data") not in (self._data, self._sent):
                text_ = f"ConfigMap {self._name} was written by another program"
                raise Overwritten(text_) from None
            self._take(found)
            self._take(await self._patch(wanted))

    async def _patch(self, wanted: Obj) -> Obj:
        gone = {sink: None for sink in self._data if sink not in wanted}
        self._sent = wanted
        return await self._cluster.patch(
            Kind.CONFIG_MAP,
            namespace=self._namespace,
            name=self._name,
            body={"metadata": {"resourceVersion": self._version}, "data": {**wanted, **gone}},
            patch_type=PatchType.MERGE,
        )

    def _take(self, body: Obj) -> None:
        self._version = text(section(body, "metadata"), "resourceVersion")
        self._data = self._sent = section(body, "data")


def encoded(record: Record) -> str:
    """A record as JSON, in whole seconds but for `until`. They are later for what is delivered, so
    that it is not forgotten too early."""
    fields = {
        "until": record.until,
        "delivered": {id_: math.ceil(at) for id_, at in record.delivered.items()},
        "open": {id_: math.floor(since) for id_, since in record.open.items()},
    }
    return json.dumps(fields, separators=(",", ":"))


def decoded(value: Any) -> Record | None:
    """A record of its JSON; None if it has another form."""
    try:
        fields = json.loads(value)
        times = [{str(k): float(v) for k, v in fields[name].items()} for name in _TIMES]
        return Record(float(fields["until"]), *times)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


_TIMES = ("delivered", "open")
