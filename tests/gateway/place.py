"""A gateway before the in-memory cluster, a run with one running attempt, and its pod's token."""

import base64
import json
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from waypost.api import meta
from waypost.gateway.app import Gateway, build_app
from waypost.gateway.artifacts.routes import ArtifactRoutes
from waypost.gateway.artifacts.store import ArtifactStore
from waypost.gateway.authentication import Authenticator
from waypost.gateway.journals import Journals
from waypost.gateway.metrics import GatewayMetrics
from waypost.gateway.output_validation import OutputValidator
from waypost.gateway.payload_store import Objects, PayloadStore
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.kube import node_records
from waypost.kube.manifests.attempt_job import Owner
from waypost.kube.manifests.tokens import GATEWAY_TOKEN
from waypost.ports.cluster import Kind, Obj
from waypost.protocol import ijson

from tests.fakes.client import Client
from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster

NAMESPACE = "default"
RUN = "brief"
IN_2100 = 4102444800


def token_of(name: str, *, audience: Any = ("waypost-gateway",), expires: Any = IN_2100) -> str:
    """A token that says of itself that it is for the gateway; what it proves, the review says."""
    parts = ({"alg": "RS256"}, {"aud": audience, "exp": expires, "sub": name})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join(part.rstrip("=") for part in (*encoded, "c2lnbg"))


TOKEN = token_of("draft")
URL = "http://gateway"
MOMENT = "2026-03-01T09:00:00Z"


@dataclass
class Cluster:
    """The in-memory cluster, with an API server that reviews tokens."""

    inner: InMemoryCluster
    tokens: dict[str, Obj] = field(default_factory=dict)  # token -> status of its review
    reviews: int = 0

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        if kind is not Kind.TOKEN_REVIEW:
            return await self.inner.create(kind, namespace=namespace, body=body)
        self.reviews += 1
        assert namespace == ""
        known = self.tokens.get(body["spec"]["token"], {"authenticated": False})
        return {**body, "status": known}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def change_object(inner: InMemoryCluster, kind: Kind, name: str, **paths: Any) -> None:
    """Change an object: `a__b=value` replaces /a/b; a list index is a number."""

    def change(body: Obj) -> None:
        for path, value in paths.items():
            at: Any = body
            *steps, last = [int(s) if s.isdecimal() else s for s in path.split("__")]
            for step in steps:
                at = at[step]
            at[last] = value

    names = {path.partition("__")[0] for path in paths}
    inner.server.update(
        kind,
        namespace=NAMESPACE,
        name=name,
        change=change,
        subresource="status" if names == {"status"} else "",
        by="test",
    )


