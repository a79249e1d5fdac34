"""Many agents of several runs behind model gateways, and a provider that counts each minute."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import uvicorn
from aiohttp import web
from waypost.gateway.server import connections
from waypost.kube.egress.addresses import AddressRules
from waypost.kube.manifests.tokens import MODELS_TOKEN
from waypost.model_gateway.app import build_app
from waypost.model_gateway.main import assemble
from waypost.model_gateway.metrics import ModelMetrics
from waypost.model_gateway.settings import ModelGatewaySettings
from waypost.model_gateway.upstream import Upstream
from waypost.ports.cluster import Kind, Obj

from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster
from tests.gateway.place import MOMENT, NAMESPACE, Cluster, make_pod, reviewed, token_of
from tests.model_gateway.place import ANSWER, LOCAL

MINUTE = 60.0
PROVIDER = "strict"


@dataclass
class Strict:
    """Refuses what is more than its limit in any minute."""

    limit: int
    now: Callable[[], float]
    answered: list[float] = field(default_factory=list)
    refused: int = 0

    def takes(self) -> bool:
        """Whether a call is answered."""
        now = self.now()
        if sum(now - at < MINUTE for at in self.answered) >= self.limit:
            self.refused += 1
            return False
        self.answered.append(now)
        return True

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        if not self.takes():
            return web.json_response({}, status=429, headers={"retry-after": "60"})
        await asyncio.sleep(0.2)
        return web.json_response(ANSWER)


@dataclass(frozen=True)
class Agent:
    """An agent of a run: its path in the gateway is that of every agent, its token is its own."""

    run: str
    node: str
    token: str


def crowd(cluster: Cluster, *, runs: int, agents: int, url: str, limit: int) -> list[Agent]:
    """Agents that all run now, and their provider."""
    server = cluster.inner.server
    spec: Obj = {"type": "OpenAI", "baseURL": url, "rateLimits": {"requestsPerMinute": limit}}
    body: Obj = {"apiVersion": Kind.MODEL_PROVIDER.api_version, "kind": Kind.MODEL_PROVIDER.kind}
    body |= {"metadata": {"name": PROVIDER}, "spec": spec}
    server.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=body, by="test")
    names = [f"a{at}" for at in range(agents)]
    made = []
    for number in range(runs):
        run = f"run-{number}"
        uid = _run(cluster, run, names)
        for name in names:
            pod = make_pod(cluster.inner, f"{run}-{name}-1-x", **_attempt(run, uid, name))
            token = token_of(f"{run}-{name}", audience=(MODELS_TOKEN.audience,))
            cluster.tokens[token] = reviewed(pod, audiences=[MODELS_TOKEN.audience])
            made.append(Agent(run, name, token))
    return made


def _attempt(run: str, uid: str, node: str) -> Obj:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": f"{run}-{node}-1", "uid": "u"}
    labels = {"run": uid, "node": node, "attempt": "1", "round": "1"}
    return {
        "run_uid": uid,
        "labels": {f"waypost.dev/{key}": value for key, value in labels.items()},
        "annotations": {"waypost.dev/run-name": run, "waypost.dev/path": node},
        "ownerReferences": [{**owner, "controller": True}],
    }


def _run(cluster: Cluster, name: str, nodes: list[str]) -> str:
    """Create a run whose nodes all run; its uid."""
    agent = {"prompt": "Go", "model": {"provider": PROVIDER, "name": "small"}}
    body: Obj = {"apiVersion": Kind.AGENT_WORKFLOW.api_version, "kind": "AgentWorkflow"}
    body |= {"metadata": {"name": name}}
    body |= {"spec": {"nodes": [{"name": node, "agent": agent} for node in nodes]}}
    server = cluster.inner.server
    made = server.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=body, by="test")

    def change(found: Obj) -> None:
        attempts = [
            (node, {"number": 1, "job": f"{name}-{node}-1", "launchedAt": MOMENT}) for node in nodes
        ]
        listed = [{"path": n, "phase": "Running", "attempts": [a]} for n, a in attempts]
        found["status"] = {"phase": "Running", "nodes": listed}

    server.update(
        Kind.AGENT_WORKFLOW,
        namespace=NAMESPACE,
        name=name,
        change=change,
        subresource="status",
        by="test",
    )
    return str(made["metadata"]["uid"])


@asynccontextmanager
async def gateways(count: int, *, runs: int, agents: int, limit: int) -> AsyncIterator["Crowd"]:
    """Real model gateways on ports of this machine, before a provider on another port."""
    strict = Strict(limit, asyncio.get_running_loop().time)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", strict.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    cluster = Cluster(InMemoryCluster(clock=ManualClock()))
    url = f"http://127.0.0.1:{port}/v1"
    made = crowd(cluster, runs=runs, agents=agents, url=url, limit=limit)
    upstream = Upstream(rules=AddressRules(forbidden=(), private_hosts=LOCAL))
    hosts = Upstream(rules=AddressRules(), once=True)
    servers = [_server(cluster, upstream, hosts, count) for _ in range(count)]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    try:
        for server, task in zip(servers, tasks, strict=True):
            while not server.started:
                assert not task.done()
                await asyncio.sleep(0.01)
        ports = [server.servers[0].sockets[0].getsockname()[1] for server in servers]
        yield Crowd(made, strict, [f"http://127.0.0.1:{at}" for at in ports])
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)
        await upstream.close()
        await hosts.close()
        await runner.cleanup()


def _server(cluster: Cluster, upstream: Upstream, hosts: Upstream, count: int) -> uvicorn.Server:
    settings = ModelGatewaySettings(models_replicas=count)
    made = assemble(
        settings,
        cluster=cluster,
        upstream=upstream,
        hosts=hosts,
        metrics=ModelMetrics(),
    )
    config = connections.uvicorn_config(
        build_app(made), host="127.0.0.1", port=0, connections_=512, shutdown_seconds=1, tls=None
    )
    return uvicorn.Server(config)


@dataclass(frozen=True)
class Crowd:
    """Agents, and the gateways that they call: each agent always the same one."""

    agents: list[Agent]
    strict: Strict
    urls: list[str]

    async def call(self, calls: int) -> list[tuple[Agent, list[int]]]:
        """Let each agent make calls, one after the other; the statuses of their answers."""
        homes = itertools.cycle(self.urls)
        pairs = [(agent, next(homes)) for agent in self.agents]
        statuses = await asyncio.gather(*(_calls(*pair, calls) for pair in pairs))
        return list(zip(self.agents, statuses, strict=True))


async def _calls(agent: Agent, url: str, calls: int) -> list[int]:
    headers = {"authorization": f"Bearer {agent.token}"}
    body = {"model": "small", "messages": [{"role": "user", "content": agent.node}]}
    found: list[int] = []
    async with httpx2.AsyncClient(base_url=url, timeout=300.0) as client:
        while len(found) < calls:
            answer = await client.post("/v1/model/0/chat/completions", json=body, headers=headers)
            if answer.status_code == 503:  # too many tokens to review at once: as an agent does
                await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
                continue
            found.append(answer.status_code)
    return found
