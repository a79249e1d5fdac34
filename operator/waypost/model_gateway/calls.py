"""One call of a model: who calls, where to, with which key, and what comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from waypost.api.base import JsonObject
from waypost.api.kinds.agent import ModelRef
from waypost.api.provider import ModelProviderSpec
from waypost.gateway.authentication import Authenticator, Caller
from waypost.gateway.definitions import definition_of
from waypost.gateway.refusals import Refused
from waypost.model_gateway.core import bodies, headers, routing
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.keys import Keys
from waypost.model_gateway.upstream import Answer, Upstream
from waypost.ports.cluster import Busy, Cluster, ClusterError

CALLS_PER_POD: Final = 8
_SMALL: Final = 64 * 1024  # bytes that are parsed at once; more are parsed in a thread
_AGAIN: Final = 2


class Call(Protocol):
    """A request of a pod, as its HTTP server has it."""

    @property
    def authorization(self) -> str:
        """The Authorization header; "" without one."""
        ...

    @property
    def position(self) -> int:
        """Which model of the node. Raises CallRefused."""
        ...

    @property
    def path(self) -> str:
        """The path below the position, decoded."""
        ...

    @property
    def query(self) -> str:
        """The query, without `?`."""
        ...

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers."""
        ...

    async def body(self) -> bytes:
        """The whole body. Raises CallRefused."""
        ...


@dataclass(frozen=True)
class Route:
    """Whose call it is, and for which model of which provider."""

    caller: Caller
    definition: JsonObject
    ref: ModelRef
    provider: ModelProviderSpec


@dataclass(frozen=True)
class Relayed:
    """What the pod gets: a stream, or the body of an error of the provider."""

    status: int
    headers: dict[str, str]
    pieces: AsyncIterator[bytes]


class Calls:
    """Forwards calls. Every method raises CallRefused."""

    def __init__(
        self, *, cluster: Cluster, authenticator: Authenticator, keys: Keys, upstream: Upstream
    ) -> None:
        self._cluster = cluster
        self._authenticator = authenticator
        self._keys = keys
        self._upstream = upstream
        self._open: dict[str, int] = {}

    async def route(self, call: Call) -> Route:
        """Find out whose call it is, from its token alone, and for which model."""
        with translated():
            caller = await self._authenticator.authenticate(call.authorization)
            definition = await definition_of(self._cluster, caller)
            ref = routing.model_at(definition, path=caller.ref.path, position=call.position)
            provider = await self._keys.provider(caller.pod.namespace, ref.provider)
        return Route(caller, definition, ref, provider)

    @contextlib.contextmanager
    def slot(self, route: Route) -> Iterator[None]:
        """One of the calls that a pod may have at the same time."""
        uid = route.caller.pod.uid
        if self._open.get(uid, 0) >= CALLS_PER_POD:
            text = f"this pod already has {CALLS_PER_POD} calls in progress"
            raise CallRefused(CallRefusal.BUSY, text, again=_AGAIN)
        self._open[uid] = self._open.get(uid, 0) + 1
        try:
            yield
        finally:
            self._open[uid] -= 1
            if not self._open[uid]:
                del self._open[uid]

    async def forward(self, call: Call, route: Route) -> Relayed:
        """Send a call to its provider, and return the answer as it arrives."""
        spec, name = route.provider, route.ref.name
        target = routing.target_of(spec, name, path=call.path, query=call.query)
        raw = await call.body()
        body = await self._judged(raw, model=name if target.model_in_body else None)
        with translated():
            access = await self._keys.access(route.caller.pod.namespace, spec, host=target.host)
        answer = await self._upstream.post(
            target.url,
            query=(*target.query, *access.query),
            headers=headers.to_provider(
                call.headers, type_=spec.type, key=access.key, own=access.headers
            ),
            body=body.encoded,
            ca=access.ca,
        )
        return await _relayed(answer, access.secrets)

    async def _judged(self, raw: bytes, *, model: str | None) -> bodies.Body:
        if len(raw) <= _SMALL:
            return bodies.judged(raw, model=model)
        return await asyncio.to_thread(bodies.judged, raw, model=model)


async def _relayed(answer: Answer, secrets: tuple[str, ...]) -> Relayed:
    sent = headers.to_pod(answer.headers)
    if answer.status >= 400:
        body = await answer.error_body(secrets)
        return Relayed(answer.status, sent, _once(body))
    return Relayed(answer.status, sent, answer.pieces())


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn refusals of the authentication and failures of the API server into CallRefused."""
    try:
        yield
    except Refused as error:
        raise CallRefused(
            CallRefusal.CALLER,
            error.message,
            reason=str(error.why),
            status=error.status,
            again=error.again,
        ) from None
    except Busy as error:
        text = "the API server is overloaded"
        again = max(round(error.retry_after), 1)
        raise CallRefused(CallRefusal.BUSY, text, again=again) from None
    except ClusterError:
        text = "the API server failed"
        raise CallRefused(CallRefusal.FAILED, text, again=_AGAIN) from None
