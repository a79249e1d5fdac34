"""What writes of runs cost the API server: `python -m e2e.bench server`.

An operator before a simulated API server carries a chain of 200 nodes, and a run of one node. What
it writes to their status is then sent to a real API server, which two clients watch. Its metrics
say how much processor time it used, and how many bytes it allocated; the latter do not depend on
what else the machine does. `python -m e2e.bench.server [--crds FOLDER] [--profile FILE]` measures
with other CRDs, or leaves a profile of the API server (`go tool pprof -top -cum FILE`).
"""

import argparse
import http.client
import json
import ssl
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from waypost.api.meta import AGENT_WORKFLOW, FIELD_MANAGER
from waypost.ports.cluster import Kind, Obj, PatchType

from e2e.bench.apiserver import TOKEN, api_server
from e2e.bench.figures import Figure, line
from e2e.bench.passes import NODES, chain, program
from e2e.bench.throughput.meters import total
from e2e.cluster.settings import REPOSITORY
from tests.support.harness import World
from tests.support.line import Line
from tests.support.virtual import virtual

LAST: Final = 40  # writes of the chain that are measured
SINGLES: Final = 100  # runs of one node
PROFILED: Final = 15  # seconds
CRDS: Final = REPOSITORY / "crds"
_RUNS: Final = f"/apis/{AGENT_WORKFLOW.api_version}/namespaces/default/{AGENT_WORKFLOW.plural}"
_HOW: Final = f"?fieldValidation=Strict&fieldManager={FIELD_MANAGER}"
_PINNED: Final[Obj] = {"templateRef": {"name": "chain"}}


@dataclass
class Recorded:
    """The status writes of one run: the operations of each, and the status that it led to."""

    patches: list[list[Obj]] = field(default_factory=list)
    stored: list[Obj] = field(default_factory=list)

    def watch(self, line: Line) -> None:
        """Record what one operator writes from now on."""
        whole: Any = line._cluster
        line._cluster = _Recording(whole, self)


class _Recording:
    """A cluster that records the writes of the status of runs."""

    def __init__(self, cluster: Any, recorded: Recorded) -> None:
        self._cluster = cluster
        self._recorded = recorded

    async def patch(self, kind: Kind, **how: Any) -> Obj:
        made: Obj = await self._cluster.patch(kind, **how)
        if kind is Kind.AGENT_WORKFLOW and how.get("subresource") == "status":
            self._recorded.patches.append(json.loads(json.dumps(how["body"])))
            self._recorded.stored.append(json.loads(json.dumps(made["status"])))
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)  # everything else


def recorded(spec: Obj) -> Recorded:
    """What an operator writes to the status of one run."""
    found = Recorded()

    @virtual
    async def play() -> None:
        async with World() as world:
            world.work.program = program
            found.watch(world.start().line)
            await world.submit(spec)
            assert (await world.finished())["phase"] == "Succeeded", world.tell()

    play()
    return found


@dataclass(frozen=True)
class Used:
    """What the API server has used since its start."""

    cpu: float  # seconds
    allocated: float  # bytes


