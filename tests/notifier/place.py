"""A notifier before the in-memory cluster in virtual time, with sinks that a test controls."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from waypost.adapters.kube import Change, Page
from waypost.notifier.core.answers import Answer
from waypost.notifier.core.occurrences import TYPES, Occurrence, Type
from waypost.notifier.courier import Sink, Surroundings
from waypost.notifier.metrics import NotifierMetrics
from waypost.notifier.service import Notifier
from waypost.notifier.settings import SinkSettings
from waypost.notifier.state import State
from waypost.ports.cluster import ClusterError, Kind, Obj, PatchType, Unavailable

from tests.fakes.clock import VirtualClock
from tests.fakes.cluster import OPERATOR, WATCHED, InMemoryCluster

NAMESPACE: Final = "default"
RELEASE: Final = "waypost-system"
STATE: Final = "waypost-notifier"
OK: Final = Answer(200)
SOON: Final = 3.0  # seconds in which what is due is delivered and recorded


def occurrence(type_: Type = "RunFailed", *, id_: str = "1f2d", at: float = 0.0) -> Occurrence:
    """One that a test can compare."""
    asks = type_.startswith("Approval")
    return Occurrence(
        id=id_,
        type=type_,
        at=at,
        uid=f"uid-{id_}",
        namespace="team-a",
        name="triage-approve-x7" if asks else "triage",
        run="triage",
        path="approve" if asks else "",
        round=0 if asks else 2,
        reason="" if asks else "NodeFailed",
        expires="2026-03-01T10:00:00Z" if asks else "",
    )


def sink(name: str = "chat", **fields: Any) -> SinkSettings:
    """A sink that wants everything."""
    given = {"url": f"https://{name}.example/hook", "format": "Json", "report": list(TYPES)}
    return SinkSettings.model_validate({"name": name, **given, **fields})


class Api(InMemoryCluster):
    """The in-memory cluster with pages and watches."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock=clock, namespaces=(NAMESPACE, "other", RELEASE))
        self.denied: dict[Kind, ClusterError] = {}
        self.read_only = False
        self._log: list[tuple[Kind, Change]] = []
        self._changed = asyncio.Event()
        self.subscribe(self._note, kinds=WATCHED)

    def _note(self, kind: Kind, change: str | None, body: Obj) -> None:
        self._log.append((kind, Change(change or "ADDED", json.loads(json.dumps(body)))))
        self._changed.set()
        self._changed = asyncio.Event()

    async def patch(self, kind: Kind, **request: Any) -> Obj:
        """As before, unless writes fail."""
        if self.read_only:
            await asyncio.sleep(0)
            raise Unavailable("read only")
        return await super().patch(kind, **request)

    async def page(self, kind: Kind, *, namespace: str | None, limit: int, token: str) -> Page:
        """Two objects a page, whatever limit is asked for."""
        await asyncio.sleep(0)
        if kind in self.denied:
            raise self.denied[kind]
        found = self.server.list(kind, namespace=namespace)
        start = int(token or 0)
        more = str(start + 2) if start + 2 < len(found.items) else ""
        return Page(found.items[start : start + 2], more, found.resource_version)

    async def watch(
        self, kind: Kind, *, namespace: str | None, version: str
    ) -> AsyncIterator[Change]:
        """Changes after a version, with a bookmark a minute, for five minutes."""
        at, end = 0, self.clock.monotonic() + 300
        while self.clock.monotonic() < end:
            if kind in self.denied:
                raise self.denied[kind]
            changed = self._changed
            while at < len(self._log):
                of, change = self._log[at]
                at += 1
                metadata = change.object["metadata"]
                fits = of is kind and namespace in (None, metadata["namespace"])
                if fits and int(metadata["resourceVersion"]) > int(version):
                    yield change
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    await changed.wait()
                    continue
            metadata = {"resourceVersion": str(self.server.storage.revision)}
            yield Change("BOOKMARK", {"metadata": metadata})


@dataclass(frozen=True)
class Received:
    """A message that a sink got."""

    at: float
    url: str
    headers: Mapping[str, str]
    body: Obj

    @property
    def what(self) -> tuple[str, str]:
        """Its type, and the object."""
        return self.body["type"], self.body["data"]["name"]


