"""NodeRecords as manifests, and what is read of them again.

A payload of at most `INLINE` bytes stands in a record as it is; a larger one as gzip in base64,
for which people have tools: `... -o jsonpath='{.spec.compressed}' | base64 -d | gunzip`.
"""

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any, Final

from waypost.api import meta
from waypost.api.base import JsonObject, JsonValue
from waypost.api.record import COMPRESSED_LENGTH, RecordType
from waypost.engine import facts, names
from waypost.protocol import ijson

INLINE: Final = 16 * 1024
# Every payload of this size fits a record, whatever it holds; expressions read no larger one.
EVALUATED: Final = 1024 * 1024
# What is kept in a record at most, if it compresses well enough.
LARGEST: Final = 8 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Whose:
    """The attempt that a payload belongs to."""

    run: str
    run_uid: str
    path: str
    round: int
    attempt: int

    def record_name(self, type_: RecordType) -> str:
        """Name of the NodeRecord with this attempt's payload of that type."""
        return names.record_name(
            type_,
            run=self.run,
            run_uid=self.run_uid,
            path=self.path,
            round_=self.round,
            attempt=self.attempt,
        )


@dataclass(frozen=True)
class Payload:
    """A payload's digest and size, and the payload itself where it was read."""

    digest: str
    size: int
    read: bool = False
    value: JsonValue = None


class Unreadable(ValueError):
    """A record that does not hold what it says. The message names it and what is wrong."""


def form_of(value: JsonValue, canonical: bytes) -> JsonObject | None:
    """The field of a record that holds `value` (`canonical`: its RFC 8785 form); None if it fits
    in none."""
    if len(canonical) <= INLINE:
        return {"data": value}
    if len(canonical) > LARGEST:
        return None
    compressor = zlib.compressobj(wbits=_GZIP)
    text = base64.b64encode(compressor.compress(canonical) + compressor.flush()).decode()
    return {"compressed": text} if len(text) <= COMPRESSED_LENGTH else None


def manifest(
    type_: RecordType,
    whose: Whose,
    *,
    digest: str,
    size: int,
    form: JsonObject,
    owner: JsonObject,
    namespace: str,
) -> JsonObject:
    """The NodeRecord of a payload in the given form, owned by its run."""
    return {
        "apiVersion": meta.API_VERSION,
        "kind": "NodeRecord",
        "metadata": {
            "name": whose.record_name(type_),
            "namespace": namespace,
            "labels": {meta.LABEL_RUN: whose.run_uid},
            "ownerReferences": [owner],
        },
        "spec": {
            "run": whose.run,
            "runUid": whose.run_uid,
            "path": whose.path,
            "round": whose.round,
            "attempt": whose.attempt,
            "type": type_,
            "digest": digest,
            "size": size,
            **form,
        },
    }


def is_of(body: Any, type_: RecordType, whose: Whose) -> bool:
    """Whether a NodeRecord is this attempt's, by what it says and by who owns it."""
    spec = facts.section(body, "spec")
    found = tuple(spec.get(key) for key in ("type", "runUid", "path", "round", "attempt"))
    wanted = (type_, whose.run_uid, whose.path, whose.round, whose.attempt)
    return found == wanted and facts.controller_uid(body) == whose.run_uid


def payload_of(body: Any, *, limit: int = EVALUATED) -> Payload:
    """The payload of a NodeRecord, read if it is in there and of at most `limit` bytes. Raises
    Unreadable."""
    spec = facts.section(body, "spec")
    digest, size = facts.text(spec, "digest"), spec.get("size")
    if not digest or not isinstance(size, int):
        raise Unreadable(f"{_name(body)}: without digest or size")
    if size > limit or "object" in spec:
        return Payload(digest, size)
    # The API server keeps a null, but nobody has to write one.
    compressed = facts.text(spec, "compressed")
    value = _inflated(body, compressed, size) if compressed else spec.get("data")
    if ijson.digest(value) != digest:
        raise Unreadable(f"{_name(body)}: the payload does not match its digest {digest}")
    return Payload(digest, size, read=True, value=value)


def inflate(text: str, size: int) -> bytes:
    """The canonical JSON of a record's `compressed`. Raises ValueError when it is not `size`
    bytes: it is never unpacked beyond them."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        found = unpacker.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"compressed: {error}") from None
    if len(found) != size or not unpacker.eof:
        raise ValueError(f"compressed: expected {size} bytes, found others")
    return found


def _inflated(body: Any, text: str, size: int) -> JsonValue:
    try:
        return ijson.parse(inflate(text, size))
    except ValueError as error:
        raise Unreadable(f"{_name(body)}: {error}") from None


def _name(body: Any) -> str:
    return f"NodeRecord {facts.text(facts.section(body, 'metadata'), 'name')}"
