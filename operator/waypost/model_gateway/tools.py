"""Messages of agents to tool servers: whose they are, what is added, and what comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from yarl import URL

from waypost.api.base import parse_duration
from waypost.api.kinds.agent import Tools
from waypost.api.toolserver import HttpServer, ToolServerSpec
from waypost.gateway.authentication import Authenticator, Caller
from waypost.gateway.definitions import definition_of
from waypost.model_gateway.core import tool_servers
from waypost.model_gateway.core.leaks import Redaction, forms_of, redacted
from waypost.model_gateway.core.messages import Message, message_of
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.core.routing import host_of
from waypost.model_gateway.core.tool_servers import Sent, tools_at
from waypost.model_gateway.exchange import Call, Identities, Relayed, once, translated
from waypost.model_gateway.keys import Access, Keys
from waypost.model_gateway.oauth import Client, Tokens
from waypost.model_gateway.upstream import OF_SERVER, Answer, Upstream
from waypost.ports.cluster import Cluster

_SMALL: Final = 64 * 1024  # bytes that are parsed at once; more are parsed in a thread
_MOST_PATIENCE: Final = 3600.0  # seconds that a call of a tool may take
_LATER: Final = 5.0  # the clock of the pod comes first
RESUMED: Final = "last-event-id"


@dataclass(frozen=True)
class ToolsRoute:
    """Whose message it is, and for which ToolServer."""

    caller: Caller
    tools: Tools
    server: ToolServerSpec
    http: HttpServer

    @property
    def name(self) -> str:
        """The name of the ToolServer."""
        return self.tools.server or ""

    @property
    def label(self) -> str:
        """The kind of call, for metrics."""
        return "Tools"

    @property
    def place(self) -> dict[str, object]:
        """Where the message goes, for the log."""
        return {"server": self.name}

    @property
    def patience(self) -> float:
        """Seconds that an answer may take."""
        given = parse_duration(self.server.timeout) + _LATER if self.server.timeout else 0.0
        return min(given, _MOST_PATIENCE)


@dataclass(frozen=True)
class _Request:
    """What is sent to the server, but for the OAuth token."""

    method: str
    url: str
    given: list[tuple[str, str]]
    message: Message | None
    access: Access
    identity: dict[str, str]
    patience: float


class ToolServers:
    """Forwards the messages of agents. Every method raises CallRefused."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        authenticator: Authenticator,
        keys: Keys,
        tokens: Tokens,
        upstream: Upstream,
        identities: Identities | None = None,
    ) -> None:
        self._cluster = cluster
        self._authenticator = authenticator
        self._keys = keys
        self._tokens = tokens
        self._upstream = upstream
        self._identities = identities or Identities()

    async def route(self, call: Call) -> ToolsRoute:
        """Find out whose message it is, from the token alone, and for which ToolServer."""
        with translated():
            caller = await self._authenticator.authenticate(call.authorization, source=call.source)
            definition = await definition_of(self._cluster, caller)
            tools = tools_at(definition, path=caller.ref.path, position=call.position)
            server = await self._keys.tool_server(caller.pod.namespace, tools.server or "")
        if server.http is None:
            text = f"ToolServer {tools.server} is a program, which runs in the pod"
            raise CallRefused(CallRefusal.PATH, text)
        return ToolsRoute(caller, tools, server, server.http)

    async def forward(self, call: Call, route: ToolsRoute, stack: AsyncExitStack) -> Relayed:
        """Send a message; the answer arrives in pieces."""
        if call.path or call.query:
            found = f"{call.path}?{call.query}".rstrip("?")
            text = f"the ToolServer says where messages go; found {found!r:.100} after its position"
            raise CallRefused(CallRefusal.PATH, text)
        resumes = any(name == RESUMED for name, _ in call.headers)
        if call.method == "GET" and not resumes:
            # As a server that starts no messages itself: agents use none, and a stream that is
            # always open would take a place of each replica for each agent.
            return Relayed(405, {"allow": "POST, DELETE"}, once(b""))
        message = await self._message(call, route) if call.method == "POST" else None
        host = host_of(route.http.url)
        with translated():
            namespace = route.caller.pod.namespace
            access = await self._keys.of_server(namespace, route.http, host=host)
            client = await self._client(route, access)
        request = _Request(
            call.method,
            _with_query(route.http.url, access.query),
            [(name.lower(), value) for name, value in call.headers],
            message,
            access,
            self._identities.of(route.caller, host),
            route.patience,
        )
        answer, secrets = await self._answered(request, client)
        stack.callback(answer.close)
        # Not split: "Bearer" before a key is a word that results may have.
        forms = forms_of((*access.secrets, *secrets), split=False)
        return await _relayed(answer, host, forms)

    async def _message(self, call: Call, route: ToolsRoute) -> Message:
        raw = await call.body()
        if len(raw) <= _SMALL:
            return message_of(raw, tools=route.tools.names, server=route.name)
        return await asyncio.to_thread(message_of, raw, tools=route.tools.names, server=route.name)

    async def _client(self, route: ToolsRoute, access: Access) -> Client | None:
        oauth = route.http.auth.oauth if route.http.auth else None
        if oauth is None:
            return None
        hosts = (host_of(oauth.token_url), host_of(route.http.url))
        namespace = route.caller.pod.namespace
        secret = await self._keys.client_secret(namespace, oauth, hosts=hosts)
        return Client(oauth, secret, access.ca)

    async def _answered(
        self, request: _Request, client: Client | None
    ) -> tuple[Answer, tuple[str, ...]]:
        """The answer, and the secrets of OAuth that were sent; once more with a new token if the
        server refuses the first one."""
        if client is None:
            return await self._sent(request, ""), ()
        token = await self._tokens.of(client)
        answer = await self._sent(request, token)
        if answer.status == 401:
            answer.close()
            token = await self._tokens.of(client, refused=token)
            answer = await self._sent(request, token)
        return answer, (client.secret, token)

    async def _sent(self, request: _Request, token: str) -> Answer:
        sent = Sent(request.given, request.access.headers, token, request.identity)
        return await self._upstream.request(
            request.method,
            request.url,
            headers=sent.headers(request.message),
            body=request.message.encoded if request.message else b"",
            ca=request.access.ca,
            advice=OF_SERVER,
            patience=request.patience,
        )


def _with_query(url: str, query: tuple[tuple[str, str], ...]) -> str:
    return str(URL(url, encoded=True).with_query(query)) if query else url


async def _relayed(answer: Answer, host: str, forms: tuple[str, ...]) -> Relayed:
    if 300 <= answer.status < 400:
        answer.close()
        text = f"{host} answered {answer.status}, a redirect, which is not followed"
        raise CallRefused(CallRefusal.REDIRECT, f"{text}; {OF_SERVER.redirect}")
    given = answer.headers
    encoded = [v for n, v in given if n.lower() == "content-encoding" and v.lower() != "identity"]
    if encoded:
        answer.close()
        text = f"{host} compresses its answer unasked, so no key could be found in it"
        raise CallRefused(CallRefusal.KEY_IN_ANSWER, text)
    sent = {name: redacted(value, forms) for name, value in tool_servers.to_pod(given).items()}
    return Relayed(answer.status, sent, _redacted(answer, Redaction(forms)))


async def _redacted(answer: Answer, redaction: Redaction) -> AsyncIterator[bytes]:
    """The answer as it arrives, without the keys that were sent."""
    pieces = answer.pieces()
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if shown := redaction.next(piece):
                yield shown
    if rest := redaction.end():
        yield rest
