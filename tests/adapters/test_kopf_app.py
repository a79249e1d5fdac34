"""The watch shell in-process against an emulated API server: it delivers, and never writes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import kmock as kmock_module
import kopf
import pytest
from kopf._core.reactor import inventory
from waypost.adapters import kopf_app
from waypost.adapters.kopf_app import WATCHED, build_registry, build_settings, watch
from waypost.api.meta import FINALIZER_RESULT, LABEL_RUN
from waypost.ports.cluster import Kind, Obj

from tests.adapters.doubles import StubCredentials

AW = "waypost.dev/v1alpha1/agentworkflows"
APPROVALS = "waypost.dev/v1alpha1/approvals"
PODS = "v1/pods"
OTHER_KOPF = "kopf.zalando.org/KopfFinalizerMarker"


class NotedSink:
    """Remembers (kind, change, name)."""

    def __init__(self) -> None:
        self.noticed: list[tuple[Kind, str | None, str]] = []
        self.changed = asyncio.Event()

    def on_watch_event(self, kind: Kind, change: str | None, raw: Obj) -> None:
        self.noticed.append((kind, change, raw["metadata"]["name"]))
        self.changed.set()

    def health(self) -> str | None:
        return None

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(100):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def serve_kinds(kmock: kmock_module.KubernetesEmulator) -> None:
    verbs = {"list", "watch", "patch", "get", "create", "delete"}
    kinds = {AW: "AgentWorkflow", APPROVALS: "Approval", PODS: "Pod"}
    for resource, kind in kinds.items():
        kmock.resources[resource] = kmock.ResourceInfo(
            kind=kind, singular=kind.lower(), verbs=verbs, namespaced=True
        )
    for resource, kind, namespaced in (
        ("v1/namespaces", "Namespace", False),
        ("v1/events", "Event", True),
        ("apiextensions.k8s.io/v1/customresourcedefinitions", "CustomResourceDefinition", False),
    ):
        kmock.resources[resource] = kmock.ResourceInfo(
            kind=kind, singular=kind.lower(), verbs=verbs, namespaced=namespaced
        )


def thing(name: str, kind: str, **metadata: object) -> Obj:
    full = {"name": name, "namespace": "n", "uid": f"uid-{name}", **metadata}
    return {"apiVersion": "v1", "kind": kind, "metadata": full, "spec": {"x": 1}}


@pytest.fixture
def sink() -> NotedSink:
    return NotedSink()


@asynccontextmanager
async def watching(
    kmock: kmock_module.KubernetesEmulator, sink: NotedSink, *namespaces: str
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    source = StubCredentials(server=str(kmock.url).rstrip("/"))
    task = asyncio.create_task(
        watch(sink=sink, credentials=source, namespaces=namespaces, stop=stop)
    )
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, timeout=100)


def methods(kmock: kmock_module.KubernetesEmulator) -> set[str]:
    return {str(request.method).upper().rpartition(".")[2] for request in kmock}


async def test_objects_reach_the_sink_and_nothing_is_written(
    kmock: kmock_module.KubernetesEmulator, sink: NotedSink
) -> None:
    serve_kinds(kmock)
    kmock.objects[AW, "n", "run"] = thing("run", "AgentWorkflow", finalizers=[OTHER_KOPF])
    kmock.objects[APPROVALS, "n", "gate"] = thing("gate", "Approval")
    kmock.objects[PODS, "n", "pod"] = thing(
        "pod", "Pod", labels={LABEL_RUN: "u"}, finalizers=[FINALIZER_RESULT]
    )
    async with watching(kmock, sink):
        await sink.until(lambda: len(sink.noticed) >= 3)
        assert {(kind, name) for kind, _, name in sink.noticed} >= {
            (Kind.AGENT_WORKFLOW, "run"),
            (Kind.APPROVAL, "gate"),
            (Kind.POD, "pod"),
        }
        await asyncio.sleep(0.5)  # time in which kopf would write, were it asked to
    assert methods(kmock) == {"GET"}, "not one PATCH to anybody's object, ever"


async def test_kopf_remembers_nothing_of_an_object(
    kmock: kmock_module.KubernetesEmulator, sink: NotedSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[inventory.ResourceMemories] = []
    begin = inventory.ResourceMemories.__init__

    def noted(self: inventory.ResourceMemories) -> None:
        made.append(self)
        begin(self)

    monkeypatch.setattr(inventory.ResourceMemories, "__init__", noted)
    before = inventory.ResourceMemories.recall
    serve_kinds(kmock)
    kmock.objects[AW, "n", "run"] = thing("run", "AgentWorkflow")
    async with watching(kmock, sink):
        await sink.until(lambda: len(sink.noticed) >= 1)
    assert [list(memories.iter_all_memories()) for memories in made] == [[]]
    assert inventory.ResourceMemories.recall is before


@pytest.mark.parametrize("namespaces", [(), ("n",)], ids=["everywhere", "one-namespace"])
async def test_what_is_asked_of_the_api_server(
    namespaces: tuple[str, ...], kmock: kmock_module.KubernetesEmulator, sink: NotedSink
) -> None:
    serve_kinds(kmock)
    kmock.objects[PODS, "n", "pod"] = thing("pod", "Pod", labels={LABEL_RUN: "u"})
    async with watching(kmock, sink, *namespaces):
        await sink.until(lambda: bool(sink.noticed))
        await asyncio.sleep(0.3)
    scope = "/namespaces/n" if namespaces else ""
    urls = [request.url for request in kmock]
    pods = [url for url in urls if url.path == f"/api/v1{scope}/pods"]
    assert len(pods) >= 2, "a list and a watch"
    assert {url.query.get("labelSelector") for url in pods} == {LABEL_RUN}, "by the server"
    assert pods[0].query.get("limit") == "500"
    assert pods[1].query.get("timeoutSeconds") == "300"
    assert pods[1].query.get("allowWatchBookmarks") == "true"
    watched = {url.path.rpartition("/")[2] for url in urls if url.query.get("watch")}
    assert watched == {"pods", "agentworkflows", "approvals"}, "no CRDs, no namespaces, no Jobs"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again as often as in a cluster, but without its pauses."""
    monkeypatch.setattr(kopf_app, "ERROR_BACKOFFS", (0.01,) * len(kopf_app.ERROR_BACKOFFS))


