"""The request of an http node: whose it is, what is added, and what comes back."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from waypost.gateway.authentication import Authenticator, Caller
from waypost.gateway.definitions import definition_of
from waypost.model_gateway.core import headers
from waypost.model_gateway.core.forwarding import Sending, sending_of
from waypost.model_gateway.core.leaks import Leaks, forms_of, redacted
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.exchange import Call, Identities, Relayed, once, translated
from waypost.model_gateway.keys import Keys
from waypost.model_gateway.upstream import Answer, Upstream
from waypost.ports.cluster import Cluster

HELD: Final = 64 * 1024  # bytes of an answer that are searched before the first of them is sent
_LEAK: Final = "the answer contains a secret of the request, and outputs are stored unencrypted"


@dataclass(frozen=True)
class HttpRoute:
    """Whose request it is, and the request."""

    caller: Caller
    sending: Sending

    @property
    def label(self) -> str:
        """The kind of call, for metrics."""
        return "Http"

    @property
    def place(self) -> dict[str, object]:
        """Where the request goes, for the log."""
        return {"host": self.sending.host}


class Requests:
    """Sends the requests of http nodes. Every method raises CallRefused."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        authenticator: Authenticator,
        keys: Keys,
        upstream: Upstream,
        identities: Identities | None = None,
    ) -> None:
        self._cluster = cluster
        self._authenticator = authenticator
        self._keys = keys
        self._upstream = upstream
        self._identities = identities or Identities()

    async def route(self, call: Call) -> HttpRoute:
        """Find out whose request it is, from the token alone, and what it is."""
        with translated():
            caller = await self._authenticator.authenticate(call.authorization, source=call.source)
            definition = await definition_of(self._cluster, caller)
        sending = sending_of(definition, path=caller.ref.path, annotation=caller.http)
        return HttpRoute(caller, sending)

    async def forward(self, call: Call, route: HttpRoute, stack: AsyncExitStack) -> Relayed:
        """Send the request; the answer arrives in pieces."""
        sending, request = route.sending, route.sending.request
        body = await call.body()
        sending.check_body(body)
        with translated():
            namespace = route.caller.pod.namespace
            access = await self._keys.of_request(namespace, sending.http, host=sending.host)
        answer = await self._upstream.request(
            request.method,
            request.url,
            headers=headers.of_request(
                call.headers,
                own=request.headers,
                added=access.headers,
                identity=self._identities.of(route.caller, sending.host),
            ),
            body=body,
            ca=access.ca,
        )
        stack.callback(answer.close)
        return await _relayed(answer, sending, forms_of(access.secrets))


async def _relayed(answer: Answer, sending: Sending, forms: tuple[str, ...]) -> Relayed:
    sent = headers.to_http_node(answer.headers)
    encoded = any(name == "content-encoding" and value != "identity" for name, value in sent)
    if not sending.accepts(answer.status):
        shown = {name: redacted(value, forms) for name, value in sent if name != headers.LENGTH}
        if encoded and forms:  # no key can be found in it
            shown.pop("content-encoding")
            answer.close()
            return Relayed(answer.status, shown, once(b""))
        return Relayed(answer.status, shown, once(await answer.error_body(forms)))
    joined = _joined(sent)
    if forms and encoded:
        text = "the server compresses its answer unasked, so no key could be found in it"
        raise CallRefused(CallRefusal.KEY_IN_ANSWER, text)
    if Leaks(forms).finds("\n".join(joined.values()).encode("utf-8", "surrogateescape")):
        raise CallRefused(CallRefusal.KEY_IN_ANSWER, _LEAK)
    return Relayed(answer.status, joined, _searched(answer, Leaks(forms)))


def _joined(given: list[tuple[str, str]]) -> dict[str, str]:
    """Headers by name; a repeated one is one list."""
    found: dict[str, str] = {}
    for name, value in given:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def _searched(answer: Answer, leaks: Leaks) -> AsyncIterator[bytes]:
    """The answer as it arrives, after its first part: an answer that fits it is searched as a
    whole, and a key in a longer one breaks the answer off."""
    pieces: AsyncGenerator[bytes, None] = answer.pieces()
    held = bytearray()
    holding = True
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if leaks.finds(piece):
                raise CallRefused(CallRefusal.KEY_IN_ANSWER, _LEAK)
            if not holding:
                yield piece
                continue
            held += piece
            if len(held) > HELD:
                holding = False
                yield bytes(held)
                held.clear()
    if holding:
        yield bytes(held)
