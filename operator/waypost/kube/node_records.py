"""NodeRecords: manifests to write, and facts to read.

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
from waypost.kube import names, objects
from waypost.kube.payloads import AttemptRef, Payload, RecordFact
from waypost.protocol import ijson
from waypost.protocol.artifacts.request import Content

INLINE: Final = 16 * 1024
# Each payload up to this size fits a record, with any content; expressions read no larger one.
EVALUATED: Final = 1024 * 1024
# The largest payload that a record can hold, if it compresses well enough.
LARGEST: Final = 8 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


def form_of(value: JsonValue, canonical: bytes) -> JsonObject | None:
    """The field of a record for `value`, as {"data": value} or {"compressed": base64 of gzip}.

    `canonical` is its canonical JSON (RFC 8785). None if it does not fit a record.
    """
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
    segment: tuple[str, JsonObject | None] | None = None,
) -> JsonObject:
    """The NodeRecord of a payload in the given form (`form_of`), owned by its run.

    `segment` has the name of a record that does not belong to one attempt, and for a journal the
    position of the segment.
    """
    name, place = segment or (ref.record_name(type_), None)
    spec = {
        **_attempt(ref),
        "type": type_,
        "digest": digest,
        "size": size,
        **({"journal": place} if place else {}),
        **form,
    }
    return _object(name, namespace=namespace, owner=owner, spec=spec)


def artifact(
    ref: AttemptRef,
    name: str,
    content: Content,
    *,
    place: JsonObject,
    form: JsonObject,
    owner: JsonObject,
    namespace: str,
) -> JsonObject:
    """The NodeRecord of an artifact.

    Args:
        ref: The attempt that made it.
        name: Its name in artifacts.out.
        content: What it holds.
        place: `compressedBytes`, and `parts` if it is in the object store.
        form: `compressed` or `object`.
        owner: The owner reference to the run.
        namespace: The namespace of the run.
    """
    spec = {
        **_attempt(ref),
        "type": "Artifact",
        "artifact": {"name": name, "files": content.files, **place},
        "digest": content.digest,
        "size": content.bytes,
        **form,
    }
    body = _object(ref.artifact_name(name), namespace=namespace, owner=owner, spec=spec)
    body["metadata"]["labels"][meta.LABEL_ARTIFACT] = name
    return body


def _attempt(ref: AttemptRef) -> JsonObject:
    """The fields of a record that name its attempt."""
    return {
        "run": ref.run,
        "runUid": ref.run_uid,
        "path": ref.path,
        "round": ref.round,
        "attempt": ref.attempt,
    }


def definition(value: JsonObject, *, owner: JsonObject, namespace: str) -> JsonObject | None:
    """The NodeRecord with the definition of a run, owned by the run and named by its digest.

    Args:
        value: What the run takes from its template.
        owner: The owner reference to the run.
        namespace: The namespace of the run.

    Returns:
        The manifest; None if the definition does not fit a record.
    """
    name = names.definition_name(
        run=owner["name"], run_uid=owner["uid"], digest=ijson.digest(value)
    )
    return _of_run("Definition", value, name=name, owner=owner, namespace=namespace)


def memory(
    type_: RecordType, value: JsonObject, *, owner: JsonObject, namespace: str
) -> JsonObject | None:
    """The NodeRecord of what a run has read of its memory, or remembers. As `definition`."""
    run, uid, digest = owner["name"], owner["uid"], ijson.digest(value)
    name = names.memory_record_name(type_, run=run, run_uid=uid, digest=digest)
    return _of_run(type_, value, name=name, owner=owner, namespace=namespace)


def _of_run(
    type_: RecordType, value: JsonObject, *, name: str, owner: JsonObject, namespace: str
) -> JsonObject | None:
    """A NodeRecord that belongs to no node."""
    canonical = ijson.canonical(value)
    form = form_of(value, canonical)
    if form is None:
        return None
    spec = {
        "run": owner["name"],
        "runUid": owner["uid"],
        "type": type_,
        "digest": ijson.digest(value),
        "size": len(canonical),
        **form,
    }
    return _object(name, namespace=namespace, owner=owner, spec=spec)


def _object(name: str, *, namespace: str, owner: JsonObject, spec: JsonObject) -> JsonObject:
    return {
        "apiVersion": meta.API_VERSION,
        "kind": "NodeRecord",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {meta.LABEL_RUN: spec["runUid"]},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def record_fact(body: Any, *, limit: int = EVALUATED) -> RecordFact:
    """The fact of a NodeRecord, with its payload if the record holds it and it has at most `limit`
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
        artifact=objects.text(objects.section(spec, "artifact"), "name"),
        files=_files(objects.section(spec, "artifact")),
    )


def _files(artifact: JsonObject) -> int:
    found = artifact.get("files")
    return found if isinstance(found, int) else 0


def _payload(spec: JsonObject, limit: int) -> Payload:
    digest, size = objects.text(spec, "digest"), spec.get("size")
    if not digest or not isinstance(size, int):
        raise ValueError("it has no digest or no size")
    # An Artifact is a tar, not JSON; its reader compares the digest.
    if size > limit or "object" in spec or objects.text(spec, "type") == "Artifact":
        return Payload(digest, size)
    # A null may be stored or left out.
    compressed = objects.text(spec, "compressed")
    value = ijson.parse(inflate(compressed, size)) if compressed else spec.get("data")
    if ijson.digest(value) != digest:
        raise ValueError(f"the payload does not match its digest {digest}")
    return Payload(digest, size, read=True, value=value)


def inflate(text: str, size: int) -> bytes:
    """The canonical JSON in the field `compressed`; never unpacks more than `size` bytes.

    Raises:
        ValueError: It is not gzip in base64, or not `size` bytes.
    """
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        payload = unpacker.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"compressed: {error}") from None
    if len(payload) != size or not unpacker.eof:
        raise ValueError(f"compressed: expected {size} bytes")
    return payload
