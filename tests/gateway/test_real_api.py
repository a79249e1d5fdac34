"""The gateway before a real API server: real tokens, bound to real pods, and records in etcd.

The pods are never scheduled: what counts is that they live, not that they run.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from waypost.adapters.credentials import KubeconfigSource
from waypost.adapters.kube import KubeCluster
from waypost.api import meta
from waypost.gateway.app import build_app
from waypost.gateway.main import assemble
from waypost.gateway.metrics import GatewayMetrics
from waypost.gateway.settings import GatewaySettings
from waypost.kube import node_records
from waypost.ports.cluster import Kind, Obj, PatchType
from waypost.protocol import ijson

from tests.gateway.place import noise
from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.real_api
NODES = ("one", "two", "three")


@dataclass
class Site:
    """A run whose nodes all have a pod, and the gateway."""

    kubectl: Kubectl
    cluster: KubeCluster
    client: httpx2.AsyncClient
    pods: dict[str, Obj]

    def token(self, node: str, *, audience: str = "waypost-gateway", bound: bool = True) -> str:
        """A token as the kubelet projects it."""
        metadata = self.pods[node]["metadata"]
        binding = (
            "--bound-object-kind=Pod",
            f"--bound-object-name={metadata['name']}",
            f"--bound-object-uid={metadata['uid']}",
        )
        made = self.kubectl.run(
            "create", "token", "default", f"--audience={audience}", *(binding if bound else ())
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    async def put(self, token: str, body: bytes) -> httpx2.Response:
        headers = {
            "authorization": f"Bearer {token}",
            "waypost-digest": ijson.digest(json.loads(body)),
        }
        return await self.client.put("/v1/payloads/result", content=body, headers=headers)


@asynccontextmanager
async def site(kubectl: Kubectl) -> AsyncIterator[Site]:
    """Made by hand what operator and Job controller would make."""
    cluster = KubeCluster(
        credentials=KubeconfigSource(path=kubectl.kubeconfig), telemetry=GatewayMetrics()
    )
    name = f"g-{uuid.uuid4().hex[:8]}"
    try:
        run = await _run(cluster, kubectl.namespace, name)
        pods = {node: await _pod(cluster, run, node) for node in NODES}
        gateway = assemble(
            GatewaySettings(), cluster=cluster, bucket=None, metrics=GatewayMetrics()
        )
        transport = httpx2.ASGITransport(app=build_app(gateway))
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Site(kubectl, cluster, client, pods)
    finally:
        await cluster.close()


async def _run(cluster: KubeCluster, namespace: str, name: str) -> Obj:
    nodes = [{"name": n, "python": {"source": "def run():\n    return 1\n"}} for n in NODES]
    body = {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "metadata": {"name": name},
        "spec": {"nodes": nodes, "suspend": True},
    }
    await cluster.create(Kind.AGENT_WORKFLOW, namespace=namespace, body=body)
    moment = "2026-03-01T09:00:00Z"
    status = [
        {
            "path": node,
            "phase": "Running",
            "attempt": 1,
            "inputDigest": "sha256:of-the-inputs",
            "attempts": [{"number": 1, "job": f"{name}-{node}", "launchedAt": moment}],
        }
        for node in NODES
    ]
    return await cluster.patch(
        Kind.AGENT_WORKFLOW,
        namespace=namespace,
        name=name,
        body={"status": {"nodes": status}},
        patch_type=PatchType.MERGE,
        subresource="status",
    )


async def _pod(cluster: KubeCluster, run: Obj, node: str, **metadata: Any) -> Obj:
    name, namespace, uid = (run["metadata"][key] for key in ("name", "namespace", "uid"))
    job = {"apiVersion": "batch/v1", "kind": "Job", "name": f"{name}-{node}"}
    nobodys = {
        **{key: job[key] for key in ("apiVersion", "kind")},
        "metadata": {"name": job["name"]},
        "spec": {
            "managedBy": "waypost.dev/tests",  # the Job controller would make more pods
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "n", "image": "i"}]}
            },
        },
    }
    made = await cluster.create(Kind.JOB, namespace=namespace, body=nobodys)
    labels = {
        meta.LABEL_RUN: uid,
        meta.LABEL_NODE: node,
        meta.LABEL_ATTEMPT: "1",
        meta.LABEL_ROUND: "1",
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{node}-x",
            "labels": labels,
            "annotations": {meta.ANNOTATION_RUN_NAME: name, meta.ANNOTATION_PATH: node},
            "ownerReferences": [{**job, "uid": made["metadata"]["uid"], "controller": True}],
            **metadata,
        },
        "spec": {
            "schedulerName": "nobody",
            "containers": [{"name": "node", "image": "i"}],
        },
    }
    return await cluster.create(Kind.POD, namespace=namespace, body=body)


async def test_what_the_api_server_takes(kube_context: Kubectl) -> None:
    async with site(kube_context) as s:
        small = ijson.canonical({"text": "lorem ipsum " * 25_000})
        largest = noise(node_records.EVALUATED - 100)
        for node, body in (("one", small), ("two", largest)):
            token = s.token(node)
            first = await s.put(token, body)
            assert first.status_code == 201, first.text
            assert (await s.put(token, body)).status_code == 200
            assert (await s.put(token, b"1")).json()["reason"] == "AlreadyStored"
            headers = {"authorization": f"Bearer {token}"}
            got = await s.client.get("/v1/payloads/result", headers=headers)
            assert got.content == body


async def test_whose_token_it_is(kube_context: Kubectl) -> None:
    async with site(kube_context) as s:
        for token, reason in (
            (s.token("one", audience="https://kubernetes.default.svc"), "TokenRefused"),
            (s.token("one", bound=False), "NotAPod"),
        ):
            assert (await s.put(token, b"1")).json()["reason"] == reason
        theirs = s.token("three")
        pod = s.pods["three"]["metadata"]
        await s.cluster.delete(Kind.POD, namespace=pod["namespace"], name=pod["name"])
        for _ in range(50):
            refused = await s.put(theirs, b"1")
            assert refused.status_code in (401, 403), refused.text
            if refused.json()["reason"] in ("TokenRefused", "PodGone"):
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("the token of a pod that is gone is still taken")


async def test_journal_in_etcd(kube_context: Kubectl) -> None:
    async with site(kube_context) as s:
        token = s.token("one")
        headers = {"authorization": f"Bearer {token}"}
        segments = [{"v": 1, "text": "short"}, {"v": 1, "text": "x" * 100_000}]
        for number, document in enumerate(segments, start=1):
            sent = {**headers, "waypost-digest": ijson.digest(document)}
            address, body = f"/v1/journal/{number}", ijson.canonical(document)
            for status in (201, 200):
                answer = await s.client.put(address, content=body, headers=sent)
                assert answer.status_code == status, answer.text
        other = {**headers, "waypost-digest": ijson.digest(1)}
        moved = await s.client.put("/v1/journal/2", content=b"1", headers=other)
        assert (moved.status_code, moved.json()["reason"]) == (409, "JournalMoved")
        page = (await s.client.get("/v1/journal", headers=headers)).json()
        assert [each["document"] for each in page["segments"]] == segments
        assert (await s.client.get("/v1/journal?after=2", headers=headers)).json()["more"] is False
        theirs = {"authorization": f"Bearer {s.token('two')}"}
        page = (await s.client.get("/v1/journal", headers=theirs)).json()
        assert page == {"segments": [], "more": False}
