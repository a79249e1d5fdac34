"""S378: the gateway reads an object for a NodeRecord only below the prefix of the record's run."""

import pytest
from obstore.store import MemoryStore
from waypost.gateway.objects import Bucket
from waypost.ports.cluster import Kind

from tests.gateway.place import NAMESPACE, Place, noise, place
from tests.gateway.test_artifacts import LARGE, LARGE_CONTENT, headers, pin, put

FOREIGN = {
    "another-namespace": "victim/brief/{uid}/draft/x",
    "another-run": "default/other/{uid}/draft/x",
    "another-uid": "default/brief/0/draft/x",
    "beside": "default/brief/{uid}-x/draft/x",
    "climbing": "default/brief/{uid}/../../../victim/x",
    "the-owner": ".waypost-owner",
}
EACH = pytest.mark.parametrize("key", FOREIGN.values(), ids=FOREIGN)


async def moved(here: Place, key: str) -> str:
    """Put a record that names another object in the place of the only record."""
    (record,) = here.records()
    key = key.format(uid=record["spec"]["runUid"])
    name, somebody = record["metadata"]["name"], here.as_user()
    await somebody.delete(Kind.NODE_RECORD, namespace=NAMESPACE, name=name)
    kept = {part: record["metadata"][part] for part in ("name", "labels", "ownerReferences")}
    body = {**record, "metadata": kept, "spec": {**record["spec"], "object": key}}
    await somebody.create(Kind.NODE_RECORD, namespace=NAMESPACE, body=body)
    return key


@EACH
async def test_s378_payloads_of_others_are_not_read(key: str) -> None:
    bucket, body = Bucket(MemoryStore()), noise(2_000_000)
    async with place(objects=bucket) as here:
        assert (await here.put(body)).status_code == 201
        assert (await here.get("result")).content == body
        if ".." not in (key := await moved(here, key)):
            await bucket.put(key, b"secret")
        refused = await here.get("result")
        assert (refused.status_code, refused.json()["reason"]) == (500, "Damaged")
        assert "names an object that is not one of run brief" in refused.json()["message"]


@EACH
async def test_s378_artifacts_of_others_are_not_read(key: str) -> None:
    bucket = Bucket(MemoryStore())
    async with place(objects=bucket) as here:
        pin(here)
        assert (await put(here, LARGE, LARGE_CONTENT)).status_code == 201
        (record,) = here.records()
        name = record["metadata"]["name"]
        pin(here, (name, LARGE_CONTENT.digest))
        sent = headers(LARGE_CONTENT)
        path = "/v1/artifacts/in/0"
        assert (await here.client.get(path, headers=sent)).status_code == 200
        await moved(here, key)
        refused = await here.client.get(path, headers=sent)
        assert (refused.status_code, refused.json()["reason"]) == (500, "Damaged")
