"""The object store: any service with the S3 API, through obstore.

Credentials come from the usual variables (AWS_ACCESS_KEY_ID and others, or the web identity of the
pod), so no secret passes through our settings.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import ObjectStore, S3Store

from waypost.gateway.payload_store import ObjectError

# Few retries here: the pod retries, and knows how much time it has.
_RETRIES: Final = 2
_PIECE: Final = 1024 * 1024
_OWNER_KEY: Final = "waypost-owner"


@dataclass(frozen=True)
class S3Settings:
    """Where payloads are stored. `prefix` must belong to one installation only: it removes objects
    that it does not know. `endpoint` "": AWS."""

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    timeout_seconds: float = 30.0


@dataclass(frozen=True)
class RunObjects:
    """The run to which objects belong."""

    namespace: str
    run: str
    uid: str

    @property
    def prefix(self) -> str:
        """Start of the keys of all objects of the run."""
        return f"{self.namespace}/{self.run}/{self.uid}/"


class Bucket:
    """Implements `payload_store.Objects` in a bucket, below a prefix."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def claim(self, owner: str) -> None:
        """Claim the prefix for this installation. Raises ObjectError if another one has it."""
        with _errors_as("claim the prefix"):
            try:
                await obstore.put_async(self._store, _OWNER_KEY, owner.encode(), mode="create")
                return
            except AlreadyExistsError:
                answer = await obstore.get_async(self._store, _OWNER_KEY)
                found = bytes(await answer.bytes_async()).decode("utf-8", "replace")
        if found != owner:
            raise ObjectError(
                f"another installation of Waypost ({found:.80}) uses this prefix; each would "
                "remove the payloads of the other, so choose another gateway.objectStore.prefix"
            )

    async def put(self, key: str, body: bytes | bytearray) -> None:
        """Store an object; durable when it returns."""
        attributes = {"Content-Type": "application/json"}
        with _errors_as(f"store {key}"):
            await obstore.put_async(
                self._store, key, body, attributes=attributes, use_multipart=False
            )

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The object in pieces."""
        with _errors_as(f"read {key}"):
            answer = await obstore.get_async(self._store, key)
            async for piece in answer.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    async def runs(self) -> list[RunObjects]:
        """All runs that have objects."""
        with _errors_as("list"):
            return [
                RunObjects(*parts)
                for namespace in await self._folders(None)
                for run in await self._folders(namespace)
                for uid in await self._folders(run)
                if len(parts := uid.strip("/").split("/")) == 3
            ]

    async def old_keys(self, of: RunObjects, *, older: timedelta) -> list[str]:
        """The keys of the objects of a run that are older than `older`."""
        before = datetime.now(UTC) - older
        keys: list[str] = []
        with _errors_as(f"list {of.prefix}"):
            async for listed in obstore.list(self._store, of.prefix):
                keys += [each["path"] for each in listed if each["last_modified"] < before]
        return keys

    async def remove_keys(self, keys: list[str]) -> None:
        """Remove these objects."""
        with _errors_as("remove"):
            await obstore.delete_async(self._store, keys)

    async def remove(self, of: RunObjects, *, older: timedelta) -> int:
        """Remove the objects of a run that are older than `older`; returns how many."""
        before = datetime.now(UTC) - older
        removed = 0
        with _errors_as(f"remove {of.prefix}"):
            async for listed in obstore.list(self._store, of.prefix):
                keys = [each["path"] for each in listed if each["last_modified"] < before]
                if keys:
                    await obstore.delete_async(self._store, keys)
                removed += len(keys)
        return removed

    async def _folders(self, prefix: str | None) -> list[str]:
        found = await obstore.list_with_delimiter_async(self._store, prefix)
        return list(found["common_prefixes"])


def s3(settings: S3Settings) -> Bucket:
    """A bucket of an S3 service. Does not connect."""
    plain = settings.endpoint.startswith("http://")
    store = S3Store(
        settings.bucket,
        prefix=settings.prefix,
        region=settings.region,
        virtual_hosted_style_request=not settings.path_style,
        client_options={
            "allow_http": plain,
            "timeout": timedelta(seconds=settings.timeout_seconds),
            "connect_timeout": timedelta(seconds=5),
        },
        retry_config={"max_retries": _RETRIES},
        config={"endpoint": settings.endpoint} if settings.endpoint else {},
    )
    return Bucket(store)


@contextmanager
def _errors_as(doing: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:  # obstore raises the latter
        raise ObjectError(f"{doing}: not found: {_first_line(error)}") from error
    except (BaseError, OSError) as error:
        raise ObjectError(f"{doing}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    # The following lines dump the request: long, and without further information.
    return (str(error).splitlines() or [type(error).__name__])[0][:500]
