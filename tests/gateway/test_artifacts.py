"""Artifacts at the gateway: it stores what was announced, and a pod reads what was pinned."""

import base64
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from obstore.store import MemoryStore
from waypost.api import meta
from waypost.gateway.artifacts.store import PART
from waypost.gateway.objects import Bucket
from waypost.gateway.payload_store import ObjectError, Objects
from waypost.kube import node_records
from waypost.kube.manifests.attempt_job import Owner
from waypost.kube.payloads import AttemptRef
from waypost.ports.cluster import Kind, NotFound, Obj
from waypost.protocol.artifacts.request import Content
from waypost_node.artifacts.entries import Entry

from tests.gateway.place import NAMESPACE, TOKEN, Place, place, token_of
from tests.runner.artifacts.tars import compressed, content_of, tar_of

LIMIT = 50_000_000


def folder(size: int = 1, *, seed: int = 1) -> tuple[bytes, Content]:
    """A gzip of a folder with one file that does not compress."""
    noise = random.Random(seed).randbytes(size)
    tar = tar_of((Entry((b"a",), "file", size), noise))
    return compressed(tar), content_of(tar, files=1)


SMALL, SMALL_CONTENT = folder()
LARGE, LARGE_CONTENT = folder(2 * PART + 5)


def pin(here: Place, *taken: tuple[str, str], out: dict[str, int] | None = None) -> None:
    """What the operator wrote into the pod."""
    pins = {
        "in": [{"record": record, "digest": digest} for record, digest in taken],
        "out": {"repo": LIMIT} if out is None else out,
    }

    def change(body: Obj) -> None:
        body["metadata"]["annotations"][meta.ANNOTATION_ARTIFACTS] = json.dumps(pins)

    here.cluster.inner.server.update(
        Kind.POD, namespace=NAMESPACE, name="brief-draft-2-x", change=change, by="test"
    )


def headers(content: Content, token: str = TOKEN) -> dict[str, str]:
    return {
        "authorization": f"Bearer {token}",
        "waypost-digest": content.digest,
        "waypost-bytes": str(content.bytes),
        "waypost-files": str(content.files),
    }


async def put(
    here: Place,
    body: bytes | AsyncIterator[bytes],
    content: Content,
    *,
    name: str = "repo",
    token: str = TOKEN,
) -> httpx2.Response:
    sent = headers(content, token)
    return await here.client.put(f"/v1/artifacts/out/{name}", content=body, headers=sent)


async def ask(here: Place, content: Content, *, name: str = "repo") -> httpx2.Response:
    return await here.client.post(f"/v1/artifacts/out/{name}", headers=headers(content))


async def take(here: Place, number: int | str = 0) -> httpx2.Response:
    sent = {"authorization": f"Bearer {TOKEN}"}
    return await here.client.get(f"/v1/artifacts/in/{number}", headers=sent)


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


@pytest.mark.parametrize("store", ["records", "objects"])
async def test_s290_what_is_stored_is_read_as_it_was(store: str) -> None:
    objects = None if store == "records" else Bucket(MemoryStore())
    body, content = (SMALL, SMALL_CONTENT) if objects is None else (LARGE, LARGE_CONTENT)
    async with place(objects=objects) as here:
        pin(here)
        assert (await ask(here, content)).status_code == 204
        assert (await put(here, body, content)).status_code == 201
        assert (await put(here, body, content)).status_code == 200, "a retry"
        assert (await ask(here, content)).status_code == 200
        [record] = here.records()
        spec = record["spec"]
        assert (spec["type"], spec["digest"], spec["size"]) == ("Artifact", *content[:2])
        assert spec["artifact"]["files"] == 1
        assert ("object" in spec) is (objects is not None)
        pin(here, (record["metadata"]["name"], content.digest))
        read = await take(here)
        assert read.status_code == 200
        assert read.content == body
        assert read.headers["waypost-digest"] == content.digest
        assert int(read.headers["content-length"]) == len(body)


async def test_a_small_artifact_is_in_its_record_although_there_is_a_store() -> None:
    async with place(objects=Bucket(MemoryStore())) as here:
        pin(here)
        assert (await put(here, SMALL, SMALL_CONTENT)).status_code == 201
        assert "compressed" in here.records()[0]["spec"]


