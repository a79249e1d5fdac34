"""KubeCluster against a server of prepared answers: what goes over the wire, and how often."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost import __version__
from waypost.adapters.kube import KubeCluster
from waypost.ports.cluster import (
    ClusterError,
    Kind,
    NotFound,
    Obj,
    PatchType,
    Rejected,
    Unavailable,
)

from tests.adapters.doubles import NotedTelemetry, Reply, StubApi, StubCredentials

Act = Callable[[KubeCluster], Awaitable[object]]


async def get(cluster: KubeCluster) -> Obj:
    return await cluster.get(Kind.AGENT_WORKFLOW, namespace="n", name="x")


async def list_(cluster: KubeCluster) -> object:
    return await cluster.list(Kind.POD, namespace="n", labels="a=b", fields="spec.nodeName=m")


async def create(cluster: KubeCluster) -> Obj:
    return await cluster.create(Kind.JOB, namespace="n", body={"metadata": {"name": "x"}})


async def patch_status(cluster: KubeCluster) -> Obj:
    return await cluster.patch(
        Kind.AGENT_WORKFLOW,
        namespace="n",
        name="x",
        body=[{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}],
        patch_type=PatchType.JSON,
        subresource="status",
    )


async def delete(cluster: KubeCluster) -> None:
    await cluster.delete(Kind.JOB, namespace="n", name="x", uid="u", resource_version="7")


async def read_log(cluster: KubeCluster) -> bytes:
    return await cluster.read_log(
        namespace="n", pod="x", container="node", tail_lines=5, limit_bytes=8
    )


AW = "/apis/waypost.dev/v1alpha1/namespaces/n/agentworkflows/x"
JOBS = "/apis/batch/v1/namespaces/n/jobs"
PODS = "/api/v1/namespaces/n/pods"
WRITE = {"fieldValidation": "Strict", "fieldManager": "waypost-operator"}
PAGE = {"limit": "500", "labelSelector": "a=b", "fieldSelector": "spec.nodeName=m"}
LOG = {"container": "node", "tailLines": "5", "limitBytes": "8"}

REQUESTS = [
    pytest.param(get, "GET", AW, {}, None, ("get", "agentworkflows"), id="get"),
    pytest.param(list_, "GET", PODS, PAGE, None, ("list", "pods"), id="list"),
    pytest.param(create, "POST", JOBS, WRITE, "application/json", ("create", "jobs"), id="create"),
    pytest.param(
        patch_status,
        "PATCH",
        f"{AW}/status",
        WRITE,
        "application/json-patch+json",
        ("patch", "agentworkflows/status"),
        id="patch-of-the-status",
    ),
    pytest.param(
        delete, "DELETE", f"{JOBS}/x", {}, "application/json", ("delete", "jobs"), id="delete"
    ),
    pytest.param(read_log, "GET", f"{PODS}/x/log", LOG, None, ("get", "pods/log"), id="log"),
]


@pytest.mark.parametrize(("act", "method", "path", "query", "content_type", "reported"), REQUESTS)
async def test_what_is_sent(
    act: Act,
    method: str,
    path: str,
    query: dict[str, str],
    content_type: str | None,
    reported: tuple[str, str],
    api: StubApi,
    cluster: KubeCluster,
    telemetry: NotedTelemetry,
) -> None:
    api.prepare(Reply(body={"metadata": {}, "items": []}))
    await act(cluster)
    (seen,) = api.seen
    assert (seen.method, seen.path, dict(seen.query)) == (method, path, query)
    assert seen.headers.get("Content-Type") == content_type
    assert seen.headers["User-Agent"] == f"waypost-operator/{__version__}"
    assert seen.headers["Authorization"] == "Bearer first"
    assert telemetry.requests == [(*reported, "200")]


async def test_lists_never_ask_for_a_cached_version(api: StubApi, cluster: KubeCluster) -> None:
    api.prepare(Reply(body={"metadata": {}, "items": None}))
    await cluster.list(Kind.POD)
    assert "resourceVersion" not in api.seen[0].query, "absence may only be read from a quorum"
    assert api.seen[0].path == "/api/v1/pods"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="empty"),
        pytest.param({"status": "ok"}, id="of-another-server"),
        pytest.param({"kind": "PodList", "items": []}, id="no-metadata"),
        pytest.param({"metadata": {"resourceVersion": "1"}}, id="no-items"),
    ],
)
async def test_an_answer_that_is_no_list_is_not_an_empty_one(
    body: dict[str, object], api: StubApi, cluster: KubeCluster
) -> None:
    """An empty list says that every object is gone."""
    api.prepare(Reply(body=body))
    with pytest.raises(Unavailable, match="not a list of objects"):
        await cluster.list(Kind.POD)


async def test_delete_carries_its_preconditions(api: StubApi, cluster: KubeCluster) -> None:
    api.prepare(Reply())
    await delete(cluster)
    assert api.seen[0].json() == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
    }


async def test_names_cannot_leave_their_place_in_the_path(
    api: StubApi, cluster: KubeCluster
) -> None:
    api.prepare(Reply())
    await cluster.get(Kind.NAMESPACE, namespace=None, name="../secrets?x#y")
    assert api.seen[0].path == "/api/v1/namespaces/../secrets?x#y"
    assert dict(api.seen[0].query) == {}


async def test_nulls_and_text_arrive_unharmed(api: StubApi, cluster: KubeCluster) -> None:
    api.prepare(Reply())
    body = {"a": None, "b": [None, "ä😀 \u2028"], "c": {"d": 1.5}}
    await cluster.create(Kind.CONFIG_MAP, namespace="n", body=body)
    assert api.seen[0].json() == body


class TestPages:
    """Lists of several pages are one consistent list or an error."""

    @staticmethod
    def page(name: str, *, token: str = "", version: str = "40") -> Reply:
        metadata = {"resourceVersion": version, "continue": token}
        return Reply(body={"metadata": metadata, "items": [{"metadata": {"name": name}}]})

    async def test_all_pages_are_read(self, api: StubApi, cluster: KubeCluster) -> None:
        api.prepare(self.page("a", token="t1"), self.page("b", token="t2", version="41"))
        api.prepare(self.page("c", version="42"))
        listing = await cluster.list(Kind.POD, labels="l")
        assert [item["metadata"]["name"] for item in listing.items] == ["a", "b", "c"]
        assert listing.resource_version == "40", "a list stands for the moment it began"
        assert [seen.query.get("continue") for seen in api.seen] == [None, "t1", "t2"]
        assert {seen.query["labelSelector"] for seen in api.seen} == {"l"}

    async def test_s637_of_each_page_only_what_is_kept_stays(
        self, api: StubApi, cluster: KubeCluster
    ) -> None:
        asked: list[tuple[str, int]] = []

        def keep(raw: dict[str, Any]) -> dict[str, Any]:
            asked.append((raw["metadata"]["name"], len(api.seen)))
            return {"kept": raw["metadata"]["name"]}

        api.prepare(self.page("a", token="t1"), self.page("b"))
        listing = await cluster.list(Kind.POD, keep=keep)
        assert listing.items == ({"kept": "a"}, {"kept": "b"})
        assert asked == [("a", 1), ("b", 2)], "each when its page has come"

    async def test_items_look_like_objects_of_a_get(
        self, api: StubApi, cluster: KubeCluster
    ) -> None:
        api.prepare(self.page("a"))
        listing = await cluster.list(Kind.JOB)
        assert (listing.items[0]["apiVersion"], listing.items[0]["kind"]) == ("batch/v1", "Job")

    async def test_metadata_alone_is_asked_for_and_looks_the_same(
        self, api: StubApi, cluster: KubeCluster
    ) -> None:
        part = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {}}
        api.prepare(Reply(body={"metadata": {}, "items": [part]}), self.page("b"))
        listing = await cluster.list(Kind.NODE_RECORD, metadata_only=True)
        assert listing.items[0]["kind"] == "NodeRecord"
        await cluster.list(Kind.NODE_RECORD)
        form, plain = (seen.headers["Accept"] for seen in api.seen)
        assert form == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        assert "PartialObjectMetadata" not in plain

    async def test_an_expired_token_starts_the_list_again(
        self, api: StubApi, cluster: KubeCluster
    ) -> None:
        gone = Reply(status=410, body={"reason": "Expired", "message": "too old"})
        api.prepare(self.page("a", token="t1"), gone, self.page("b", version="50"))
        listing = await cluster.list(Kind.POD)
        assert [item["metadata"]["name"] for item in listing.items] == ["b"]
        assert listing.resource_version == "50"

    async def test_a_list_that_always_expires_is_given_up(
        self, api: StubApi, cluster: KubeCluster
    ) -> None:
        api.prepare(Reply(status=410, body=STATUS))
        with pytest.raises(Unavailable):
            await cluster.list(Kind.POD)
        assert len(api.seen) == 3

    async def test_other_refusals_are_not_repeated(
        self, api: StubApi, cluster: KubeCluster
    ) -> None:
        api.prepare(Reply(status=403, body={"reason": "Forbidden"}))
        with pytest.raises(Rejected):
            await cluster.list(Kind.POD)
        assert len(api.seen) == 1


class TestNoRetries:
    """Only the caller knows whether its fence still stands."""

    @pytest.mark.parametrize("act", [create, patch_status, delete, get])
    @pytest.mark.parametrize("status", [409, 429, 500, 503])
    async def test_answers(self, act: Act, status: int, api: StubApi, cluster: KubeCluster) -> None:
        api.prepare(Reply(status=status), Reply())
        with pytest.raises(ClusterError):
            await act(cluster)
        assert len(api.seen) == 1

    @pytest.mark.parametrize("act", [create, patch_status])
    async def test_broken_connections(
        self, act: Act, api: StubApi, cluster: KubeCluster, telemetry: NotedTelemetry
    ) -> None:
        # The first request warms the connection up: aiohttp would repeat on a kept one.
        api.prepare(Reply(), Reply(hang_up=True), Reply())
        await get(cluster)
        with pytest.raises(Unavailable):
            await act(cluster)
        assert len(api.seen) == 2
        assert telemetry.requests[-1][2] == "error"

    async def test_timeout(self, api: StubApi, telemetry: NotedTelemetry) -> None:
        source = StubCredentials(server=api.url)
        cluster = KubeCluster(credentials=source, telemetry=telemetry, timeout=0.2)
        api.prepare(Reply(delay=3600))
        with pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
            await create(cluster)
        assert telemetry.requests == [("create", "jobs", "error")]
        await cluster.close()

    async def test_nobody_listens(self, telemetry: NotedTelemetry) -> None:
        source = StubCredentials(server="http://127.0.0.1:1")
        cluster = KubeCluster(credentials=source, telemetry=telemetry)
        with pytest.raises(Unavailable, match="127"):
            await get(cluster)
        await cluster.close()

    async def test_closed(self, api: StubApi, cluster: KubeCluster) -> None:
        await cluster.close()
        with pytest.raises(Unavailable, match="closed"):
            await get(cluster)
        assert api.seen == []


class TestLogin:
    """A 401 says that nothing was done: log in again, once."""

    @pytest.mark.parametrize("act", [get, create])
    async def test_a_refused_token_is_replaced(
        self, act: Act, api: StubApi, telemetry: NotedTelemetry
    ) -> None:
        source = StubCredentials(server=api.url, tokens=("old", "new"))
        cluster = KubeCluster(credentials=source, telemetry=telemetry)
        api.prepare(Reply(status=401), Reply())
        await act(cluster)
        assert [seen.headers["Authorization"] for seen in api.seen] == ["Bearer old", "Bearer new"]
        assert [code for _, _, code in telemetry.requests] == ["401", "200"]
        await cluster.close()

    async def test_only_once(self, api: StubApi, telemetry: NotedTelemetry) -> None:
        source = StubCredentials(server=api.url, tokens=("old", "new", "newer"))
        cluster = KubeCluster(credentials=source, telemetry=telemetry)
        api.prepare(Reply(status=401))
        with pytest.raises(Unavailable):
            await get(cluster)
        assert (len(api.seen), source.renewals) == (2, 1)
        await cluster.close()


class TestAnswers:
    """What comes back is a JSON object or an error."""

    @pytest.mark.parametrize("body", ["not json", "[]", '"text"', ""])
    async def test_other_bodies(self, body: str, api: StubApi, cluster: KubeCluster) -> None:
        api.prepare(Reply(body=body))
        with pytest.raises(Unavailable):
            await get(cluster)

    async def test_redirects_are_not_followed(self, api: StubApi, cluster: KubeCluster) -> None:
        api.prepare(Reply(status=307, headers={"Location": "/elsewhere"}), Reply())
        with pytest.raises(Unavailable):
            await create(cluster)
        assert len(api.seen) == 1


class TestLogs:
    """What the API server answered, byte for byte, or NotFound."""

    async def test_the_bytes(self, api: StubApi, cluster: KubeCluster) -> None:
        api.prepare(Reply(body="last ü23"))
        assert await read_log(cluster) == "last ü23".encode()

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(Reply(status=404, body={"reason": "NotFound"}), id="pod-is-gone"),
            pytest.param(
                Reply(status=400, body={"reason": "BadRequest", "message": "waiting to start"}),
                id="not-started",
            ),
            pytest.param(
                Reply(body="unable to retrieve container logs for containerd://ab"),
                id="container-was-removed-from-its-machine",
            ),
        ],
    )
    async def test_no_log(self, reply: Reply, api: StubApi, cluster: KubeCluster) -> None:
        api.prepare(reply)
        with pytest.raises(NotFound):
            await read_log(cluster)


EVENTS = (
    '{"type":"ADDED","object":{"metadata":{"resourceVersion":"8"}}}\n'
    '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n'
)
STATUS = {"kind": "Status", "message": "no"}
GONE = '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"old"}}\n'


async def watched(cluster: KubeCluster) -> list[str]:
    changes = cluster.watch(Kind.AGENT_WORKFLOW, namespace="n", version="7")
    return [f"{one.type} {one.object['metadata']['resourceVersion']}" async for one in changes]


async def test_a_watch(cluster: KubeCluster, api: StubApi) -> None:
    api.prepare(Reply(body=EVENTS))
    assert await watched(cluster) == ["ADDED 8", "BOOKMARK 9"]
    assert api.seen[0].path == AW.removesuffix("/x")
    assert api.seen[0].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "timeoutSeconds": "300",
    }


async def test_a_line_of_a_watch_may_be_large(cluster: KubeCluster, api: StubApi) -> None:
    version = "9" * 1_000_000
    api.prepare(Reply(body=EVENTS.replace('"8"', f'"{version}"')))
    assert (await watched(cluster))[0] == f"ADDED {version}"


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        pytest.param(Reply(body=GONE), Rejected, 410, id="too old, as an event"),
        pytest.param(
            Reply(status=410, body=STATUS),
            Rejected,
            410,
            id="too old",
        ),
        pytest.param(Reply(status=403, body=STATUS), Rejected, 403, id="denied"),
        pytest.param(Reply(body="<html>\n"), Unavailable, None, id="a page of a proxy"),
        pytest.param(Reply(body="[1]\n"), Unavailable, None, id="no event"),
        pytest.param(Reply(hang_up=True), Unavailable, None, id="broken off"),
    ],
)
async def test_a_watch_that_fails(
    cluster: KubeCluster,
    api: StubApi,
    reply: Reply,
    error: type[ClusterError],
    code: int | None,
) -> None:
    api.prepare(reply)
    with pytest.raises(error) as raised:
        await watched(cluster)
    assert raised.value.code == code


async def test_a_watch_renews_a_token_that_was_refused(api: StubApi) -> None:
    credentials = StubCredentials(server=api.url, tokens=("first", "second"))
    cluster = KubeCluster(credentials=credentials, telemetry=NotedTelemetry())
    api.prepare(Reply(status=401), Reply(body=EVENTS))
    with pytest.raises(ClusterError):
        await watched(cluster)
    assert len(await watched(cluster)) == 2
    assert api.seen[1].headers["Authorization"] == "Bearer second"
    await cluster.close()
