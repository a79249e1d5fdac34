"""What a simulated operator talks through: its line to the API server, its telemetry."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from waypost.engine.state.decision import Decision, Traces
from waypost.engine.state.observed import Observed
from waypost.ports.cluster import Cluster, Kind, Listing, Obj, PatchType, Rejected

from tests.fakes.clock import VirtualClock


@dataclass
class Notebook:
    """Telemetry that remembers."""

    outcomes: Counter[str] = field(default_factory=Counter)
    swept_objects: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    kept_logs: list[str] = field(default_factory=list)
    checkpoints: int = 0

    def checkpoint(self, observed: Observed, decision: Decision) -> None:
        self.checkpoints += 1

    def recovered(self, observed: Observed, traces: Traces, *, since: datetime) -> None:
        pass

    def reconciled(self, *, seconds: float, outcome: str) -> None:
        self.outcomes[outcome] += 1

    def queue(self, *, depth: int, oldest_seconds: float) -> None:
        pass

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        pass

    def swept(self, *, what: str, count: int) -> None:
        self.swept_objects[what] += count

    @property
    def swept_jobs(self) -> int:
        return self.swept_objects["jobs"]

    def log_kept(self, *, outcome: str) -> None:
        self.kept_logs.append(outcome)

    def refused(self, *, reason: str) -> None:
        self.refusals.append(reason)

    @property
    def passes(self) -> int:
        return self.outcomes.total()


@dataclass(frozen=True)
class Call:
    """One request of one operator, as it set out."""

    verb: str
    kind: Kind
    name: str
    at: float

    @property
    def writes(self) -> bool:
        return self.verb not in ("get", "list", "read_log")


Interception = Callable[[Call, Callable[[], Awaitable[Any]]], Awaitable[Any]]


class Line:
    """The connection of one operator to the API server. `intercept` may do what it likes with a
    request: drop it, send it twice, crash the operator before or after it. Once `dead`, no
    request leaves any more, as from a process that was killed."""

    def __init__(self, cluster: Cluster, clock: VirtualClock) -> None:
        self._cluster = cluster
        self._clock = clock
        self.calls: list[Call] = []
        self.intercept: Interception | None = None
        self.dead = False
        self.refused: set[tuple[Kind, str]] = set()  # lists of a kind in a namespace: 403

    def writes(self, *kinds: Kind) -> list[Call]:
        """Its writes so far; of these kinds, if any are named."""
        return [c for c in self.calls if c.writes and (not kinds or c.kind in kinds)]

    async def _send(
        self, verb: str, kind: Kind, name: str, send: Callable[[], Coroutine[Any, Any, Any]]
    ) -> Any:
        if self.dead:
            raise asyncio.CancelledError
        call = Call(verb, kind, name, self._clock.monotonic())
        self.calls.append(call)
        answer = await (self.intercept(call, send) if self.intercept else send())
        if self.dead:
            raise asyncio.CancelledError
        return answer

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        found: Obj = await self._send(
            "get", kind, name, lambda: self._cluster.get(kind, namespace=namespace, name=name)
        )
        return found

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
        if (kind, namespace) in self.refused:
            raise Rejected(f"{kind.plural} is forbidden", code=403, reason="Forbidden")
        found: Listing = await self._send(
            "list",
            kind,
            "",
            lambda: self._cluster.list(
                kind,
                namespace=namespace,
                labels=labels,
                fields=fields,
                metadata_only=metadata_only,
                keep=keep,
            ),
        )
        return found

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        made: Obj = await self._send(
            "create",
            kind,
            body["metadata"]["name"],
            lambda: self._cluster.create(kind, namespace=namespace, body=body),
        )
        return made

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
        patched: Obj = await self._send(
            "patch_status" if subresource else "patch",
            kind,
            name,
            lambda: self._cluster.patch(
                kind,
                namespace=namespace,
                name=name,
                body=body,
                patch_type=patch_type,
                subresource=subresource,
            ),
        )
        return patched

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
        await self._send(
            "delete",
            kind,
            name,
            lambda: self._cluster.delete(
                kind,
                namespace=namespace,
                name=name,
                uid=uid,
                resource_version=resource_version,
                propagation=propagation,
            ),
        )

    async def read_log(
        self, *, namespace: str, pod: str, container: str, tail_lines: int, limit_bytes: int
    ) -> bytes:
        content: bytes = await self._send(
            "read_log",
            Kind.POD,
            pod,
            lambda: self._cluster.read_log(
                namespace=namespace,
                pod=pod,
                container=container,
                tail_lines=tail_lines,
                limit_bytes=limit_bytes,
            ),
        )
        return content