@dataclass
class Place:
    """What a test moves: the cluster, time, and the gateway between them."""

    cluster: Cluster
    clock: ManualClock
    gateway: Gateway
    client: httpx2.AsyncClient

    async def put(
        self,
        body: bytes | AsyncIterator[bytes] | Iterable[bytes],
        *,
        type_: str = "result",
        token: str | None = TOKEN,
        digest: str | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """Hand in a body; with its true digest unless another is given."""
        if digest is None:
            assert isinstance(body, bytes)
            digest = ijson.digest(json.loads(body))
        sent = {"waypost-digest": digest, **headers}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return await self.client.put(f"/v1/payloads/{type_}", content=body, headers=sent)

    async def get(self, type_: str, *, token: str = TOKEN) -> httpx2.Response:
        """Ask for a payload of the own attempt."""
        headers = {"authorization": f"Bearer {token}"}
        return await self.client.get(f"/v1/payloads/{type_}", headers=headers)

    async def append(
        self, number: int | str, document: Any, *, token: str = TOKEN, **headers: str
    ) -> httpx2.Response:
        """Append a segment to the journal of the own node."""
        body = ijson.canonical(document)
        sent = {"waypost-digest": ijson.digest(document), "authorization": f"Bearer {token}"}
        return await self.client.put(
            f"/v1/journal/{number}", content=body, headers={**sent, **headers}
        )

    async def journal(self, *, after: int | str = 0, token: str = TOKEN) -> httpx2.Response:
        """Ask for the journal of the own node."""
        headers = {"authorization": f"Bearer {token}"}
        return await self.client.get("/v1/journal", params={"after": after}, headers=headers)

    def attempt(self, number: int, *, token: str) -> Obj:
        """Attempt `number` takes the place of the one before; its pod, whose token that is."""
        run = self.cluster.inner.server.get(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, name=RUN)
        launched = {"number": number, "job": f"brief-draft-{number}", "launchedAt": MOMENT}
        self.update(Kind.AGENT_WORKFLOW, RUN, status__nodes__0__attempts=[launched])
        pod = make_pod(
            self.cluster.inner,
            f"brief-draft-{number}-x",
            run_uid=run["metadata"]["uid"],
            attempt=number,
        )
        self.cluster.tokens[token] = reviewed(pod)
        return pod

    def update(self, kind: Kind, name: str, **paths: Any) -> None:
        """As `change_object`."""
        change_object(self.cluster.inner, kind, name, **paths)

    def records(self) -> list[Obj]:
        """All NodeRecords."""
        return list(self.cluster.inner.server.list(Kind.NODE_RECORD).items)

    def counted(self, result: str, *, method: str = "PUT", type_: str = "result") -> float:
        """How often that was the end of a request."""
        labels = {"method": method, "type": type_, "result": result}
        name = "waypost_gateway_requests_total"
        return self.gateway.metrics.registry.get_sample_value(name, labels) or 0.0

    def as_user(self) -> Client:
        return self.cluster.inner.as_user("somebody")


def reviewed(pod: Obj, **changes: Any) -> Obj:
    """The review of a good token that is bound to this pod."""
    metadata = pod["metadata"]
    user = {
        "username": f"system:serviceaccount:{NAMESPACE}:default",
        "extra": {
            "authentication.kubernetes.io/pod-name": [metadata["name"]],
            "authentication.kubernetes.io/pod-uid": [metadata["uid"]],
        },
    }
    made = {"authenticated": True, "audiences": ["waypost-gateway"], "user": user}
    return {**made, **changes}


@asynccontextmanager
async def place(
    *,
    objects: Objects | None = None,
    room: int = 64 * 1024 * 1024,
    seconds: float = 5.0,
    output_schema: Any = None,
    from_template: bool = False,
) -> AsyncIterator[Place]:
    """Run `brief` is active: attempt 2 of its node `draft` has a pod, whose token is TOKEN. Its
    nodes stand in its spec, or in the record of what it took from a template."""
    clock = ManualClock()
    inner = InMemoryCluster(clock=clock)
    cluster = Cluster(inner)
    node = {"name": "draft", "python": {"source": "def run():\n    return 1\n"}}
    if output_schema is not None:
        node["outputSchema"] = output_schema
    pod = run_with_pod(inner, {"nodes": [node]}, from_template=from_template)
    cluster.tokens[TOKEN] = reviewed(pod)
    uploads = UploadLimiter(room=room, seconds=seconds)
    authenticator = Authenticator(
        cluster=cluster,
        accepted=GATEWAY_TOKEN,
        monotonic=clock.monotonic,
        now=lambda: clock.now().timestamp(),
    )
    metrics = GatewayMetrics()
    gateway = Gateway(
        authenticator=authenticator,
        uploads=uploads,
        store=PayloadStore(cluster=cluster, objects=objects, largest=32 * 1024 * 1024),
        journals=Journals(cluster=cluster),
        validator=OutputValidator(),
        metrics=metrics,
        artifacts=ArtifactRoutes(
            authenticator=authenticator,
            uploads=uploads,
            store=ArtifactStore(cluster=cluster, objects_=objects),
            metrics=metrics,
            stall=seconds,
        ),
    )
    transport = httpx2.ASGITransport(app=build_app(gateway))
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
        yield Place(cluster, clock, gateway, client)
        assert uploads.in_flight == 0, "what was taken in is given back"


def run_with_pod(inner: InMemoryCluster, definition: Obj, *, from_template: bool) -> Obj:
    """The pod of attempt 2 of node `draft` of a run with this definition."""
    body = {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "metadata": {"name": RUN},
        "spec": {"templateRef": {"name": "t"}} if from_template else definition,
    }
    server = inner.server
    run = server.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=body, by="test")
    ended = {"number": 1, "job": "brief-draft-1", "launchedAt": MOMENT, "finishedAt": MOMENT}
    under_way = {"number": 2, "job": "brief-draft-2", "launchedAt": MOMENT}
    draft = {
        "path": "draft",
        "phase": "Running",
        "attempts": [ended, under_way],
        "inputDigest": "sha256:of-the-inputs",
    }
    status: Obj = {"phase": "Running", "nodes": [draft]}
    uid = run["metadata"]["uid"]
    if from_template:
        owner = Owner(name=RUN, namespace=NAMESPACE, uid=uid).reference()
        record = node_records.definition(definition, owner=owner, namespace=NAMESPACE)
        assert record is not None
        server.create(Kind.NODE_RECORD, namespace=NAMESPACE, body=record, by="test")
        digest, named = record["spec"]["digest"], record["metadata"]["name"]
        pin = {"name": "t", "uid": "u", "generation": 1, "digest": digest, "record": named}
        status["template"] = pin

    def change(found: Obj) -> None:
        found["status"] = {**found.get("status", {}), **status}

    server.update(
        Kind.AGENT_WORKFLOW,
        namespace=NAMESPACE,
        name=RUN,
        change=change,
        subresource="status",
        by="test",
    )
    return make_pod(inner, "brief-draft-2-x", run_uid=uid)


def make_pod(
    inner: InMemoryCluster, name: str, *, run_uid: str, attempt: int = 2, **metadata: Any
) -> Obj:
    """A pod as the Job controller makes it for an attempt of node `draft`."""
    labels = {
        meta.LABEL_RUN: run_uid,
        meta.LABEL_NODE: "draft",
        meta.LABEL_ATTEMPT: str(attempt),
        meta.LABEL_ROUND: "1",
    }
    job = f"brief-draft-{attempt}"
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": "job-uid"}
    made = {
        "name": name,
        "labels": labels,
        "annotations": {meta.ANNOTATION_RUN_NAME: RUN, meta.ANNOTATION_PATH: "draft"},
        "ownerReferences": [{**owner, "controller": True}],
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**made, **metadata},
        "spec": {
            "nodeName": "m",
            "restartPolicy": "Never",
            "containers": [{"name": "node", "image": "i"}],
        },
    }
    return inner.server.create(Kind.POD, namespace=NAMESPACE, body=body, by="test")


def noise(size: int) -> bytes:
    """A payload that does not compress."""
    text = base64.b85encode(random.Random(7).randbytes(size * 4 // 5)).decode()
    return ijson.canonical({"noise": text})