class Server:
    """The real API server, asked by its administrator over one connection."""

    def __init__(self, kubeconfig: Path) -> None:
        cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
        self._address = urlsplit(cluster["server"]).netloc
        self._trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._headers = {"Authorization": f"Bearer {TOKEN}"}
        self._link = self._connected()

    def ask(
        self, method: str, path: str, body: object = None, form: str = "application/json"
    ) -> bytes:
        """The body of an answer. Raises RuntimeError if the request was refused."""
        sent = None if body is None else json.dumps(body, separators=(",", ":"))
        self._link.request(method, path, sent, {**self._headers, "Content-Type": form})
        answer = self._link.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()[:2000]}")
        return text

    def used(self) -> Used:
        """Its counters now."""
        text = self.ask("GET", "/metrics").decode()
        cpu = total(text, "process_cpu_seconds_total")
        return Used(cpu, total(text, "go_memstats_alloc_bytes_total"))

    def create(self, name: str, spec: Obj) -> Obj:
        """Store a run."""
        head = {"apiVersion": AGENT_WORKFLOW.api_version, "kind": AGENT_WORKFLOW.kind}
        made: Obj = json.loads(
            self.ask("POST", _RUNS, {**head, "metadata": {"name": name}, "spec": spec})
        )
        return made

    def write(self, run: Obj, operations: Sequence[Obj]) -> Obj:
        """Write the status of a run as the operator does; gives the stored object."""
        path, metadata = "/metadata/resourceVersion", run["metadata"]
        fence = {"op": "replace", "path": path, "value": metadata["resourceVersion"]}
        place = f"{_RUNS}/{metadata['name']}/status{_HOW}"
        body = [fence, *operations]
        written: Obj = json.loads(self.ask("PATCH", place, body, PatchType.JSON.value))
        return written

    def watch(self) -> None:
        """Read the changes of all runs in the background."""
        link = self._connected()
        link.request("GET", f"{_RUNS}?watch=true", headers=self._headers)
        answer = link.getresponse()

        def read() -> None:
            try:
                while answer.read1(1 << 20):
                    pass
            except (OSError, ValueError, http.client.HTTPException):
                return  # the server has stopped

        threading.Thread(target=read, daemon=True).start()

    def _connected(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address, context=self._trust, timeout=600)


def of_chain(server: Server, name: str, spec: Obj, made: Recorded) -> list[Figure]:
    """What each of the last writes of a chain costs, and what is then stored."""
    first = len(made.patches) - LAST
    whole = {"op": "add", "path": "/status", "value": made.stored[first - 1]}
    run = server.write(server.create(name, spec), [whole])
    before = server.used()
    for patch in made.patches[first:]:
        run = server.write(run, patch[1:])
    stored = {"object": run, "managed_fields": run["metadata"]["managedFields"]}
    sizes = {what: len(json.dumps(value, separators=(",", ":"))) for what, value in stored.items()}
    return [
        *_costs(f"{name}_write", before, server.used(), LAST),
        *(Figure(f"{name}_{what}", size, "bytes") for what, size in sizes.items()),
    ]


def of_singles(server: Server, made: Recorded) -> list[Figure]:
    """What a run of one node costs: it is created, and its status is written."""
    before = server.used()
    for at in range(SINGLES):
        run = server.create(f"one-{at}", chain(1))
        for patch in made.patches:
            run = server.write(run, patch[1:])
    return _costs("one_node_run", before, server.used(), SINGLES)


def _costs(name: str, before: Used, after: Used, count: int) -> list[Figure]:
    cpu = round((after.cpu - before.cpu) * 1000 / count, 1)
    allocated = round((after.allocated - before.allocated) / count / 1e6, 2)
    return [Figure(f"{name}_cpu", cpu, "ms"), Figure(f"{name}_allocated", allocated, "MB")]


@contextmanager
def _profiled(kubeconfig: Path, profile: Path) -> Iterator[None]:
    """Profile the API server from the begin of the block; it ends with the profile."""
    path = f"/debug/pprof/profile?seconds={PROFILED}"
    other = Server(kubeconfig)
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(other.ask, "GET", path)
        yield
        profile.write_bytes(asked.result())


def measured(kubeconfig: Path, profile: Path | None) -> list[Figure]:
    """All figures; with `profile`, one of the writes of the first chain is left there."""
    server = Server(kubeconfig)
    for _ in range(2):
        server.watch()
    long, short = recorded(chain(NODES)), recorded(chain(1))
    with _profiled(kubeconfig, profile) if profile is not None else nullcontext():
        found = of_chain(server, "chain", chain(NODES), long)
    found += of_chain(server, "pinned-chain", _PINNED, long)
    return found + of_singles(server, short)


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.server", description=__doc__)
    parser.add_argument("--crds", type=Path, default=CRDS, help="default: those of this tree")
    parser.add_argument("--profile", type=Path, help="a file for a profile")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        kubeconfig = stack.enter_context(api_server(Path(folder), given.crds))
        for figure in measured(kubeconfig, given.profile):
            print(line(figure), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
