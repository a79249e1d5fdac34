"""A model gateway before the in-memory cluster, a run whose agent calls models, and a provider that
notes what it is sent."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import httpx2
from aiohttp import web
from waypost.gateway.authentication import Authenticator
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.kube.egress.addresses import AddressRules
from waypost.kube.manifests.tokens import MODELS_TOKEN
from waypost.model_gateway.app import ModelGateway, build_app
from waypost.model_gateway.calls import Calls
from waypost.model_gateway.core.addresses import HOSTS_ANNOTATION
from waypost.model_gateway.core.budget import Budgets
from waypost.model_gateway.exchange import Identities
from waypost.model_gateway.http_requests import Requests
from waypost.model_gateway.keys import Keys
from waypost.model_gateway.metrics import ModelMetrics
from waypost.model_gateway.oauth import Tokens
from waypost.model_gateway.pacing import Pacing
from waypost.model_gateway.tools import ToolServers
from waypost.model_gateway.upstream import Times, Upstream
from waypost.ports.cluster import Kind, Obj

from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster
from tests.gateway.place import Cluster, change_object, reviewed, run_with_pod, token_of

NAMESPACE = "default"
LOCAL = (ip_network("127.0.0.0/8"),)
KEY = "sk-canary-7d1e5f0a"
TOKEN = token_of("draft", audience=("waypost-models",))
CHAT = "/v1/model/0/chat/completions"
ASK: Obj = {"model": "small", "messages": [{"role": "user", "content": "a private question"}]}
ANSWER: Obj = {"choices": [{"message": {"content": "a private answer"}}]}

# A definition, or what makes one for the host of the provider.
Definition = Obj | None | Callable[[str], Obj]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Provider:
    """A provider of models on a port of this machine, and the calls that it got."""

    port: int = 0
    calls: list[tuple[web.Request, bytes]] = field(default_factory=list)
    handler: Handler | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request, await request.read()))
        if self.handler is not None:
            return await self.handler(request)
        return web.json_response(ANSWER, headers={"x-request-id": "r1", "set-cookie": "a=b"})


@dataclass
class Place:
    """What a test moves."""

    cluster: Cluster
    clock: ManualClock
    provider: Provider
    pod: Obj
    gateway: ModelGateway
    client: httpx2.AsyncClient

    async def call(
        self, path: str = CHAT, body: Any = ASK, *, token: str | None = TOKEN, **headers: str
    ) -> httpx2.Response:
        """A call as the pod of `draft` makes it."""
        sent = {"content-type": "application/json", **headers}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(path, content=content, headers=sent)

    def put(self, kind: Kind, name: str, **parts: Any) -> None:
        """Create an object, or replace it."""
        server = self.cluster.inner.server
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            **parts,
            "metadata": {"name": name, **parts.get("metadata", {})},
        }

        def change(found: Obj) -> None:
            found.update({key: value for key, value in body.items() if key != "metadata"})
            found["metadata"].update(body["metadata"])

        known = any(one["metadata"]["name"] == name for one in server.list(kind).items)
        if known:
            server.update(kind, namespace=NAMESPACE, name=name, change=change, by="test")
        else:
            server.create(kind, namespace=NAMESPACE, body=body, by="test")

    def update(self, kind: Kind, name: str, **paths: Any) -> None:
        """As `change_object`."""
        change_object(self.cluster.inner, kind, name, **paths)

    def secret(self, text: str = KEY, *, hosts: str | None = None, key: str = "api-key") -> None:
        """The Secret with the key; `hosts`: default the address of the provider."""
        allowed = self.provider.host if hosts is None else hosts
        self.put(
            Kind.SECRET,
            "keys",
            data={key: base64.b64encode(text.encode()).decode()},
            metadata={"annotations": {HOSTS_ANNOTATION: allowed} if allowed else {}},
        )

    def model_provider(self, **spec: Any) -> None:
        """The ModelProvider of the agent."""
        made = {
            "type": "OpenAI",
            "baseURL": f"http://{self.provider.host}/v1",
            "apiKey": {"name": "keys", "key": "api-key"},
        }
        spec = {key: value for key, value in (made | spec).items() if value is not None}
        self.put(Kind.MODEL_PROVIDER, "scripted", spec=spec)

    def counted(self, result: str, *, type_: str = "OpenAI") -> float:
        labels = {"type": type_, "result": result}
        found = self.gateway.metrics.registry.get_sample_value(
            "waypost_model_gateway_calls_total", labels
        )
        return found or 0.0


def agent_of(*models: str) -> Obj:
    """A definition with the agent `draft`."""
    refs = [{"provider": "scripted", "name": name} for name in models]
    agent: Obj = {"prompt": "Go", **({"model": refs[0]} if len(refs) == 1 else {"models": refs})}
    return {"nodes": [{"name": "draft", "agent": agent}]}


@asynccontextmanager
async def place(
    *,
    definition: Definition = None,
    from_template: bool = False,
    rules: AddressRules | None = None,
    times: Times | None = None,
    largest: int = 1024 * 1024,
    identity: bool = False,
) -> AsyncIterator[Place]:
    """Attempt 2 of the agent `draft` is in progress; the token of its pod is TOKEN."""
    provider = Provider()
    async with (
        _serving(provider),
        _before(
            provider,
            definition=definition,
            from_template=from_template,
            rules=rules,
            times=times,
            largest=largest,
            identity=identity,
        ) as there,
    ):
        yield there


@asynccontextmanager
async def _before(
    provider: Provider,
    *,
    definition: Definition,
    from_template: bool,
    rules: AddressRules | None,
    times: Times | None,
    largest: int,
    identity: bool,
) -> AsyncIterator[Place]:
    clock = ManualClock()
    inner = InMemoryCluster(clock=clock)
    cluster = Cluster(inner)
    made = definition(provider.host) if callable(definition) else definition
    pod = run_with_pod(inner, made or agent_of("small"), from_template=from_template)
    cluster.tokens[TOKEN] = reviewed(pod, audiences=[MODELS_TOKEN.audience])
    rules = rules or AddressRules(forbidden=(), private_hosts=LOCAL)
    upstream = Upstream(rules=rules, times=times)
    hosts = Upstream(rules=rules, times=times, once=True)
    authenticator = Authenticator(
        cluster=cluster,
        accepted=MODELS_TOKEN,
        monotonic=clock.monotonic,
        now=lambda: clock.now().timestamp(),
    )
    keys = Keys(cluster=cluster, monotonic=clock.monotonic)
    identities = Identities(frozenset({provider.host} if identity else ()))
    calls = Calls(
        cluster=cluster,
        authenticator=authenticator,
        keys=keys,
        upstream=upstream,
        pacing=Pacing(monotonic=time.monotonic),
        budgets=Budgets(),
        identities=identities,
    )
    bodies = UploadLimiter(room=64 * 1024 * 1024, seconds=5.0)
    requests = Requests(
        cluster=cluster,
        authenticator=authenticator,
        keys=keys,
        upstream=hosts,
        identities=identities,
    )
    tools = ToolServers(
        cluster=cluster,
        authenticator=authenticator,
        keys=keys,
        tokens=Tokens(upstream=hosts, monotonic=clock.monotonic),
        upstream=hosts,
        identities=identities,
    )
    gateway = ModelGateway(calls, requests, tools, bodies, ModelMetrics(), largest)
    transport = httpx2.ASGITransport(app=build_app(gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="http://models") as client:
        there = Place(cluster, clock, provider, pod, gateway, client)
        there.secret()
        there.model_provider()
        try:
            yield there
        finally:
            await hosts.close()
            await upstream.close()
        assert bodies.in_flight == 0, "what was received is given back"
        open_ = {**gateway.slots.open, **gateway.tool_slots.open}
        assert not open_, "every slot is given back"


@asynccontextmanager
async def _serving(provider: Provider) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    provider.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