async def test_without_a_store_the_room_is_known_before_anything_is_sent() -> None:
    async with place() as here:
        pin(here)
        assert int((await ask(here, LARGE_CONTENT)).headers["waypost-room"]) == 1024 * 1024
        answer = await put(here, LARGE, LARGE_CONTENT)
        assert refusal(answer) == (413, "TooLarge")
        assert "gateway.objectStore" in answer.json()["message"]
        assert here.records() == []


def _other(content: Content, **changes: Any) -> Content:
    return content._replace(**changes)


BAD = {
    "other digest": (SMALL, _other(SMALL_CONTENT, digest=f"sha256:{'0' * 64}"), "DigestMismatch"),
    "fewer bytes": (SMALL, _other(SMALL_CONTENT, bytes=1), "DigestMismatch"),
    "more bytes": (SMALL, _other(SMALL_CONTENT, bytes=9999), "DigestMismatch"),
    "no gzip": (b"x" * 100, SMALL_CONTENT, "NotGzip"),
    "cut off": (SMALL[:-1], SMALL_CONTENT, "NotGzip"),
    "data after it": (SMALL + b"x", SMALL_CONTENT, "NotGzip"),
    "nothing": (b"", SMALL_CONTENT, "NotGzip"),
    "bomb": (compressed(bytes(100_000_000)), SMALL_CONTENT, "DigestMismatch"),
}


@pytest.mark.parametrize(("body", "content", "reason"), BAD.values(), ids=BAD)
async def test_s291_a_stream_that_is_not_what_was_announced_leaves_nothing(
    body: bytes, content: Content, reason: str
) -> None:
    async with place() as here:
        pin(here)
        assert refusal(await put(here, body, content)) == (422, reason)
        assert here.records() == []


async def test_s291_another_artifact_never_replaces_the_first() -> None:
    other, other_content = folder(seed=2)
    async with place() as here:
        pin(here)
        await put(here, SMALL, SMALL_CONTENT)
        assert refusal(await put(here, other, other_content)) == (409, "AlreadyStored")
        assert refusal(await ask(here, other_content)) == (409, "AlreadyStored")


async def test_only_artifacts_of_the_node_are_stored_and_up_to_max_bytes() -> None:
    async with place() as here:
        assert refusal(await put(here, SMALL, SMALL_CONTENT)) == (404, "NotFound")
        pin(here, out={"repo": 1024})
        assert refusal(await put(here, SMALL, SMALL_CONTENT, name="x")) == (404, "NotFound")
        assert refusal(await ask(here, SMALL_CONTENT)) == (413, "TooLarge")


async def test_s292_an_upload_that_outlasts_its_attempt_is_not_recorded() -> None:
    """The first byte comes from the current attempt; when the last one comes, it is closed."""
    async with place() as here:
        pin(here)

        async def slow() -> AsyncIterator[bytes]:
            yield SMALL[:10]
            here.attempt(3, token=token_of("next"))
            yield SMALL[10:]

        assert refusal(await put(here, slow(), SMALL_CONTENT)) == (403, "AttemptNotCurrent")
        assert here.records() == []


@dataclass
class Failing:
    """An object store that fails at one of the parts."""

    inner: Bucket
    at: int
    parts: list[str] = field(default_factory=list)

    async def put(self, key: str, body: bytes | bytearray) -> None:
        self.parts.append(key)
        if len(self.parts) == self.at:
            raise ObjectError("broken pipe")
        await self.inner.put(key, body)

    def read(self, key: str) -> AsyncIterator[bytes]:
        return self.inner.read(key)


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_s291_an_upload_that_breaks_leaves_no_record_and_is_repeated(at: int) -> None:
    objects: Objects = Failing(Bucket(MemoryStore()), at)
    async with place(objects=objects) as here:
        pin(here)
        assert refusal(await put(here, LARGE, LARGE_CONTENT)) == (503, "StoreUnavailable")
        assert here.records() == []
        assert (await put(here, LARGE, LARGE_CONTENT)).status_code == 201


