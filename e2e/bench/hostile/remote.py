"""A simulated cluster in a thread with its own event loop, so that its work is not the operator's.

It runs in real time. Only the operator's side of a request is on the operator's loop.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from waypost.kube import node_records
from waypost.kube.objects import section
from waypost.kube.payloads import AttemptRef
from waypost.ports.cluster import Kind, Obj
from waypost.protocol import ijson
from waypost.protocol.record import CommitRecord, Stored, encode

from tests.fakes.clock import VirtualClock
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.nodes.programs import Outcome, PodView
from tests.fakes.nodes.workloads import Workloads
from tests.support.line import Call, Line

NAMESPACE = "default"
Notice = Callable[[Kind, str | None, Obj], None]


class RemoteCluster:
    """A simulated cluster in another thread.

    Args:
        stored: Outputs by node that go into NodeRecords; other nodes return null.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self._stored = stored
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="cluster", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._clock = VirtualClock(start=datetime.now(UTC), loop=self._loop)
        self._cluster = InMemoryCluster(clock=self._clock, namespaces=(NAMESPACE,))
        self._work = Workloads(self._cluster, program=self._program)
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()

    def _program(self, pod: PodView) -> Outcome:
        if pod.path not in self._stored:
            return pod.succeeds()
        value = self._stored[pod.path]
        canonical = ijson.canonical(value)
        form = node_records.form_of(value, canonical)
        assert form is not None, "an output that fits a NodeRecord"
        ref = AttemptRef(pod.run_name, pod.run_uid, pod.path, pod.round, pod.attempt)
        digest, size = ijson.digest(value), len(canonical)
        owner = {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "AgentWorkflow",
            "name": pod.run_name,
            "uid": pod.run_uid,
            "controller": True,
        }
        body = node_records.manifest(
            "Result", ref, digest=digest, size=size, form=form, owner=owner, namespace=NAMESPACE
        )
        self._cluster.server.create(Kind.NODE_RECORD, namespace=NAMESPACE, body=body, by="gateway")
        record = CommitRecord(pod._whose, "Succeeded", stored=Stored(digest, size))
        return Outcome(seconds=0.1, message=encode(record).decode())

    def submit(self, spec: Obj, name: str) -> None:
        """Create a run, as a user."""
        body = {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "AgentWorkflow",
            "metadata": {"name": name},
            "spec": spec,
        }
        user = self._cluster.as_user("ann")
        work = user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=body)
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def status(self, name: str) -> Obj:
        """The status of a run, as stored."""

        async def read() -> Obj:
            found = self._cluster.server.storage.read(Kind.AGENT_WORKFLOW, NAMESPACE, name)
            return section(found or {}, "status")

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result()

    def subscribe(self, notice: Notice, operator: asyncio.AbstractEventLoop) -> None:
        """Call `notice` on the operator's loop for every change."""

        def pass_on(kind: Kind, change: str | None, raw: Obj) -> None:
            operator.call_soon_threadsafe(notice, kind, change, raw)

        async def begin() -> None:
            self._cluster.subscribe(pass_on)

        asyncio.run_coroutine_threadsafe(begin(), self._loop).result()

    def connect(self) -> Line:
        """A connection whose requests are served in the thread of the cluster; logs are empty."""

        async def carry(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            async def serve() -> Any:
                return await send()

            if call.verb == "read_log":
                return ""
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(serve(), self._loop))

        line = Line(self._cluster, self._clock)
        line.intercept = carry
        return line
