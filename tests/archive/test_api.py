"""The HTTP interface of the archive: rows and documents, for those who may read them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from waypost.archive.app import Archive, build_app
from waypost.archive.core.document import Document, decode, encode
from waypost.archive.metrics import ArchiveMetrics
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj, Rejected, Unavailable
from waypost.ports.offload import inline

from tests.archive.place import Shelf, shelf
from tests.archive.samples import finished, stored

TOKEN = {"authorization": "Bearer ann"}


@dataclass
class Server:
    """An API server that is asked for the rights of a token.

    Attributes:
        rights: What `ann` may do: (verb, resource, namespace).
    """

    rights: set[tuple[str, str, str]] = field(default_factory=set)
    error: Exception | None = None
    tokens: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def connect(self, token: str) -> AsyncIterator[Cluster]:
        self.tokens.append(token)
        yield self  # type: ignore[misc]

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        assert (kind, namespace) == (Kind.SELF_SUBJECT_ACCESS_REVIEW, "")
        if self.error is not None:
            raise self.error
        asked = body["spec"]["resourceAttributes"]
        assert asked["group"] == "waypost.dev"
        right = (asked["verb"], asked["resource"], asked["namespace"])
        return {**body, "status": {"allowed": right in self.rights}}


@dataclass
class Place:
    kept: Shelf
    server: Server
    client: httpx2.AsyncClient
    metrics: ArchiveMetrics

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
        return await self.client.get(path, headers=TOKEN if headers is None else headers)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    kept, server, metrics = shelf(tmp_path), Server(), ArchiveMetrics()
    for number in range(5):
        namespace = "default" if number else "other"
        run = finished(number, namespace=namespace)
        record = {"metadata": {"name": "r"}, "spec": {"data": "secret"}}
        kept.store.put(*stored(run, record), now=0)
    app = build_app(Archive(kept, server.connect, metrics, inline))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://archive") as client:
        yield Place(kept, server, client, metrics)
    kept.store._engine.dispose()


LIST = ("list", "agentworkflows", "default")
GET = ("get", "agentworkflows", "default")
RUN = "/v1/namespaces/default/runs/run-1"


async def test_rows(place: Place) -> None:
    """S714"""
    place.server.rights = {LIST}
    answer = await place.get("/v1/runs?namespace=default&limit=2")
    assert answer.status_code == 200
    assert [row["name"] for row in answer.json()["items"]] == ["run-4", "run-3"]
    rest = await place.get(f"/v1/runs?namespace=default&continue={answer.json()['continue']}")
    assert [row["name"] for row in rest.json()["items"]] == ["run-2", "run-1"]
    assert rest.json()["continue"] == ""
    assert place.server.tokens == ["ann", "ann"], "never with our own credentials"


async def test_filters(place: Place) -> None:
    """S714"""
    place.server.rights = {LIST}
    path = (
        "/v1/runs?namespace=default&phase=Failed&template=triage-2&label=team%3Dteam-2&text=T-2"
        "&since=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z&minCost=0.02"
    )
    answer = await place.get(path)
    assert [row["name"] for row in answer.json()["items"]] == ["run-2"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("phas=Failed", "unknown parameter 'phas'", id="unknown"),
        pytest.param("limit=0", "limit: expected", id="limit-0"),
        pytest.param("limit=501", "limit: expected", id="limit-501"),
        pytest.param("since=yesterday", "since: expected a time", id="time"),
        pytest.param("minCost=-1", "minCost: expected dollars", id="cost"),
        pytest.param("label=team", "label: expected NAME=VALUE", id="label"),
        pytest.param("continue=x", "continue: expected", id="continue"),
        pytest.param("text=a&text=b", "text: expected one value", id="twice"),
        pytest.param("text=" + "a" * 321, "at most 320 characters", id="long"),
        pytest.param("&".join(["label=a%3Db"] * 9), "at most 8", id="labels"),
    ],
)
async def test_a_query_that_is_refused(place: Place, query: str, said: str) -> None:
    place.server.rights = {LIST}
    answer = await place.get(f"/v1/runs?namespace=default&{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


async def test_who_may_list(place: Place) -> None:
    """S717: the right in one namespace is none in another, nor in all."""
    place.server.rights = {LIST}
    for path in ("/v1/runs", "/v1/runs?namespace=other"):
        assert (await place.get(path)).status_code == 403
    place.server.rights = {("list", "agentworkflows", "")}
    answer = await place.get("/v1/runs")
    assert len(answer.json()["items"]) == 5


async def test_who_may_read_payloads(place: Place) -> None:
    """S717"""
    place.server.rights = {GET}
    answer = (await place.get(RUN)).json()
    assert answer["run"]["metadata"]["name"] == "run-1"
    assert (answer["records"], answer["hidden"]) == ([], ["approvals", "records"])
    place.server.rights = {GET, ("get", "noderecords", "default")}
    answer = (await place.get(RUN)).json()
    assert [one["spec"]["data"] for one in answer["records"]] == ["secret"]
    assert answer["hidden"] == ["approvals"]
    assert answer["digest"].startswith("sha256:")
    place.server.rights = {LIST, ("get", "noderecords", "default")}
    assert (await place.get(RUN)).status_code == 403


async def test_a_run_of_another_namespace(place: Place) -> None:
    """S717: the rights and the run are of the same namespace."""
    place.server.rights = {GET}
    uid = finished(0)["metadata"]["uid"]
    for run in ("run-0", uid):
        assert (await place.get(f"/v1/namespaces/default/runs/{run}")).status_code == 404
        assert (await place.get(f"/v1/namespaces/other/runs/{run}")).status_code == 403


@pytest.mark.parametrize("path", [RUN, "/v1/runs"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"authorization": "Basic YTpi"}, id="basic"),
        pytest.param({"authorization": "Bearer "}, id="empty"),
        pytest.param({"authorization": "Bearer a b"}, id="two"),
    ],
)
async def test_without_a_token(place: Place, path: str, headers: dict[str, str]) -> None:
    """S717: the API server is not even asked."""
    answer = await place.get(path, headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert place.server.tokens == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(Rejected("Unauthorized", code=401), 401, id="not-accepted"),
        pytest.param(Rejected("forbidden", code=403), 403, id="anonymous"),
        pytest.param(Unavailable("secret address"), 503, id="down"),
        pytest.param(NotFound("no such api", code=404), 503, id="odd"),
    ],
)
async def test_an_api_server_that_does_not_say_yes(
    place: Place, error: Exception, status: int
) -> None:
    """S717"""
    place.server.rights, place.server.error = {GET, LIST}, error
    for path in (RUN, "/v1/runs?namespace=default"):
        answer = await place.get(path)
        assert answer.status_code == status
        assert "secret" not in answer.text


async def test_a_database_that_is_down(place: Place) -> None:
    place.server.rights, place.kept.broken = {GET, LIST}, True
    for path in (RUN, "/v1/runs?namespace=default"):
        answer = await place.get(path)
        assert answer.status_code == 503
        assert "disk" not in answer.text
    code = {"code": "503"}
    assert place.metrics.registry.get_sample_value("waypost_archive_requests_total", code) == 2


@pytest.mark.parametrize("path", ["/", "/v1/runs/x", "/v1/namespaces/default/runs"])
async def test_another_path(place: Place, path: str) -> None:
    assert (await place.get(path)).status_code == 404


async def test_nothing_can_be_written(place: Place) -> None:
    assert (await place.client.delete(RUN, headers=TOKEN)).status_code == 404
    assert (await place.client.post("/v1/runs", headers=TOKEN)).status_code == 404


def test_a_document_that_was_changed() -> None:
    """S713: it is refused, not shown."""
    whole = encode({"v": 1, "run": {}})
    other = encode({"v": 1, "run": {"spec": {}}})
    with pytest.raises(ValueError, match="does not match its digest"):
        decode(Document(whole.digest, whole.size, other.content))
    with pytest.raises(ValueError, match="cannot be unpacked"):
        decode(Document(whole.digest, whole.size, b"x"))
    later = encode({"v": 2})
    with pytest.raises(ValueError, match="another version"):
        decode(later)


def test_the_digest_is_that_of_the_content() -> None:
    """S711: the order of keys and what changes by itself do not count."""
    run = finished(1)
    again = {key: run[key] for key in reversed(run)}
    again["metadata"] = {**run["metadata"], "resourceVersion": "99", "managedFields": []}
    assert stored(run)[1] == stored(again)[1]
    other = {**run, "spec": {**run["spec"], "inputs": {}}}
    assert stored(run)[1].digest != stored(other)[1].digest
