"""Documents of one run. Browsers that ask for the same run share the requests to the API server."""

import asyncio
import json
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from waypost.api.base import JsonObject
from waypost.cli.connection.cluster import Session, find_run
from waypost.cli.connection.definitions import definition
from waypost.cli.errors import CommandError, Exit
from waypost.cli.reading.compared import compared
from waypost.cli.reading.describe import describe
from waypost.cli.reading.node_logs import read_node_log
from waypost.cli.reading.node_values import read_node_io
from waypost.cli.reading.rounds import preview
from waypost.cli.reading.tried import compare_attempts
from waypost.compiler.definition import Definition
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind, Obj
from waypost.ui.documents import Documents
from waypost.ui.feed import Feed
from waypost.views.graph import run_graph
from waypost.views.run.manifest import run_manifest

_FRESH: Final = 2.0  # seconds in which pods and Approvals are not read again
_KEPT: Final = 20  # documents
_DEFINITIONS: Final = 20
_LOG_LINES: Final = 5000
_LOG_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class _Held:
    version: str
    made: float
    packed: bytes  # all people keep one at the moment at which a run that they follow changes

    @property
    def payload(self) -> bytes:
        return zlib.decompress(self.packed)


class Runs:
    """Reads runs and describes them.

    Args:
        session: The connection.
        feed: The lists of what may be asked for.
        documents: What is shared with other people.
    """

    def __init__(self, session: Session, feed: Feed, documents: Documents) -> None:
        self._session = session
        self._feed = feed
        self._documents = documents
        self._held: OrderedDict[tuple[str, ...], _Held] = OrderedDict()
        self._running: dict[tuple[str, ...], asyncio.Task[_Held]] = {}
        self._definitions: OrderedDict[tuple[str, ...], tuple[Definition | None, str]] = (
            OrderedDict()
        )

    def in_namespace(self, namespace: str) -> Session:
        """A session for this namespace. Raises CommandError if it is not shown."""
        if not self._feed.covers(namespace):
            shown = self._feed.namespace
            message = f"only namespace {shown} is shown; start `waypost ui` with -A or -n"
            raise CommandError(message, code=Exit.NOT_FOUND)
        return Session(cluster=self._session.cluster, namespace=namespace)

    async def page(self, namespace: str, name: str) -> bytes:
        """The run and its graph, as JSON. Raises CommandError, ClusterError, CannotShow."""

        async def make(session: Session, run: Obj) -> JsonObject:
            known, _ = await self._definition(session, run)
            shown = await describe(session, run)
            spec = section(run, "spec")
            return {
                "run": shown.to_json(),
                "graph": run_graph(shown, known).to_json(),
                "suspended": spec.get("suspend") is True,
                "cancelled": spec.get("cancel") is True,
            }

        return await self._shared("page", namespace, name, make)

    async def trace(self, namespace: str, name: str) -> bytes:
        """The run with its traces and the parts of its attempts, as JSON. Raises as `page`."""

        async def make(session: Session, run: Obj) -> JsonObject:
            return (await describe(session, run, with_traces=True)).to_json()

        return await self._shared("trace", namespace, name, make)

    async def manifest(self, namespace: str, name: str) -> JsonObject:
        """The run as YAML. Raises as `page`."""
        return run_manifest(await find_run(self.in_namespace(namespace), name)).to_json()

    async def io(self, namespace: str, name: str, path: str) -> JsonObject:
        """Inputs and output of a node. Raises as `page`."""
        session = self.in_namespace(namespace)
        run = await find_run(session, name)
        known = await definition(session, run)
        return (await read_node_io(session, run, known, path)).to_json()

    async def attempts(
        self, namespace: str, name: str, path: str, numbers: list[int]
    ) -> JsonObject:
        """How two attempts of a node differ. Raises as `page`."""
        session = self.in_namespace(namespace)
        run = await find_run(session, name)
        known = await definition(session, run)
        return (await compare_attempts(session, run, known, path, numbers)).to_json()

    async def rerun(self, namespace: str, name: str, wanted: Obj) -> JsonObject:
        """What the next round would do, with `wanted` as `rounds.asked` gives it. Raises as
        `page`."""
        return (await preview(self.in_namespace(namespace), name, wanted)).to_json()

    async def difference(self, namespace: str, name: str, other: str) -> JsonObject:
        """How two runs of a namespace differ. Raises as `page`."""
        return (await compared(self.in_namespace(namespace), name, other)).to_json()

    async def log(self, namespace: str, name: str, path: str, attempt: int | None) -> JsonObject:
        """The end of the log of a node or an item. Raises as `page`."""
        session = self.in_namespace(namespace)
        run = await find_run(session, name)
        found = await read_node_log(
            session, run, path, attempt=attempt, lines=_LOG_LINES, limit_bytes=_LOG_BYTES
        )
        return found.to_json()

    async def _shared(
        self,
        what: str,
        namespace: str,
        name: str,
        make: Callable[[Session, Obj], Awaitable[JsonObject]],
    ) -> bytes:
        session = self.in_namespace(namespace)
        row = self._feed.tables[Kind.AGENT_WORKFLOW].rows.get((namespace, name))
        version = row.version if row is not None else ""
        key = (what, namespace, name)
        held = self._held.get(key)
        if held and version == held.version and monotonic() - held.made < _FRESH:
            return held.payload

        async def read() -> _Held:
            async with self._documents.turns:
                run = await find_run(session, name)
                at = monotonic()
                packed = zlib.compress(json.dumps(await make(session, run)).encode(), 1)
            found = _Held(text(section(run, "metadata"), "resourceVersion"), at, packed)
            self._keep(key, found)
            return found

        # A browser that has heard of a newer version does not wait for a read of an older one.
        turn = (*key, version)
        task = self._running.get(turn)
        if task is None:
            task = asyncio.create_task(read())
            self._running[turn] = task
            task.add_done_callback(lambda _: self._running.pop(turn, None))
        return (await asyncio.shield(task)).payload

    def _keep(self, key: tuple[str, ...], found: _Held) -> None:
        """Until it is not fresh any more."""
        self._held[key] = found
        self._held.move_to_end(key)
        while len(self._held) > _KEPT:
            self._held.popitem(last=False)
        asyncio.get_running_loop().call_later(_FRESH, self._drop, key, found)

    def _drop(self, key: tuple[str, ...], found: _Held) -> None:
        if self._held.get(key) is found:
            self._held.pop(key)

    async def _definition(self, session: Session, run: Obj) -> tuple[Definition | None, str]:
        """The definition, compiled once for each version of it."""
        metadata, template = section(run, "metadata"), section(run, "status", "template")
        key = (
            text(metadata, "uid"),
            str(metadata.get("generation")),
            text(template, "record"),
        )
        known = self._definitions.get(key)
        if known is None:
            known = await self._documents.definition(session, run)
            if known[0] is not None:
                self._definitions[key] = known
            while len(self._definitions) > _DEFINITIONS:
                self._definitions.popitem(last=False)
        return known
