"""An API server with watches, as far as the web interface uses one: HTTP, in this event loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from waypost.ports.cluster import PatchType, Rejected

from tests.cli.conftest import write_kubeconfig
from tests.fakes.api import patches

Obj = dict[str, Any]
GROUP: Final = "/apis/waypost.dev/v1alpha1"
KINDS: Final = ("agentworkflows", "approvals", "noderecords", "agentworkflowtemplates")


class Kubernetes:
    """Objects by kind, namespace and name; each change has the next version."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[tuple[str, str, str], Obj] = {}
        self.log: list[tuple[int, str, str, Obj]] = []  # version, event, kind, object
        self.changed = asyncio.Event()
        self.asked: list[str] = []
        self.watches = 0  # open now
        self.cut = asyncio.Event()  # ends all watches
        self.oldest = 0  # a watch from an older version is answered with 410
        # Requests, such as "list agentworkflows", that are still answered as by one that starts.
        self.starting: dict[str, int] = {}
        self.denied: set[str] = set()  # verbs that are refused, such as "watch agentworkflows"
        self.may: set[str] = {"patch", "approve"}
        self.user = "ann"
        self.before_patch: Callable[[], object] = lambda: None
        self.on_patch: Callable[[str, Obj], Obj | None] = lambda _kind, _body: None

    def put(self, kind: str, body: Obj) -> Obj:
        """Create or replace an object."""
        self.version += 1
        metadata = body["metadata"]
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        event = "MODIFIED" if key in self.objects else "ADDED"
        stored = {**body, "metadata": {**metadata, "resourceVersion": str(self.version)}}
        self.objects[key] = stored
        self._note(event, kind, stored)
        return stored

    def remove(self, kind: str, namespace: str, name: str) -> None:
        self.version += 1
        gone = self.objects.pop((kind, namespace, name))
        gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
        self._note("DELETED", kind, gone)

    def get(self, kind: str, namespace: str, name: str) -> Obj:
        return self.objects[kind, namespace, name]

    def break_watches(self) -> None:
        """End all watches now; later ones are served."""
        self.cut.set()
        self.cut = asyncio.Event()

    def _note(self, event: str, kind: str, body: Obj) -> None:
        self.log.append((self.version, event, kind, body))
        self.changed.set()
        self.changed = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=4 * 1024 * 1024, middlewares=[self._start])
        app.router.add_get(f"{GROUP}/{{kind}}", self._list)
        app.router.add_get(f"{GROUP}/namespaces/{{namespace}}/{{kind}}", self._list)
        one = f"{GROUP}/namespaces/{{namespace}}/{{kind}}/{{name}}"
        app.router.add_get(one, self._get)
        app.router.add_patch(one, self._patch)
        app.router.add_get("/api/v1/namespaces/{namespace}/{kind}", self._nothing)
        app.router.add_post("/apis/{group}/v1/selfsubjectreviews", self._who)
        app.router.add_post("/apis/{group}/v1/selfsubjectaccessreviews", self._may)
        return app

    @web.middleware
    async def _start(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """What an API server answers until the storage of a CRD is there."""
        verb = "get" if "name" in request.match_info else "list"
        asked = f"{verb} {request.match_info.get('kind')}"
        if self.starting.get(asked):
            self.starting[asked] -= 1
            return refusal(429, "TooManyRequests", "storage is (re)initializing")
        return await handler(request)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        kind, namespace = request.match_info["kind"], request.match_info.get("namespace")
        verb = "watch" if request.query.get("watch") else "list"
        self.asked.append(f"{verb} {kind}")
        if f"{verb} {kind}" in self.denied:
            return refusal(403, "Forbidden", f"cannot {verb} resource {kind}")
        if verb == "watch":
            return await self._watch(request, kind, namespace)
        found = [
            body
            for (of, space, _), body in sorted(self.objects.items())
            if of == kind and namespace in (None, space) and _matches(request, body)
        ]
        start, limit = (int(request.query.get(k, "0")) for k in ("continue", "limit"))
        end = start + (limit or len(found))
        more = str(end) if end < len(found) else ""
        metadata = {"resourceVersion": str(self.version), "continue": more}
        return web.json_response({"metadata": metadata, "items": found[start:end]})

    async def _watch(
        self, request: web.Request, kind: str, namespace: str | None
    ) -> web.StreamResponse:
        at = int(request.query["resourceVersion"])
        if at < self.oldest:
            return refusal(410, "Expired", "too old resource version")
        response = web.StreamResponse()
        await response.prepare(request)
        self.watches += 1
        cut = asyncio.ensure_future(self.cut.wait())
        try:
            while not cut.done():
                changed = self.changed
                for version, event, of, body in self.log:
                    shown = of == kind and namespace in (None, body["metadata"].get("namespace"))
                    if version > at and shown:
                        line = json.dumps({"type": event, "object": body}) + "\n"
                        await response.write(line.encode())
                at = self.version
                waiting = asyncio.ensure_future(changed.wait())
                await asyncio.wait({cut, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
        finally:
            self.watches -= 1
            cut.cancel()
        return response

    async def _get(self, request: web.Request) -> web.Response:
        kind, namespace, name = (request.match_info[k] for k in ("kind", "namespace", "name"))
        self.asked.append(f"get {kind} {name}")
        found = self.objects.get((kind, namespace, name))
        if found is None:
            return refusal(404, "NotFound", f"{kind} {name} not found")
        return web.json_response(found)

    async def _patch(self, request: web.Request) -> web.Response:
        kind, namespace, name = (request.match_info[k] for k in ("kind", "namespace", "name"))
        if f"patch {kind}" in self.denied:
            return refusal(403, "Forbidden", f"cannot patch resource {kind}")
        self.before_patch()
        body = self.objects[kind, namespace, name]
        try:
            type_ = PatchType(request.content_type)
            stored = self.put(kind, patches.apply(body, await request.json(), type_))
        except Rejected as error:
            return refusal(error.code or 422, error.reason, error.message)
        if (later := self.on_patch(kind, stored)) is not None:
            self.put(kind, later)
        return web.json_response(stored)

    async def _nothing(self, request: web.Request) -> web.Response:
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    async def _who(self, request: web.Request) -> web.Response:
        return web.json_response({"status": {"userInfo": {"username": self.user}}}, status=201)

    async def _may(self, request: web.Request) -> web.Response:
        verb = (await request.json())["spec"]["resourceAttributes"]["verb"]
        return web.json_response({"status": {"allowed": verb in self.may}}, status=201)


def _matches(request: web.Request, body: Obj) -> bool:
    labels = body["metadata"].get("labels", {})
    wanted = [pair.split("=") for pair in request.query.get("labelSelector", "").split(",") if pair]
    field, _, name = request.query.get("fieldSelector", "").partition("=")
    if field == "metadata.name" and body["metadata"]["name"] != name:
        return False
    return all(labels.get(key) == value for key, value in wanted)


def refusal(code: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code)


@asynccontextmanager
async def serving(kubernetes: Kubernetes, folder: Path) -> AsyncIterator[Path]:
    """Serve it, and yield a kubeconfig whose namespace is `demo`."""
    runner = web.AppRunner(kubernetes.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = folder / "kubeconfig"
    write_kubeconfig(config, server=f"http://127.0.0.1:{port}", contexts=("demo",))
    try:
        yield config
    finally:
        kubernetes.break_watches()
        await runner.cleanup()
