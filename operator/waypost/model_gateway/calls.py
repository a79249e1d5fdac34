"""One call of a model: who calls, where to, with which key, and what comes back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.agent import ModelRef
from waypost.api.provider import ModelProviderSpec
from waypost.gateway.authentication import Authenticator, Caller
from waypost.gateway.definitions import definition_of
from waypost.model_gateway.core import bodies, headers, routing
from waypost.model_gateway.core.budget import AttemptKey, Budgets
from waypost.model_gateway.core.rates import Limits, Ticket
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.core.usage import UsageScanner, estimate
from waypost.model_gateway.exchange import Call, Identities, Relayed, once, translated
from waypost.model_gateway.keys import Access, Keys
from waypost.model_gateway.pacing import MOST_WAIT, Pacing
from waypost.model_gateway.upstream import Answer, Upstream
from waypost.ports.cluster import Cluster

_SMALL: Final = 64 * 1024  # bytes that are parsed at once; more are parsed in a thread
LEAST_SHOWN: Final = 0.1  # seconds of a wait that a pod learns of


@dataclass(frozen=True)
class Route:
    """Whose call it is, and for which model of which provider."""

    caller: Caller
    definition: JsonObject
    ref: ModelRef
    provider: ModelProviderSpec

    @property
    def key(self) -> tuple[str, str]:
        """The namespace and name of the provider."""
        return self.caller.pod.namespace, self.ref.provider

    @property
    def attempt(self) -> AttemptKey:
        """Whose call it is, for the budget."""
        ref = self.caller.ref
        return ref.run_uid, ref.path, ref.round, ref.attempt

    @property
    def share(self) -> int | None:
        """The tokens that the attempt may use; None is without a limit."""
        return self.caller.share

    @property
    def label(self) -> str:
        """The type of the provider, for metrics and errors."""
        return self.provider.type

    @property
    def place(self) -> dict[str, object]:
        """Where the call goes, for the log."""
        return {"provider": self.ref.provider}

    @property
    def limits(self) -> Limits:
        """What the provider allows to all runs."""
        given = self.provider.rate_limits
        if given is None:
            return Limits()
        return Limits(given.requests_per_minute, given.tokens_per_minute, given.concurrency)


@dataclass(frozen=True)
class _Request:
    """What is sent to the provider."""

    target: routing.Target
    access: Access
    headers: dict[str, str]
    body: bytes


@dataclass
class _Spent:
    """The tokens of a call: an estimate until they are known. `sent`: it went to the provider;
    `waited`: seconds until it did for the last time."""

    tokens: int
    sent: bool = False
    waited: float = 0.0


class Calls:
    """Forwards calls. Every method raises CallRefused."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        authenticator: Authenticator,
        keys: Keys,
        upstream: Upstream,
        pacing: Pacing,
        budgets: Budgets,
        identities: Identities | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._authenticator = authenticator
        self._keys = keys
        self._upstream = upstream
        self._pacing = pacing
        self._budgets = budgets
        self._identities = identities or Identities()
        self._monotonic = monotonic

    async def route(self, call: Call) -> Route:
        """Find out whose call it is, from its token alone, and for which model."""
        with translated():
            caller = await self._authenticator.authenticate(call.authorization, source=call.source)
            definition = await definition_of(self._cluster, caller)
            ref = routing.model_at(definition, path=caller.ref.path, position=call.position)
            provider = await self._keys.provider(caller.pod.namespace, ref.provider)
        return Route(caller, definition, ref, provider)

    async def forward(self, call: Call, route: Route, stack: AsyncExitStack) -> Relayed:
        """Send a call once the limits of its provider allow it; the answer arrives in pieces.

        Args:
            call: The call.
            route: Its route.
            stack: What the call holds until its answer has ended.
        """
        spec, name = route.provider, route.ref.name
        target = routing.target_of(spec, name, path=call.path, query=call.query)
        raw = await call.body()
        body = await self._judged(raw, model=name if target.model_in_body else None)
        with translated():
            access = await self._keys.access(route.caller.pod.namespace, spec, host=target.host)
        sent = headers.to_provider(
            call.headers, type_=spec.type, key=access.key, own=access.headers
        ) | self._identities.of(route.caller, target.host)
        request = _Request(target, access, sent, body.encoded)
        asked = estimate(raw, body.fields)
        spent = stack.enter_context(self._reserved(route, asked.total))
        answer = await self._answered(route, request, spent, stack=stack)
        scanner = UsageScanner(spec.type, asked)
        return await _relayed(answer, access.secrets, scanner, spent)

    @contextlib.contextmanager
    def _reserved(self, route: Route, tokens: int) -> Iterator[_Spent]:
        """Reserve the tokens of a call, and settle what it has used when the block ends."""
        reservation = self._budgets.reserve(route.attempt, share=route.share, tokens=tokens)
        spent = _Spent(tokens)
        try:
            yield spent
        finally:
            used = spent.tokens if spent.sent else 0
            self._budgets.settle(route.attempt, reservation, used=used)

    async def _answered(
        self, route: Route, request: _Request, spent: _Spent, *, stack: AsyncExitStack
    ) -> Answer:
        """Send the call, again if the provider asks to wait for a time that is left."""
        began = self._monotonic()
        until = began + MOST_WAIT
        while True:
            ticket = Ticket(route.caller.ref.run_uid, spent.tokens)
            left = until - self._monotonic()
            async with AsyncExitStack() as held:
                permit = self._pacing.permit(route.key, route.limits, ticket, most=left)
                await held.enter_async_context(permit)
                spent.waited = self._monotonic() - began
                answer = await self._sent(request, spent)
                self._pacing.arrived(route.key, ticket)
                seconds = answer.retry_after if answer.status == 429 else None
                if seconds is not None:
                    self._pacing.pause(route.key, seconds)
                if seconds is None or self._monotonic() + seconds >= until:
                    held.callback(_count, ticket, spent)
                    stack.push_async_exit(held.pop_all())
                    return answer
                answer.close()
                spent.sent = False
                ticket.tokens = 0

    async def _sent(self, request: _Request, spent: _Spent) -> Answer:
        spent.sent = True
        try:
            return await self._upstream.post(
                request.target.url,
                query=(*request.target.query, *request.access.query),
                headers=request.headers,
                body=request.body,
                ca=request.access.ca,
            )
        except CallRefused as refused:
            # Without an answer in time the provider may have counted the call.
            spent.sent = refused.why is CallRefusal.NO_ANSWER
            raise

    async def _judged(self, raw: bytes, *, model: str | None) -> bodies.Body:
        if len(raw) <= _SMALL:
            return bodies.judged(raw, model=model)
        return await asyncio.to_thread(bodies.judged, raw, model=model)


def _count(ticket: Ticket, spent: _Spent) -> None:
    ticket.tokens = spent.tokens


async def _relayed(
    answer: Answer, secrets: tuple[str, ...], scanner: UsageScanner, spent: _Spent
) -> Relayed:
    sent = headers.to_pod(answer.headers)
    if spent.waited >= LEAST_SHOWN:
        sent[headers.WAITED] = f"{spent.waited:.3f}"
    if answer.status >= 400:
        spent.tokens = 0  # providers count no tokens for an error
        body = await answer.error_body(secrets)
        return Relayed(answer.status, sent, once(body))
    return Relayed(answer.status, sent, _counted(answer, scanner, spent))


async def _counted(answer: Answer, scanner: UsageScanner, spent: _Spent) -> AsyncIterator[bytes]:
    """The answer as it arrives. A call that breaks off keeps its estimate."""
    pieces = answer.pieces()
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            scanner.feed(piece)
            yield piece
    spent.tokens = scanner.tokens
