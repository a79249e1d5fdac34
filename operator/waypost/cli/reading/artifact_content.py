"""The content of an artifact, wherever it is, compared with the digest of its NodeRecord."""

import base64
import hashlib
import os
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from waypost.cli.errors import CommandError
from waypost.kube.objects import section, text
from waypost.kube.payloads import is_key_of
from waypost.ports.cluster import Obj

if TYPE_CHECKING:
    from waypost.gateway.objects import S3Settings

_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE: Final = 1024 * 1024
_MOST_PARTS: Final = 1_000_000  # their numbers have six digits
# What obstore takes credentials from, beside the metadata service of a machine in a cloud.
_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True)
class Artifact:
    """What a NodeRecord says of an artifact. `key` is "" if the record holds the content."""

    record: str
    digest: str
    size: int  # bytes of the tar
    compressed: str
    key: str
    parts: int


def artifact_in(body: Obj, *, namespace: str) -> Artifact:
    """The artifact of a NodeRecord. Raises CommandError if it holds none."""
    spec = section(body, "spec")
    name = text(section(body, "metadata"), "name")
    if text(spec, "type") != "Artifact":
        raise CommandError(f"NodeRecord {name} holds no artifact; found {text(spec, 'type')}")
    size, parts = spec.get("size"), section(spec, "artifact").get("parts")
    found = Artifact(
        record=name,
        digest=text(spec, "digest"),
        size=size if isinstance(size, int) else 0,
        compressed=text(spec, "compressed"),
        key="" if "compressed" in spec else text(spec, "object"),
        parts=parts if isinstance(parts, int) and 0 < parts <= _MOST_PARTS else 0,
    )
    if found.key:
        run, uid = text(spec, "run"), text(spec, "runUid")
        if not is_key_of(found.key, namespace=namespace, run=run, run_uid=uid):
            raise CommandError(f"NodeRecord {name} is damaged: its object is not one of run {run}")
        if not found.parts:
            raise CommandError(f"NodeRecord {name} is damaged: it has no number of parts")
    return found


async def verified(artifact: Artifact, store: "S3Settings | None") -> AsyncIterator[bytes]:
    """The gzip of the artifact in pieces. It counts only if the iteration ends.

    Args:
        artifact: From `artifact_in`.
        store: Where the object store is; needed if the artifact is there.

    Raises:
        CommandError: it cannot be read, or it is not what the digest says.
    """
    check = _Check(artifact)
    async for piece in _pieces(artifact, store):
        check.take(piece)
        yield piece
    check.finish()


async def _pieces(artifact: Artifact, store: "S3Settings | None") -> AsyncIterator[bytes]:
    if not artifact.key:
        try:
            yield base64.b64decode(artifact.compressed, validate=True)
        except ValueError as error:
            raise CommandError(f"NodeRecord {artifact.record} is damaged: {error}") from None
        return
    if store is None:
        raise CommandError(_no_store(artifact))
    from waypost.gateway.objects import s3
    from waypost.gateway.payload_store import ObjectError

    bucket = s3(store)
    for part in range(artifact.parts):
        try:
            async for piece in bucket.read(f"{artifact.key}/{part:06}"):
                yield piece
        except ObjectError as error:
            raise CommandError(_unreadable(artifact, store, error)) from None


def _no_store(artifact: Artifact) -> str:
    return (
        f"the content of {artifact.record} is in the object store, below the key {artifact.key}; "
        "set --bucket, --prefix and --endpoint as gateway.objectStore of the chart has them, and "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of a person who may read the bucket"
    )


def _unreadable(artifact: Artifact, store: "S3Settings", error: Exception) -> str:
    where = store.endpoint or f"AWS in {store.region}"
    hint = ""
    if not any(os.environ.get(name) for name in _CREDENTIALS):
        hint = "; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"
    return (
        f"{artifact.record} cannot be read from bucket {store.bucket} at {where}: {error}{hint}. "
        "If the address is one in the cluster, forward a port to it and set --endpoint"
    )


class _Check:
    """Compares a gzip with the digest and size of its tar, in constant memory."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._unpacker = zlib.decompressobj(wbits=_GZIP)
        self._sum, self._size = hashlib.sha256(), 0

    def take(self, piece: bytes) -> None:
        """Check the next piece. Raises CommandError."""
        if self._unpacker.eof:
            raise self._damaged("something follows the end of the gzip")
        while piece:
            try:
                content = self._unpacker.decompress(piece, _PIECE)
            except zlib.error as error:
                raise self._damaged(str(error)) from None
            self._sum.update(content)
            self._size += len(content)
            if self._size > self._artifact.size:
                raise self._damaged(f"it has more than {self._artifact.size} bytes")
            piece = self._unpacker.unconsumed_tail

    def finish(self) -> None:
        """The content ends here. Raises CommandError."""
        if not self._unpacker.eof:
            raise self._damaged("it is incomplete")
        found = f"sha256:{self._sum.hexdigest()}"
        if found != self._artifact.digest:
            raise self._damaged(f"expected {self._artifact.digest}, found {found}")

    def _damaged(self, why: str) -> CommandError:
        where = "the object store" if self._artifact.key else f"NodeRecord {self._artifact.record}"
        return CommandError(f"{self._artifact.record} is damaged in {where}: {why}")
