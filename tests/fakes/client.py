"""One user's requests to the in-memory API server, on their way there and back."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from waypost.ports.cluster import ClusterError, Kind, Listing, Obj, PatchType, Unavailable

from tests.fakes.api.deletion import Deletion
from tests.fakes.api.server import ApiServer
from tests.fakes.faults import WRITES, Faults, Request, Written

REQUEST_TIMEOUT: Final = 10.0

LogReader = Callable[[str, str, str], str]


class Wire:
    """The way between clients and the API server: delays, failures and the log of writes."""

    def __init__(self, *, server: ApiServer, latency: tuple[float, float], seed: int) -> None:
        self.server = server
        self.faults = Faults()
        self.log: list[Written] = []
        self.on_write: Callable[[Written], None] | None = None
        self.on_read: Callable[[Request], None] | None = None
        self.log_reader: LogReader | None = None
        self._latency = latency
        self._random = random.Random(seed)

    async def carry(self, request: Request, act: Callable[[], Any]) -> Any:
        """There, done or failed, and back. A caller that is cancelled on the way back does not
        undo what was done."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                await self.faults.hold(request)
                await asyncio.sleep(self._pause())
        except TimeoutError as error:
            raise Unavailable("the request timed out") from error
        await self.faults.withhold(request, after_commit=False)
        if refused := self.faults.take(request, after_commit=False):
            raise refused
        answer = self._commit(request, act)
        await self.faults.withhold(request, after_commit=True)
        lost = self.faults.take(request, after_commit=True)
        await asyncio.sleep(self._pause())
        if lost:
            raise lost
        return answer

    def _commit(self, request: Request, act: Callable[[], Any]) -> Any:
        if request.verb not in WRITES:
            if self.on_read is not None:
                self.on_read(request)
            return act()
        before = self.server.storage.revision
        try:
            answer = act()
        except ClusterError as error:
            self._note(request, type(error).__name__, "")
            raise
        done = self.server.storage.revision > before
        version = answer["metadata"]["resourceVersion"] if isinstance(answer, dict) else ""
        self._note(request, "done" if done else "unchanged", version)
        return answer

    def _note(self, request: Request, result: str, version: str) -> None:
        at = self.server.agenda.clock.monotonic()
        written = Written(request, result, at, version)
        self.log.append(written)
        if self.on_write is not None:
            self.on_write(written)

    def _pause(self) -> float:
        low, high = self._latency
        return self._random.uniform(low, high) if high > 0 else 0.0


class Client:
    """`ports.cluster.Cluster` as one user."""

    def __init__(self, *, wire: Wire, user: str) -> None:
        self._wire = wire
        self.user = user

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        def act() -> Obj:
            return self._server.get(kind, namespace=namespace, name=name)

        return await self._send("get", kind, namespace, name, act)

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        keep: Callable[[Obj], Obj] | None = None,
    ) -> Listing:
        def act() -> Listing:
            found = self._server.list(kind, namespace=namespace, labels=labels, fields=fields)
            return _metadata_of(found) if metadata_only else found

        request = Request("list", kind, namespace or "", "", self.user)
        listing: Listing = await self._wire.carry(request, act)
        if keep is not None:
            return replace(listing, items=tuple(map(keep, listing.items)))
        return listing

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        def act() -> Obj:
            return self._server.create(kind, namespace=namespace, body=body, by=self.user)

        name = str(body.get("metadata", {}).get("name", ""))
        return await self._send("create", kind, namespace, name, act)

    async def patch(
        self,
        kind: Kind,
        *,
        namespace: str,
        name: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        patch_type: PatchType,
        subresource: str = "",
    ) -> Obj:
        def act() -> Obj:
            return self._server.patch(
                kind,
                namespace=namespace,
                name=name,
                body=body,
                patch_type=patch_type,
                subresource=subresource,
                by=self.user,
            )

        verb = "patch_status" if subresource == "status" else "patch"
        return await self._send(verb, kind, namespace, name, act)

    async def delete(
        self,
        kind: Kind,
        *,
        namespace: str,
        name: str,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Background",
    ) -> None:
        options = Deletion(uid=uid, resource_version=resource_version, propagation=propagation)

        def act() -> None:
            self._server.delete(kind, namespace=namespace, name=name, options=options)

        request = Request("delete", kind, namespace, name, self.user)
        await self._wire.carry(request, act)

    async def read_log(
        self, *, namespace: str, pod: str, container: str, tail_lines: int, limit_bytes: int
    ) -> bytes:
        def act() -> str:
            self._server.get(Kind.POD, namespace=namespace, name=pod)
            reader = self._wire.log_reader
            return reader(namespace, pod, container) if reader else ""

        request = Request("read_log", Kind.POD, namespace, pod, self.user)
        text: str = await self._wire.carry(request, act)
        tail = "".join(text.splitlines(keepends=True)[-tail_lines:])
        # As the kubelet does: the limit counts from the beginning of the tail.
        return tail.encode()[:limit_bytes]

    @property
    def _server(self) -> ApiServer:
        return self._wire.server

    async def _send(
        self, verb: str, kind: Kind, namespace: str | None, name: str, act: Callable[[], Obj]
    ) -> Obj:
        request = Request(verb, kind, namespace or "", name, self.user)
        body: Obj = await self._wire.carry(request, act)
        return body


def _metadata_of(found: Listing) -> Listing:
    kept = ("apiVersion", "kind", "metadata")
    items = tuple({key: body[key] for key in kept} for body in found.items)
    return Listing(items=items, resource_version=found.resource_version)