@dataclass
class Place:
    """What a test moves. `answers` says what a sink does, by its URL; OK unless it is there."""

    api: Api
    clock: VirtualClock
    metrics: NotifierMetrics = field(default_factory=NotifierMetrics)
    received: list[Received] = field(default_factory=list)
    answers: dict[str, Callable[[Received], Answer]] = field(default_factory=dict)
    tried: list[Received] = field(default_factory=list)

    def now(self) -> float:
        """Seconds since 1970."""
        return self.clock.now().timestamp()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """`Sender.send`."""
        one = Received(self.clock.monotonic(), url, headers, json.loads(body))
        self.tried.append(one)
        await asyncio.sleep(0.01)
        behaves = self.answers.get(url)
        answer = behaves(one) if behaves is not None else OK
        if answer.ok:
            self.received.append(one)
        return answer

    def put(self, kind: Kind, name: str, *, namespace: str = NAMESPACE, **parts: Any) -> None:
        """Create an object."""
        names = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
        self.api.server.create(kind, namespace=namespace, body={**names, **parts}, by="test")

    def set_status(self, kind: Kind, name: str, status: Obj, *, namespace: str = NAMESPACE) -> None:
        """Write a status."""
        self.api.server.patch(
            kind,
            namespace=namespace,
            name=name,
            body={"status": status},
            patch_type=PatchType.MERGE,
            subresource="status",
            by=OPERATOR,
        )

    def approval(self, name: str = "ask", *, namespace: str = NAMESPACE, **spec: Any) -> None:
        """A question that waits."""
        given = {
            "run": "triage",
            "path": "approve",
            "message": "SECRET question",
            "approvers": {"users": ["ann"]},
            "requestDigest": "sha256:0",
        }
        self.put(Kind.APPROVAL, name, namespace=namespace, spec={**given, **spec})

    def failed_run(self, name: str = "triage", *, namespace: str = NAMESPACE) -> None:
        """A run that has just failed."""
        node = {"name": "work", "python": {"source": "return 1"}}
        self.put(Kind.AGENT_WORKFLOW, name, namespace=namespace, spec={"nodes": [node]})
        at = self.api.server.time()
        condition = {
            "type": "Succeeded",
            "status": "False",
            "reason": "NodeFailed",
            "message": "SECRET text of an error",
            "lastTransitionTime": at,
        }
        status = {"phase": "Failed", "finishedAt": at, "round": 1, "conditions": [condition]}
        self.set_status(Kind.AGENT_WORKFLOW, name, status, namespace=namespace)

    def state(self) -> dict[str, Obj]:
        """What the ConfigMap says of each sink."""
        found = self.api.server.get(Kind.CONFIG_MAP, namespace=RELEASE, name=STATE)
        return {name: json.loads(text) for name, text in found.get("data", {}).items()}

    def counted(self, result: str, name: str = "chat") -> float:
        """How many attempts or messages ended so."""
        labels = {"sink": name, "result": result}
        metric = "waypost_notifier_messages_total"
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0

    def notifier(self, *sinks: SinkSettings, namespaces: tuple[str, ...] = ()) -> Notifier:
        """A notifier that has not started."""
        self.metrics = NotifierMetrics()

        def around(changed: Callable[[], None]) -> Surroundings:
            return Surroundings(self.send, self.metrics, "", self.now, changed)

        return Notifier(
            sinks=[Sink(one, Path("/nowhere")) for one in sinks or (sink(),)],
            reader=self.api,
            namespaces=namespaces,
            state=State(cluster=self.api, namespace=RELEASE, name=STATE),
            around=around,
            now=self.now,
        )

    @asynccontextmanager
    async def serving(
        self, *sinks: SinkSettings, crash: bool = False, namespaces: tuple[str, ...] = ()
    ) -> AsyncIterator[Notifier]:
        """A notifier that serves; `crash`: its end records nothing."""
        made, stopping = self.notifier(*sinks, namespaces=namespaces), asyncio.Event()
        task = asyncio.create_task(made.run(stopping))
        try:
            await asyncio.sleep(SOON)
            yield made
        finally:
            self.api.read_only = crash
            stopping.set()
            await task
            self.api.read_only = False


def place() -> Place:
    """A cluster with the ConfigMap of the chart."""
    clock = VirtualClock()
    made = Place(Api(clock), clock)
    made.put(Kind.CONFIG_MAP, STATE, namespace=RELEASE)
    return made