@pytest.mark.usefixtures("soon")
async def test_a_dead_watcher_is_an_error(
    kmock: kmock_module.KubernetesEmulator, sink: NotedSink
) -> None:
    serve_kinds(kmock)
    kmock["list", kmock_module.resource(APPROVALS)] << 404
    source = StubCredentials(server=str(kmock.url).rstrip("/"))
    before = asyncio.all_tasks()
    with pytest.raises(Exception) as caught:
        async with asyncio.timeout(100):
            await watch(sink=sink, credentials=source, namespaces=(), stop=asyncio.Event())
    assert type(caught.value).__name__ == "APINotFoundError"
    left = {task for task in asyncio.all_tasks() - before if "kmock" not in repr(task)}
    assert not {task for task in left if "kopf" in repr(task)}, "no watcher outlives the error"


@pytest.mark.usefixtures("soon")
async def test_a_watch_that_is_refused_in_one_namespace_is_retried(
    kmock: kmock_module.KubernetesEmulator, sink: NotedSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namespace that was deleted with its RoleBinding must not stop the others."""
    monkeypatch.setattr(kopf_app, "REFUSED_BACKOFF", 0.05)
    serve_kinds(kmock)
    kmock.objects[AW, "n", "run"] = thing("run", "AgentWorkflow")
    kmock.objects[AW, "gone", "late"] = thing("late", "AgentWorkflow", namespace="gone")
    refusal = kmock["list", kmock_module.resource(AW), kmock_module.namespace("gone")][:3] << 403
    async with watching(kmock, sink, "gone", "n"):
        await sink.until(lambda: {name for _, _, name in sink.noticed} >= {"run", "late"})
    assert len(refusal) == 3, "it was refused that often"


@pytest.mark.usefixtures("soon")
async def test_a_watch_that_is_refused_everywhere_is_an_error(
    kmock: kmock_module.KubernetesEmulator, sink: NotedSink
) -> None:
    serve_kinds(kmock)
    kmock["list", kmock_module.resource(AW)] << 403
    source = StubCredentials(server=str(kmock.url).rstrip("/"))
    with pytest.raises(Exception) as caught:
        async with asyncio.timeout(100):
            await watch(sink=sink, credentials=source, namespaces=(), stop=asyncio.Event())
    assert type(caught.value).__name__ == "APIForbiddenError"


async def test_the_end_of_the_watch_leaves_foreign_tasks_alone(
    kmock: kmock_module.KubernetesEmulator, sink: NotedSink
) -> None:
    serve_kinds(kmock)
    kmock.objects[PODS, "n", "pod"] = thing("pod", "Pod", labels={LABEL_RUN: "u"})
    async with watching(kmock, sink):
        await sink.until(lambda: bool(sink.noticed))
        ours = asyncio.create_task(asyncio.sleep(30))  # made after kopf's start
    assert not ours.done(), "kopf cancels all tasks of the loop that it does not know"
    ours.cancel()


async def test_a_refused_login_is_renewed(sink: NotedSink) -> None:
    source = StubCredentials(server="https://x", tokens=("old", "new"))
    registry = build_registry(sink=sink, credentials=source)
    (login,) = registry._activities.get_all_handlers()
    first = await login.fn()  # type: ignore[call-arg, misc]
    second = await login.fn()  # type: ignore[call-arg, misc]
    assert (first.token, first.scheme, second.token) == ("old", "Bearer", "new")


def test_no_handler_that_compares_or_writes_is_registered(sink: NotedSink) -> None:
    source = StubCredentials(server="https://x")
    registry = build_registry(sink=sink, credentials=source)
    watching_handlers = registry._watching.get_all_handlers()
    assert len(list(watching_handlers)) == len(WATCHED)
    for forbidden in (registry._changing, registry._spawning, registry._indexing):
        assert list(forbidden.get_all_handlers()) == [], (
            "annotations, finalizers and retries come with these; NullDiffBase breaks them"
        )
    assert list(kopf.get_default_registry()._watching.get_all_handlers()) == []


def test_settings_that_others_were_bitten_by() -> None:
    settings = build_settings()
    assert settings.process.ultimate_exiting_timeout is None, "it would kill the process"
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert settings.persistence.finalizer not in (OTHER_KOPF, FINALIZER_RESULT)
