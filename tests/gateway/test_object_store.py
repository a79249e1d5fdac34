"""`objects.Bucket` against an S3 service: a real server, and obstore's own store in memory."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import MemoryStore
from waypost.cli.reading.artifact_content import artifact_in, verified
from waypost.gateway.objects import Bucket, RunObjects, S3Settings, s3
from waypost.gateway.payload_store import ObjectError
from waypost.gateway.sweep import Sweeper
from waypost.ports.cluster import Kind

from e2e.cluster import objectstore, settings
from e2e.cluster.objectstore import ObjectStore
from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster
from tests.gateway.place import noise, place
from tests.gateway.test_artifacts import LARGE, LARGE_CONTENT, pin, put

NOW = timedelta(0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """versitygw, if the cache has it."""
    folder = settings.from_environment().cache / "bin"
    name = f"{objectstore.SERVER.program}-{objectstore.SERVER.version}"
    program = folder / name / objectstore.SERVER.program
    if not program.exists():
        complaint = f"no {name} in the cache: python -m e2e.cluster.objectstore builds it"
        pytest.skip(complaint)
    with objectstore.running(program, tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture(params=["memory", "s3"])
async def bucket(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bucket]:
    if request.param == "memory":
        yield Bucket(MemoryStore())
        return
    found: ObjectStore = request.getfixturevalue("server")
    yield _bucket(found, monkeypatch, prefix=f"tests/{abs(hash(request.node.name))}")


def _bucket(server: ObjectStore, monkeypatch: pytest.MonkeyPatch, *, prefix: str) -> Bucket:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return s3(S3Settings(bucket=server.bucket, prefix=prefix, endpoint=server.endpoint))


async def _read(bucket: Bucket, key: str) -> bytes:
    return b"".join([piece async for piece in bucket.read(key)])


async def test_what_is_put_is_read_whole(bucket: Bucket) -> None:
    body = noise(20_000_000)
    await bucket.put("team/run/uid/draft/1-1-result-00", body)
    assert await _read(bucket, "team/run/uid/draft/1-1-result-00") == body


async def test_what_is_not_there_is_told(bucket: Bucket) -> None:
    with pytest.raises(ObjectError, match="not found"):
        await _read(bucket, "team/run/uid/draft/none")


async def test_a_prefix_has_one_owner(bucket: Bucket) -> None:
    await bucket.claim("cluster-a")
    await bucket.claim("cluster-a")
    with pytest.raises(ObjectError, match="another installation"):
        await bucket.claim("cluster-b")


async def test_objects_of_a_run_that_is_gone_are_removed(bucket: Bucket) -> None:
    cluster = InMemoryCluster(clock=ManualClock())
    body = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflow",
        "metadata": {"name": "lives"},
        "spec": {"nodes": [{"name": "a", "python": {"source": "def run():\n    return 1\n"}}]},
    }
    run = await cluster.create(Kind.AGENT_WORKFLOW, namespace="default", body=body)
    uid = run["metadata"]["uid"]
    for of in (("default", "lives", uid), ("default", "lives", "before"), ("gone", "r", "u")):
        await bucket.put("/".join((*of, "a", "1-1-result-00")), b"1")
    await bucket.claim("cluster-a")
    swept: list[int] = []
    sweeper = Sweeper(cluster=cluster, bucket=bucket, swept=swept.append)
    assert await sweeper.sweep() == 0, "too young"
    assert await sweeper.sweep(older=NOW) == 2
    assert await bucket.runs() == [RunObjects("default", "lives", uid)]
    assert swept == [2]
    await bucket.claim("cluster-a")


async def test_twenty_megabytes_go_through_the_gateway(bucket: Bucket) -> None:
    body = noise(20_000_000)
    async with place(objects=bucket) as p:
        assert (await p.put(body)).status_code == 201
        assert (await p.put(body)).status_code == 200
        assert (await p.get("result")).content == body
        (record,) = p.records()
        assert record["spec"]["size"] == len(body)
        assert len(str(record)) < 4000, "etcd has the key alone"


async def test_a_store_that_does_not_answer_is_told_and_leaves_no_record() -> None:
    nobody = s3(S3Settings(bucket="b-1", prefix="p", endpoint="http://127.0.0.1:9"))
    async with place(objects=nobody) as p:
        refused = await p.put(noise(2_000_000))
        assert (refused.status_code, refused.json()["reason"]) == (503, "StoreUnavailable")
        assert p.records() == []


async def test_a_wrong_key_is_told_without_it(
    server: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = _bucket(server, monkeypatch, prefix="p")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-key")
    wrong = s3(S3Settings(bucket=server.bucket, prefix="p", endpoint=server.endpoint))
    with pytest.raises(ObjectError) as reported:
        await wrong.claim("cluster-a")
    assert "not-the-key" not in str(reported.value)
    await bucket.claim("cluster-a")


async def test_s296_parts_of_an_upload_that_was_never_recorded_are_removed() -> None:
    """What a record names stays, and so does what may still be uploaded."""
    bucket = Bucket(MemoryStore())
    async with place(objects=bucket) as here:
        pin(here)
        assert (await put(here, LARGE, LARGE_CONTENT)).status_code == 201
        kept = here.records()[0]["spec"]["object"]
        lost = kept.replace("2-artifact", "1-artifact")
        for number in range(2):
            await bucket.put(f"{lost}/{number:06}", b"part")
        swept: list[int] = []
        cluster = here.cluster.inner
        young = Sweeper(cluster=cluster, bucket=bucket, swept=swept.append)
        assert await young.sweep(older=NOW) == 0
        old = Sweeper(cluster=cluster, bucket=bucket, swept=swept.append, upload=NOW)
        assert await old.sweep(older=NOW) == 2
        assert swept == [2]
        assert await _read(bucket, f"{kept}/000000")
        with pytest.raises(ObjectError, match="not found"):
            await _read(bucket, f"{lost}/000000")


async def test_s621_what_the_gateway_stored_is_downloaded(
    server: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = "tests/downloaded"
    async with place(objects=_bucket(server, monkeypatch, prefix=prefix)) as here:
        pin(here)
        assert (await put(here, LARGE, LARGE_CONTENT)).status_code == 201
        (record,) = here.records()
    artifact = artifact_in(record, namespace="default")
    store = S3Settings(bucket=server.bucket, prefix=prefix, endpoint=server.endpoint)
    assert artifact.parts > 1
    assert b"".join([piece async for piece in verified(artifact, store)]) == LARGE
