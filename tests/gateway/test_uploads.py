"""What the gateway keeps, and what it gives back."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from waypost.kube.node_records import record_fact
from waypost.ports.cluster import Busy, Kind, QuotaExceeded, Unavailable
from waypost.protocol import ijson

from tests.gateway.place import RUN, make_pod, noise, place, reviewed, token_of

SMALL = {"b": 1.0, "a": ["é", None]}
LARGE = {"text": "lorem ipsum " * 25_000}


@pytest.mark.parametrize(
    ("value", "form"),
    [
        pytest.param(SMALL, "data", id="small"),
        pytest.param(LARGE, "compressed", id="300-KB"),
        pytest.param(None, "data", id="null"),
    ],
)
async def test_a_result_is_kept_once_in_its_canonical_form(value: Any, form: str) -> None:
    async with place() as p:
        first = await p.put(json.dumps(value, indent=1).encode())
        assert (first.status_code, first.content) == (201, b"")
        again = await p.put(ijson.canonical(value))
        assert again.status_code == 200
        (record,) = p.records()
        assert form in record["spec"]
        assert record["metadata"]["ownerReferences"][0]["name"] == RUN
        fact = record_fact(record)
        assert fact.payload.value == value
        assert fact.payload.digest == first.headers["waypost-digest"] == ijson.digest(value)
        got = await p.get("result")
        assert (got.status_code, got.content) == (200, ijson.canonical(value))
        assert got.headers["waypost-digest"] == ijson.digest(value)
        assert (p.counted("Stored"), p.counted("Same")) == (1, 1)


async def test_nul_characters_are_stored_as_they_are() -> None:
    value = {"a\0": "b\0c"}
    async with place() as p:
        assert (await p.put(ijson.canonical(value))).status_code == 201
        (record,) = p.records()
        assert record_fact(record).payload.value == value
        assert ijson.parse((await p.get("result")).content) == value


async def test_people_can_read_what_is_compressed() -> None:
    async with place() as p:
        await p.put(ijson.canonical(LARGE))
        (record,) = p.records()
        unpacked = gzip.decompress(base64.b64decode(record["spec"]["compressed"]))
        assert json.loads(unpacked) == LARGE


async def test_result_and_trace_of_an_attempt_are_two_things() -> None:
    async with place() as p:
        assert (await p.put(b'{"v":1,"entries":[]}', type_="trace")).status_code == 201
        assert (await p.put(b"1")).status_code == 201
        assert {r["spec"]["type"] for r in p.records()} == {"Result", "Trace"}
        assert (await p.get("trace")).json() == {"v": 1, "entries": []}


async def test_a_pod_that_is_being_deleted_hands_in_what_it_has() -> None:
    async with place() as p:
        p.update(Kind.POD, "brief-draft-2-x", metadata__finalizers=["waypost.dev/result"])
        await p.as_user().delete(Kind.POD, namespace="default", name="brief-draft-2-x")
        assert (await p.put(b"1")).status_code == 201


async def test_a_second_pod_of_an_attempt_may_say_the_same_and_nothing_else() -> None:
    async with place() as p:
        run = p.cluster.inner.server.get(Kind.AGENT_WORKFLOW, namespace="default", name=RUN)
        other = make_pod(p.cluster.inner, "brief-draft-2-y", run_uid=run["metadata"]["uid"])
        p.cluster.tokens[token_of("bbb")] = reviewed(other)
        assert (await p.put(b"1")).status_code == 201
        assert (await p.put(b"1.0", token=token_of("bbb"))).status_code == 200
        refused = await p.put(b"2", token=token_of("bbb"))
        assert (refused.status_code, refused.json()["reason"]) == (409, "AlreadyStored")
        assert (await p.get("result")).content == b"1"


async def test_uploads_at_once_leave_one_record() -> None:
    async with place() as p:
        done = await asyncio.gather(p.put(b"1"), p.put(b"2"))
        assert sorted(r.status_code for r in done) == [201, 409]
        assert len(p.records()) == 1


async def test_a_token_is_reviewed_once_in_a_while() -> None:
    async with place() as p:
        for _ in range(3):
            await p.get("result")
        assert p.cluster.reviews == 1
        p.clock.advance(31)
        await p.get("result")
        assert p.cluster.reviews == 2


@pytest.mark.parametrize(
    ("error", "after_commit", "status", "reason"),
    [
        pytest.param(Unavailable("lost"), False, 503, "StoreUnavailable", id="not-written"),
        pytest.param(Unavailable("lost"), True, 503, "StoreUnavailable", id="answer-lost"),
        pytest.param(Busy("slow down", retry_after=7), False, 503, "Busy", id="busy"),
        pytest.param(QuotaExceeded("exceeded quota: nr"), False, 507, "StoreFull", id="quota"),
    ],
)
async def test_nothing_is_acknowledged_that_may_not_be_durable(
    error: Any, after_commit: bool, status: int, reason: str
) -> None:
    async with place() as p:
        p.cluster.inner.fail_next("create", Kind.NODE_RECORD, error, after_commit=after_commit)
        refused = await p.put(b"1")
        assert (refused.status_code, refused.json()["reason"]) == (status, reason)
        assert int(refused.headers["retry-after"]) >= 1
        assert (await p.put(b"1")).status_code == (200 if after_commit else 201)
        assert p.cluster.inner.faults_left == 0


async def test_a_record_that_is_not_what_its_name_says_is_not_given_out() -> None:
    async with place() as p:
        await p.put(b"1")
        (record,) = p.records()
        name = record["metadata"]["name"]
        await p.as_user().delete(Kind.NODE_RECORD, namespace="default", name=name)
        forged = {**record, "spec": {**record["spec"], "attempt": 1}}
        metadata = {k: record["metadata"][k] for k in ("name", "labels", "ownerReferences")}
        await p.as_user().create(
            Kind.NODE_RECORD, namespace="default", body={**forged, "metadata": metadata}
        )
        got = await p.get("result")
        assert (got.status_code, got.json()["reason"]) == (500, "Damaged")
        assert (await p.put(b"1")).status_code == 409


async def test_an_input_is_only_read() -> None:
    async with place() as p:
        assert (await p.put(b"1", type_="input")).status_code == 404
        missing = await p.get("input")
        assert (missing.status_code, missing.json()["reason"]) == (404, "NotFound")


class Memory:
    """An object store."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, key: str, body: bytes | bytearray) -> None:
        self.kept[key] = bytes(body)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        for start in range(0, len(self.kept[key]), 1_000_000):
            yield self.kept[key][start : start + 1_000_000]