async def test_s293_a_pod_reads_only_what_the_operator_pinned() -> None:
    async with place() as here:
        pin(here)
        await put(here, SMALL, SMALL_CONTENT)
        name = here.records()[0]["metadata"]["name"]
        assert refusal(await take(here)) == (404, "NotFound"), "nothing is pinned"
        pin(here, (name, f"sha256:{'0' * 64}"))
        assert refusal(await take(here)) == (500, "Damaged"), "another digest"
        pin(here, ("absent", SMALL_CONTENT.digest))
        assert refusal(await take(here)) == (404, "NotFound")
        assert (await take(here, "x")).status_code == 400


async def test_s293_the_records_of_another_run_are_not_read() -> None:
    async with place() as here:
        pin(here)
        await put(here, SMALL, SMALL_CONTENT)
        record = here.records()[0]
        name = record["metadata"]["name"]

        def change(body: Obj) -> None:
            body["metadata"]["ownerReferences"][0]["uid"] = "another"

        here.cluster.inner.server.update(
            Kind.NODE_RECORD, namespace=NAMESPACE, name=name, change=change, by="test"
        )
        pin(here, (name, SMALL_CONTENT.digest))
        assert refusal(await take(here)) == (500, "Damaged")


async def test_a_transfer_needs_a_fixed_amount_of_memory() -> None:
    """Two parts and what the client copies; a gateway without that much refuses at once."""
    async with place(room=3 * PART - 1, objects=Bucket(MemoryStore())) as here:
        pin(here)
        assert refusal(await put(here, SMALL, SMALL_CONTENT)) == (503, "Busy")


ROOT, OTHER = "root-uid", "other-uid"
# The roots above the caller and above the run of the record (None: it is one), and whether the run
# of the record still exists. The uid of that run is ROOT.
TREES = {
    "a child reads what a run above has": (ROOT, None, True, 200),
    "a run reads what a run below has": (None, "caller", True, 200),
    "runs beside each other": (OTHER, OTHER, True, 200),
    "another tree": (ROOT, OTHER, True, 500),
    "two roots": (None, None, True, 500),
    "its run is gone": (OTHER, OTHER, False, 500),
}


@pytest.mark.parametrize(("mine", "theirs", "exists", "status"), TREES.values(), ids=TREES)
async def test_s430_an_artifact_is_read_only_within_its_tree_of_runs(
    mine: str | None, theirs: str | None, exists: bool, status: int
) -> None:
    async with place() as here:
        server = here.cluster.inner.server
        caller = server.get(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, name="brief")
        theirs = caller["metadata"]["uid"] if theirs == "caller" else theirs
        other = {"metadata": {"name": "other", "uid": ROOT}, "spec": {}}
        runs = {"brief": _below(caller, mine), "other": _below(other, theirs)}

        async def get(kind: Kind, *, namespace: str, name: str) -> Obj:
            if kind is not Kind.AGENT_WORKFLOW:
                return await here.cluster.inner.get(kind, namespace=namespace, name=name)
            if name == "other" and not exists:
                raise NotFound(name)
            return runs[name]

        vars(here.cluster)["get"] = get
        record = node_records.artifact(
            AttemptRef("other", ROOT, "make", 1, 1),
            "repo",
            SMALL_CONTENT,
            place={"compressedBytes": len(SMALL)},
            form={"compressed": base64.b64encode(SMALL).decode()},
            owner=Owner(name="other", namespace=NAMESPACE, uid=ROOT).reference(),
            namespace=NAMESPACE,
        )
        server.create(Kind.NODE_RECORD, namespace=NAMESPACE, body=record, by="test")
        pin(here, (record["metadata"]["name"], SMALL_CONTENT.digest))
        answer = await take(here)
        assert answer.status_code == status, answer.text


def _below(run: Obj, root: str | None) -> Obj:
    """The run, as a child run in the tree of this root; None: it is none."""
    if root is None:
        return run
    owner = Owner(name="above", namespace=NAMESPACE, uid="above").reference()
    metadata = {**run["metadata"], "ownerReferences": [owner]}
    parent = {"run": "above", "uid": "above", "root": root}
    return {**run, "metadata": metadata, "spec": {**run["spec"], "parent": parent}}
