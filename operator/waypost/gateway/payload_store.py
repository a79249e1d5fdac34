"""Stores payloads once, durably, under a name derived from run, node, round and attempt.

Payloads that expressions may read are always in a NodeRecord, so the operator needs no other store.
Larger payloads go to the object store, if there is one. Its objects are named by digest: two pods
of one attempt cannot overwrite each other, and the NodeRecord says which object counts.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from waypost.api.base import JsonObject
from waypost.api.record import RecordType
from waypost.gateway.authentication import Caller
from waypost.gateway.definitions import definition_of
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import Payload
from waypost.kube import node_records
from waypost.kube.objects import section
from waypost.kube.objects import text as text_of
from waypost.kube.payloads import is_key_of
from waypost.ports.cluster import AlreadyExists, Cluster, Kind, NotFound, Obj
from waypost.protocol import ijson

# Types that the operator always reads itself, and what to do about one that is too large.
_SMALL: Final[dict[str, str]] = {
    "Trace": "send a shorter trace",
    "Calls": "ask for fewer calls at a time",
}
_MORE: Final = "configure an object store for larger payloads (gateway.objectStore in the chart)"


class ObjectError(Exception):
    """The object store failed. The message is the store's."""


class Objects(Protocol):
    """An object store. Every method raises ObjectError; a write is durable once it returns."""

    async def put(self, key: str, body: bytes | bytearray) -> None:
        """Store an object; durable when it returns."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The object in pieces."""
        ...


@dataclass(frozen=True)
class Kept:
    """A stored payload: its digest, its size in bytes and its body in pieces."""

    digest: str
    size: int
    body: AsyncIterator[bytes]


class PayloadStore:
    """The stores of one gateway. `largest`: maximum bytes of an object in the object store."""

    def __init__(self, *, cluster: Cluster, objects: Objects | None, largest: int) -> None:
        self._cluster = cluster
        self._objects = objects
        self._largest = largest

    def limit(self, type_: RecordType) -> int:
        """Maximum size in bytes of a payload of this type."""
        if type_ in _SMALL:
            return node_records.EVALUATED
        return node_records.LARGEST if self._objects is None else self._largest

    def advice(self, type_: RecordType) -> str:
        """What the user can do about a payload above the limit."""
        if type_ in _SMALL:
            return _SMALL[type_]
        return _MORE if self._objects is None else "raise gateway.objectStore.maxBytes in the chart"

    def form_of(self, payload: Payload) -> JsonObject | None:
        """The record's field for a payload; None: use the object store. Slow. Raises Refused."""
        if self._objects is not None and payload.size > node_records.EVALUATED:
            return None
        form = payload.form
        if form is None:
            text = f"{payload.size} bytes, which do not compress to 1 MiB; {_MORE}"
            raise Refused(RefusalReason.TOO_LARGE, text)
        return form

    async def definition(self, caller: Caller) -> JsonObject:
        """As `definition_of`."""
        return await definition_of(self._cluster, caller)

    async def keep(
        self, caller: Caller, type_: RecordType, payload: Payload, form: JsonObject | None
    ) -> bool:
        """Store a payload durably.

        Returns:
            Whether it is new; False if it was stored before.

        Raises:
            Refused: another payload is stored in its place.
            ClusterError, ObjectError: the outcome is unknown.
        """
        if form is None:
            if await self._record(caller, type_) is not None:
                return await self._same(caller, type_, payload)
            form = {"object": await self._put_object(caller, type_, payload)}
        manifest = node_records.manifest(
            type_,
            caller.ref,
            digest=payload.digest,
            size=payload.size,
            form=form,
            owner=caller.owner,
            namespace=caller.pod.namespace,
        )
        try:
            await self._cluster.create(
                Kind.NODE_RECORD, namespace=caller.pod.namespace, body=manifest
            )
        except AlreadyExists:
            return await self._same(caller, type_, payload)
        return True

    async def find(self, caller: Caller, type_: RecordType) -> Kept:
        """The payload of the caller's own attempt. Raises Refused, ClusterError, ObjectError."""
        body = await self._record(caller, type_)
        if body is None:
            text = f"attempt {caller.ref.attempt} of {caller.ref.path} has no {type_.lower()}"
            raise Refused(RefusalReason.NOT_FOUND, text)
        fact = node_records.record_fact(body, limit=0)
        if fact.problem or not fact.is_of(type_, caller.ref):
            raise Refused(
                RefusalReason.DAMAGED,
                f"the content of NodeRecord {fact.name} does not match its name",
            )
        size, spec, ref = fact.payload.size, section(body, "spec"), caller.ref
        key, namespace = text_of(spec, "object"), caller.pod.namespace
        if key and not is_key_of(key, namespace=namespace, run=ref.run, run_uid=ref.run_uid):
            text = f"NodeRecord {fact.name} names an object that is not one of run {ref.run}"
            raise Refused(RefusalReason.DAMAGED, text)
        pieces = self._pieces(spec, fact.name, size)
        return Kept(fact.payload.digest, size, pieces)

    async def _record(self, caller: Caller, type_: RecordType) -> Obj | None:
        name = caller.ref.record_name(type_)
        try:
            return await self._cluster.get(
                Kind.NODE_RECORD, namespace=caller.pod.namespace, name=name
            )
        except NotFound:
            return None

    async def _same(self, caller: Caller, type_: RecordType, payload: Payload) -> bool:
        fact = node_records.record_fact(await self._record(caller, type_), limit=0)
        if not fact.is_of(type_, caller.ref) or fact.payload.digest != payload.digest:
            text = (
                f"another {type_.lower()} of this attempt is already stored and cannot be replaced"
            )
            raise Refused(RefusalReason.OTHER_PAYLOAD, text)
        return False

    async def _put_object(self, caller: Caller, type_: RecordType, payload: Payload) -> str:
        assert self._objects is not None, "form_of chooses the object store only if there is one"
        ref = caller.ref
        numbers = f"{ref.round}-{ref.attempt}-{type_.lower()}"
        digest = payload.digest.removeprefix("sha256:")
        run = f"{caller.pod.namespace}/{ref.run}/{ref.run_uid}"
        key = f"{run}/{ref.path}/{numbers}-{digest}"
        await self._objects.put(key, payload.canonical)
        return key

    async def _pieces(self, spec: dict[str, Any], name: str, size: int) -> AsyncIterator[bytes]:
        if key := text_of(spec, "object"):
            if self._objects is None:
                raise Refused(
                    RefusalReason.UNAVAILABLE,
                    f"NodeRecord {name} needs an object store, and none is configured",
                )
            async for piece in self._objects.read(key):
                yield piece
        elif text := text_of(spec, "compressed"):
            try:
                yield node_records.inflate(text, size)
            except ValueError as error:
                raise Refused(RefusalReason.DAMAGED, f"NodeRecord {name}: {error}") from None
        else:
            yield ijson.canonical(spec.get("data"))
