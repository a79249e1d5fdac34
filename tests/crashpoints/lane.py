"""A namespace with a separate operator, a real process behind a proxy; one run at a time."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from waypost.kube.objects import items

from tests.crashpoints import reference
from tests.crashpoints.api import MERGE, OURS, Api, Obj
from tests.crashpoints.machine import Machine
from tests.crashpoints.proxy import Proxy

RUN_SECONDS = 540.0  # three to ten on an idle machine; below the timeout of every test
_POLL = 0.05


class Lane:
    """Make one with `Lane.opened`."""

    def __init__(self, *, api: Api, namespace: str, folder: Path, proxy: Proxy, url: str) -> None:
        self.proxy = proxy
        self.starts = 0
        self.exits: list[int] = []  # of operators that were not killed by the test
        self._api = api
        self._namespace = namespace
        self._log = folder / f"{namespace}.log"
        self._kubeconfig = folder / f"{namespace}.kubeconfig"
        self._kubeconfig.write_text(_kubeconfig(url), encoding="utf-8")
        self._process: asyncio.subprocess.Process | None = None
        self._environment: dict[str, str] = {}
        self.machine = Machine(api=api, namespace=namespace, script=reference.SCRIPT)

    @classmethod
    @asynccontextmanager
    async def opened(cls, *, api: Api, folder: Path, **environment: str) -> AsyncIterator["Lane"]:
        """A lane whose operator runs; `environment` are more settings of it."""
        name = f"waypost-crash-{uuid.uuid4().hex[:8]}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await api.call("POST", "/api/v1/namespaces", body)
        proxy = Proxy(api)
        try:
            async with proxy.serving() as url:
                lane = cls(api=api, namespace=name, folder=folder, proxy=proxy, url=url)
                lane._environment = environment
                await lane._ready_for_pods()
                await api.call("POST", lane._ours("modelproviders"), reference.PROVIDER)
                playing = asyncio.create_task(lane.machine.run())
                try:
                    await lane.start()
                    yield lane
                finally:
                    playing.cancel()
                    await asyncio.gather(playing, return_exceptions=True)
                    await lane.kill()
        finally:
            await api.call("DELETE", f"/api/v1/namespaces/{name}")

    async def start(self) -> None:
        """Start the operator's process; it is there, and not yet ready."""
        self.starts += 1
        environment = {
            "WAYPOST_KUBECONFIG": str(self._kubeconfig),
            "WAYPOST_NAMESPACES": self._namespace,
            "WAYPOST_RUNNER_IMAGE": "runner:none",
            "WAYPOST_AGENT_IMAGE": "agent:none",
            "WAYPOST_HTTP_HOST": "127.0.0.1",
            "WAYPOST_HTTP_PORT": "0",
            "WAYPOST_LOG_FORMAT": "text",
            **self._environment,
        }
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "waypost", "run"),
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": os.environ.get("HOME", "/"),
                    **environment,
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._keeping = asyncio.create_task(self._keep(self._process))

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        """Start it again when it ends by itself, as a kubelet does."""
        code = await process.wait()
        if process is self._process:
            self.exits.append(code)
            await self.start()

    async def kill(self) -> None:
        """SIGKILL; nothing of it is left."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()

    async def play(self, name: str, *, within: float = RUN_SECONDS) -> reference.End:
        """Submit the reference run, answer its gate, and give what is left of it."""
        deadline = time.monotonic() + within
        manifest = {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "AgentWorkflow",
            "metadata": {"name": name},
            "spec": reference.spec(),
        }
        await self._api.call("POST", self._ours("agentworkflows"), manifest)
        path = self._ours("agentworkflows", name)
        answered = False
        while True:
            run = await self._api.call("GET", path)
            gate = next((n for n in items(run, "status", "nodes") if n["path"] == "ok"), {})
            if not answered and gate.get("approval"):
                answered = await self._answer(gate["approval"])
            if run.get("status", {}).get("finishedAt"):
                return await self._left(run, deadline)
            assert time.monotonic() < deadline, f"{name} does not end\n{self._tell(run)}"
            await asyncio.sleep(_POLL)

    async def forget(self, end: reference.End) -> None:
        """Delete a run, and with it its children."""
        await self._api.call("DELETE", self._ours("agentworkflows", end.run["metadata"]["name"]))

    async def _left(self, run: Obj, deadline: float) -> reference.End:
        """What is left, once every pod has been let go of."""

        async def look() -> reference.End:
            found = {
                plural: await self._children(run, prefix, plural)
                for prefix, plural in (("/apis/batch/v1", "jobs"), ("/api/v1", "pods"))
            }
            records = await self._children(run, OURS, "noderecords")
            return reference.End(run, found["jobs"], found["pods"], records)

        while True:
            end = await look()
            held = [p for p in end.pods if p["metadata"].get("finalizers")]
            if not held or time.monotonic() > deadline:
                return end
            await asyncio.sleep(_POLL)

    async def _children(self, run: Obj, prefix: str, plural: str) -> list[Obj]:
        selector = f"labelSelector=waypost.dev/run={run['metadata']['uid']}"
        path = f"{prefix}/namespaces/{self._namespace}/{plural}?{selector}"
        found: list[Obj] = (await self._api.call("GET", path))["items"]
        return found

    async def _answer(self, approval: str) -> bool:
        body = {"spec": {"decision": "Approved", "decidedBy": "ann"}}
        path = self._ours("approvals", approval)
        try:
            await self._api.call("PATCH", path, body, content_type=MERGE)
        except KeyError:
            return False  # the fence is written first, the Approval after it
        return True

    async def _ready_for_pods(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/default"
        for _ in range(200):
            with contextlib.suppress(KeyError):
                await self._api.call("GET", path)
                return
            await asyncio.sleep(_POLL)
        raise AssertionError("no default ServiceAccount")

    def _ours(self, plural: str, name: str = "") -> str:
        return f"{OURS}/namespaces/{self._namespace}/{plural}" + (f"/{name}" if name else "")

    def _tell(self, run: Obj) -> str:
        nodes: list[Any] = items(run, "status", "nodes")
        lines = [f"{n['path']}: {n['phase']} {n.get('message', '')}" for n in nodes]
        log = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([*lines, "the operator's log:", *log[-30:]])


def _kubeconfig(url: str) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "proxied",
        "contexts": [{"name": "proxied", "context": {"cluster": "proxied", "user": "nobody"}}],
        "clusters": [{"name": "proxied", "cluster": {"server": url}}],
        "users": [{"name": "nobody", "user": {}}],
    }
    return json.dumps(document)
