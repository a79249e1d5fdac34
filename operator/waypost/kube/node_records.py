"""NodeRecords as manifests, and what is read of them again.

A payload of at most `INLINE` bytes stands in a record as it is; a larger one as gzip in base64,
for which people have tools: `... -o jsonpath='{.spec.compressed}' | base64 -d | gunzip`.
"""

import base64
import binascii
import zlib
from typing import Any, Final

from waypost.api import meta
from waypost.api.base import JsonObject, JsonValue
from waypost.api.record import COMPRESSED_LENGTH, RecordType
from waypost.kube import objects
from waypost.kube.payloads import AttemptRef, Payload, RecordFact
from waypost.protocol import ijson

INLINE: Final = 16 * 1024
# Every payload of this size fits a record, whatever it holds; expressions read no larger one.
EVALUATED: Final = 1024 * 1024
# What is kept in a record at most, if it compresses well enough.
LARGEST: Final = 8 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


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
    ref: AttemptRef,
    *,
    digest: str,
    size: int,
    form: JsonObject,
    owner: JsonObject,
    namespace: str,
    segment: tuple[str, JsonObject] | None = None,
) -> JsonObject:
    """The NodeRecord of a payload in the given form, owned by its run. `segment`: the name and
    the place of one in a journal, which are not its attempt's alone."""
    name, place = segment or (ref.record_name(type_), None)
    return {
        "apiVersion": meta.API_VERSION,
        "kind": "NodeRecord",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {meta.LABEL_RUN: ref.run_uid},
            "ownerReferences": [owner],
        },
        "spec": {
            "run": ref.run,
            "runUid": ref.run_uid,
            "path": ref.path,
            "round": ref.round,
            "attempt": ref.attempt,
            "type": type_,
            "digest": digest,
            "size": size,
            **({"journal": place} if place else {}),
            **form,
        },
    }


def record_fact(body: Any, *, limit: int = EVALUATED) -> RecordFact:
    """The fact of a NodeRecord; its payload is read if it is in there and has at most `limit`
    bytes."""
    metadata, spec = objects.section(body, "metadata"), objects.section(body, "spec")
    try:
        payload, problem = _payload(spec, limit), ""
    except ValueError as error:
        payload, problem = Payload(objects.text(spec, "digest"), 0), str(error)
    return RecordFact(
        name=objects.text(metadata, "name"),
        type=objects.text(spec, "type"),
        run_uid=objects.text(spec, "runUid"),
        path=objects.text(spec, "path"),
        round=spec.get("round"),
        attempt=spec.get("attempt"),
        owner_uid=objects.controller_uid(body),
        payload=payload,
        problem=problem,
    )


def _payload(spec: JsonObject, limit: int) -> Payload:
    digest, size = objects.text(spec, "digest"), spec.get("size")
    if not digest or not isinstance(size, int):
        raise ValueError("it has no digest or no size")
    if size > limit or "object" in spec:
        return Payload(digest, size)
    # The API server keeps a null, but nobody has to write one.
    compressed = objects.text(spec, "compressed")
    value = ijson.parse(inflate(compressed, size)) if compressed else spec.get("data")
    if ijson.digest(value) != digest:
        raise ValueError(f"the payload does not match its digest {digest}")
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
