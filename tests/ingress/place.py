"""An ingress before the in-memory cluster, and the EventSources that a test makes."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from waypost.adapters.outbound.documents import DocumentError
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.ingress.app import Ingress, build_app
from waypost.ingress.core.rates import Rates
from waypost.ingress.deliveries import Deliveries
from waypost.ingress.directory import Directory
from waypost.ingress.issuers import Issuers
from waypost.ingress.keys import Keys
from waypost.ingress.metrics import IngressMetrics
from waypost.ports.cluster import Kind, Obj
from waypost.ports.offload import inline

from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster

NAMESPACE = "default"
SECRET = "It's a Secret to Everybody"
RULE: Obj = {"event": {"name": "push", "key": "${body.repository}", "payload": "${body}"}}
PUSH: Obj = {"repository": "octo/hello", "after": "1f2d"}
PATH = f"/v1/events/{NAMESPACE}/github"


def hmac_auth(preset: str = "GitHub", *keys: str) -> Obj:
    """The auth of a source with a preset."""
    secrets = [{"name": "hook", "key": key} for key in keys or ("secret",)]
    return {"hmac": {"preset": preset, "secrets": secrets}}


BEARER: Obj = {"bearer": {"tokens": [{"name": "hook", "key": "secret"}]}}


def source_spec(**spec: Any) -> Obj:
    """The spec of a source as GitHub uses it; None leaves a field out."""
    made = {"auth": hmac_auth(), "rules": [RULE], **spec}
    return {key: value for key, value in made.items() if value is not None}


def github(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers of a request of GitHub."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}"}


def encoded(body: Any) -> bytes:
    """The body of a request."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@dataclass
class Outside:
    """The documents of issuers, by URL. One that is missing cannot be read."""

    documents: dict[str, bytes] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    async def document(self, url: str) -> bytes:
        """What `Documents.read` does."""
        self.read.append(url)
        if url not in self.documents:
            raise DocumentError(f"{url} is not there")
        return self.documents[url]


@dataclass
class Place:
    """What a test moves."""

    cluster: InMemoryCluster
    clock: ManualClock
    ingress: Ingress
    client: httpx2.AsyncClient
    outside: Outside

    def secret(self, **data: str) -> None:
        """The Secret `hook`."""
        values = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        self.put(Kind.SECRET, "hook", data=values)

    def source(self, name: str = "github", *, namespace: str = NAMESPACE, **spec: Any) -> None:
        """An EventSource."""
        self.put(Kind.EVENT_SOURCE, name, namespace=namespace, spec=source_spec(**spec))

    def put(self, kind: Kind, name: str, *, namespace: str = NAMESPACE, **parts: Any) -> None:
        """Create an object."""
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name},
            **parts,
        }
        self.cluster.server.create(kind, namespace=namespace, body=body, by="test")

    def events(self) -> list[Obj]:
        """All WorkflowEvents."""
        return list(self.cluster.server.list(Kind.WORKFLOW_EVENT).items)

    async def post(
        self, body: Any = PUSH, headers: dict[str, str] | None = None, *, path: str = PATH
    ) -> httpx2.Response:
        """A request, signed as GitHub does it if no headers are given."""
        content = encoded(body)
        sent = {"content-type": "application/json"}
        sent |= github(content) if headers is None else headers
        return await self.client.post(path, content=content, headers=sent)

    def counted(self, result: str) -> float:
        """How many requests ended so."""
        name = "waypost_ingress_requests_total"
        found = self.ingress.metrics.registry.get_sample_value(name, {"result": result})
        return found or 0.0


@asynccontextmanager
async def place(
    *, largest: int = 1024 * 1024, seconds: float = 30.0, namespaces: tuple[str, ...] = ()
) -> AsyncIterator[Place]:
    """An ingress with a Secret, and no sources yet."""
    clock = ManualClock()
    cluster = InMemoryCluster(clock=clock, namespaces=(NAMESPACE, "other"))
    rates, outside = Rates(), Outside()
    deliveries = Deliveries(
        cluster=cluster,
        directory=Directory(
            cluster=cluster,
            namespaces=namespaces,
            monotonic=clock.monotonic,
            listed=rates.forget_others,
        ),
        keys=Keys(cluster=cluster, monotonic=clock.monotonic),
        issuers=Issuers(read=outside.document, monotonic=clock.monotonic),
        rates=rates,
        offload=inline,
        now=lambda: clock.now().timestamp(),
        monotonic=clock.monotonic,
    )
    bodies = UploadLimiter(room=8 * 1024 * 1024, seconds=seconds)
    ingress = Ingress(deliveries, bodies, IngressMetrics(), largest, seconds)
    transport = httpx2.ASGITransport(app=build_app(ingress))
    async with httpx2.AsyncClient(transport=transport, base_url="http://ingress") as client:
        made = Place(cluster, clock, ingress, client, outside)
        made.secret(secret=SECRET)
        yield made
        assert bodies.in_flight == 0, "what was received is given back"
