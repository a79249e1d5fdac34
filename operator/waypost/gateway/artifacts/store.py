"""Where artifacts are: small ones in their NodeRecord, the others in the object store.

In the object store an artifact is a sequence of objects of 8 MiB, its parts. Each is written whole,
so a gateway that dies leaves no unfinished upload. The record is created after the last part: an
artifact without a record does not exist, and its parts are swept.
"""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject
from waypost.gateway.artifacts.incoming import Incoming
from waypost.gateway.artifacts.pins import Pinned
from waypost.gateway.authentication import Caller
from waypost.gateway.payload_store import Objects
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.kube import node_records, objects
from waypost.kube.facts.children import root_uid
from waypost.kube.payloads import RecordFact, is_key_of
from waypost.ports.cluster import AlreadyExists, Cluster, Kind, NotFound, Obj
from waypost.protocol.artifacts.request import Content

PART: Final = 8 * 1024 * 1024
# Compressed bytes that a record can hold, with and without an object store.
_ROOM: Final = 1024 * 1024
_ROOM_BESIDE: Final = 64 * 1024
_ADVICE: Final = "configure an object store for larger artifacts (gateway.objectStore in the chart)"


@dataclass(frozen=True)
class Body:
    """A stored artifact: its content, and its gzip in pieces."""

    content: Content
    size: int  # bytes of the gzip
    pieces: AsyncIterator[bytes]


class ArtifactStore:
    """The artifacts of one gateway. `objects_` is None without an object store."""

    def __init__(self, *, cluster: Cluster, objects_: Objects | None) -> None:
        self._cluster = cluster
        self._objects = objects_

    @property
    def room(self) -> int | None:
        """Maximum compressed bytes of an artifact; None: no limit, because of an object store."""
        return _ROOM if self._objects is None else None

    async def stored(self, caller: Caller, name: str, content: Content) -> bool:
        """Whether this attempt has stored that content already. Raises Refused if it has stored
        another one."""
        fact = await self._fact(caller, name)
        if fact is None:
            return False
        if fact.payload.digest != content.digest or not fact.is_of("Artifact", caller.ref):
            text = f"another artifact {name} of this attempt is stored and cannot be replaced"
            raise Refused(RefusalReason.OTHER_PAYLOAD, text)
        return True

    async def keep(self, caller: Caller, name: str, content: Content, incoming: Incoming) -> "Kept":
        """Store what arrives, all but its record.

        Raises:
            Refused: It is not the announced content, or too large.
            ObjectError: The object store failed.
        """
        size, parts = 0, 0
        first: bytes | bytearray = b""
        room = _ROOM if self._objects is None else _ROOM_BESIDE
        key = _key(caller, name, content)
        async for piece in incoming.pieces(PART):
            size += len(piece)
            if self._objects is None:
                if size > room:
                    text = f"artifact {name} has more than {room} bytes after compression"
                    raise Refused(RefusalReason.TOO_LARGE, f"{text}; {_ADVICE}")
                first = piece
            elif size <= room:  # the only piece
                first = piece
            else:
                await self._objects.put(f"{key}/{parts:06}", piece)
                parts += 1
        if not parts:
            return Kept({"compressed": base64.b64encode(first).decode()}, {"compressedBytes": size})
        return Kept({"object": key}, {"compressedBytes": size, "parts": parts})

    async def record(self, caller: Caller, name: str, content: Content, kept: "Kept") -> bool:
        """Create the record, from which on the artifact exists.

        Returns:
            Whether it is new; False if another try has created it.

        Raises:
            Refused: Another artifact is in its place.
            ClusterError: The outcome is unknown.
        """
        manifest = node_records.artifact(
            caller.ref,
            name,
            content,
            place=kept.place,
            form=kept.form,
            owner=caller.owner,
            namespace=caller.pod.namespace,
        )
        try:
            await self._cluster.create(
                Kind.NODE_RECORD, namespace=caller.pod.namespace, body=manifest
            )
        except AlreadyExists:
            if await self.stored(caller, name, content):
                return False
            raise
        return True

    async def find(self, caller: Caller, pinned: Pinned) -> Body:
        """An artifact of the caller's tree of runs, with the digest that the operator pinned.

        Raises:
            Refused: It does not exist, or is another one.
            ClusterError: The API server failed.
        """
        body = await self._get(caller, pinned.record)
        fact = node_records.record_fact(body, limit=0) if body is not None else None
        if body is None or fact is None:
            raise Refused(RefusalReason.NOT_FOUND, f"NodeRecord {pinned.record} does not exist")
        right = (fact.type, fact.owner_uid, fact.payload.digest) == (
            "Artifact",
            fact.run_uid,
            pinned.digest,
        )
        if fact.problem or not right or not await self._same_tree(caller, body, fact):
            text = f"NodeRecord {pinned.record} does not hold the artifact that was pinned"
            raise Refused(RefusalReason.DAMAGED, text)
        spec = objects.section(body, "spec")
        place, key = objects.section(spec, "artifact"), objects.text(spec, "object")
        run, namespace = objects.text(spec, "run"), caller.pod.namespace
        if key and not is_key_of(key, namespace=namespace, run=run, run_uid=fact.run_uid):
            text = f"NodeRecord {fact.name} names an object that is not one of run {run}"
            raise Refused(RefusalReason.DAMAGED, text)
        content = Content(fact.payload.digest, fact.payload.size, fact.files)
        size = place.get("compressedBytes")
        return Body(content, size if isinstance(size, int) else 0, self._pieces(spec, place))

    async def _same_tree(self, caller: Caller, record: Obj, fact: RecordFact) -> bool:
        """Whether a record is of the caller's run, or of a run with the same root."""
        if fact.run_uid == caller.ref.run_uid:
            return True
        name = objects.text(objects.section(record, "spec"), "run")
        try:
            run = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=caller.pod.namespace, name=name
            )
        except NotFound:
            return False
        uid = objects.text(objects.section(run, "metadata"), "uid")
        return uid == fact.run_uid and root_uid(run) == root_uid(caller.run)

    async def _pieces(self, spec: JsonObject, place: JsonObject) -> AsyncIterator[bytes]:
        key = objects.text(spec, "object")
        if not key:
            yield base64.b64decode(objects.text(spec, "compressed"))
            return
        if self._objects is None:
            text = "the artifact is in an object store, and none is configured"
            raise Refused(RefusalReason.UNAVAILABLE, text)
        for part in range(place.get("parts") or 0):
            async for piece in self._objects.read(f"{key}/{part:06}"):
                yield piece

    async def _fact(self, caller: Caller, name: str) -> RecordFact | None:
        body = await self._get(caller, caller.ref.artifact_name(name))
        return None if body is None else node_records.record_fact(body, limit=0)

    async def _get(self, caller: Caller, name: str) -> Obj | None:
        try:
            return await self._cluster.get(
                Kind.NODE_RECORD, namespace=caller.pod.namespace, name=name
            )
        except NotFound:
            return None


@dataclass(frozen=True)
class Kept:
    """Where a verified artifact is, as its record says it: `form` and `place`."""

    form: JsonObject
    place: JsonObject


def _key(caller: Caller, name: str, content: Content) -> str:
    """What the keys of the parts begin with. The pod is part of it: two pods of one attempt that
    compress differently do not mix."""
    ref = caller.ref
    run = f"{caller.pod.namespace}/{ref.run}/{ref.run_uid}"
    digest = content.digest.removeprefix("sha256:")
    return f"{run}/{ref.path}/{ref.round}-{ref.attempt}-artifact-{name}-{digest}/{caller.pod.uid}"