async def test_what_is_large_goes_to_the_object_store() -> None:
    objects, body = Memory(), noise(3_000_000)
    async with place(objects=objects) as p:
        assert (await p.put(body)).status_code == 201
        assert (await p.put(body)).status_code == 200
        (record,) = p.records()
        assert record["spec"].keys() & {"data", "compressed", "object"} == {"object"}
        assert objects.kept == {record["spec"]["object"]: body}
        assert (await p.get("result")).content == body
        assert not record_fact(record).payload.read


async def test_what_expressions_read_stays_in_the_cluster() -> None:
    objects, body = Memory(), noise(1_000_000)
    async with place(objects=objects) as p:
        assert (await p.put(body)).status_code == 201
        assert objects.kept == {}
        assert record_fact(p.records()[0]).payload.read


@pytest.mark.parametrize("from_template", [False, True], ids=["own-nodes", "template"])
async def test_a_large_output_is_held_to_its_schema_where_it_is_taken(from_template: bool) -> None:
    schema = {"type": "object", "required": ["title"]}
    async with place(objects=Memory(), output_schema=schema, from_template=from_template) as p:
        refused = await p.put(noise(2_000_000))
        assert (refused.status_code, refused.json()["reason"]) == (422, "OutputInvalid")
        assert "title" in refused.json()["message"]
