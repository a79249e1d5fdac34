"""What many browsers cost the server of the web interface and the API server:
`python -m e2e.bench browsers`.

A real `waypost ui serve` stands before a real API server. 50 streams over HTTP follow one run of
200 nodes whose status is written, and read the page of the run when a stream names it, as the pages
do: all with one token, then each with the token of another person. The API server says how many
watches are open and how often the run was read.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from waypost.ports.cluster import Obj

from e2e.bench.apiserver import TOKEN, api_server, free_port, running
from e2e.bench.figures import Figure, line
from e2e.bench.passes import NODES, chain
from e2e.bench.processes import memory_bytes, wait_until_ready
from e2e.bench.server import Recorded, Server, recorded
from e2e.bench.throughput.meters import total

BROWSERS: Final = 50
WRITES: Final = 10
MEMORY: Final = 150.0  # MB
READ: Final = 1  # of the run for each of its changes, of one person
_RUN: Final = "followed"
_PAGE: Final = f"/api/runs/default/{_RUN}"
_BAR: Final = "/api/approvals?asked=1&limit=0"  # the number in the bar of each page
_PATIENCE: Final = 300.0
_PAUSE: Final = 0.5  # seconds
_RIGHTS: Final = "waypost.dev"


@dataclass(frozen=True)
class Seen:
    """What the API server counts: open watches of each kind, reads of runs so far."""

    runs: int
    approvals: int
    reads: int


def seen(server: Server) -> Seen:
    """Its counters now."""
    text = server.ask("GET", "/metrics").decode()
    watches = "apiserver_longrunning_requests"
    runs, approvals = (
        int(total(text, watches, f'resource="{resource}"', 'verb="WATCH"'))
        for resource in ("agentworkflows", "approvals")
    )
    reads = total(text, "apiserver_request_total", 'resource="agentworkflows"', 'verb="GET"')
    return Seen(runs, approvals, int(reads))


def people(server: Server, count: int) -> list[str]:
    """Tokens of ServiceAccounts that may read what the pages show."""
    rules = [{"apiGroups": [_RIGHTS], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    group = "rbac.authorization.k8s.io"
    place = f"/apis/{group}/v1"
    role = {"metadata": {"name": "looks"}, "rules": rules}
    server.ask("POST", f"{place}/clusterroles", role)
    everyone = {"kind": "Group", "apiGroup": group, "name": "system:serviceaccounts"}
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": "looks"}
    binding = {"metadata": {"name": "look"}, "subjects": [everyone], "roleRef": reference}
    server.ask("POST", f"{place}/clusterrolebindings", binding)
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    tokens = []
    for number in range(count):
        server.ask("POST", accounts, {"metadata": {"name": f"person-{number}"}})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        made = json.loads(server.ask("POST", f"{accounts}/person-{number}/token", request))
        tokens.append(made["status"]["token"])
    return tokens


@contextmanager
def interface(folder: Path, kubeconfig: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`waypost ui serve` before the API server: the process and its port."""
    cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    port = free_port()
    argv = [sys.executable, "-m", "waypost", "ui", "serve", "--login=proxy", "--host=127.0.0.1"]
    argv += [f"--port={port}", f"--api-server={cluster['server']}"]
    argv += [f"--ca-file={cluster['certificate-authority']}"]
    environment = {name: value for name, value in os.environ.items() if "KUBE" not in name}
    with running(argv, folder / "ui.log", environment=environment) as process:
        wait_until_ready(process, port, within=60)
        yield process, port


class Browser:
    """One page that follows the run."""

    def __init__(self, http: aiohttp.ClientSession, address: str, token: str) -> None:
        self._http = http
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}
        self._read_it = asyncio.Condition()
        self.shown = -1  # nodes that have ended, as it shows them

    async def follow(self, stack: AsyncExitStack) -> None:
        """Read what the stream names, until cancelled."""
        while True:
            stream = await stack.enter_async_context(
                self._http.get(f"{self._address}/api/changes", headers=self._headers)
            )
            if stream.status != 503:  # of many that come at once, some must come again
                break
            await asyncio.sleep(_PAUSE)
        assert stream.status == 200, await stream.text()
        async for content in stream.content:
            text = content.decode()
            if text.startswith("event: ready"):
                assert (await self._get(_BAR))["open"] == 0
            if text.startswith("event: ready") or f'"default/{_RUN}"' in text:
                found = await self._read()
                async with self._read_it:
                    self.shown = found
                    self._read_it.notify_all()

    async def shows(self, ended: int) -> None:
        """Return when it shows that so many nodes have ended."""
        async with self._read_it:
            await self._read_it.wait_for(lambda: self.shown == ended)

    async def _read(self) -> int:
        page = await self._get(_PAGE)
        return sum(node["phase"] == "Succeeded" for node in page["run"]["nodes"])

    async def _get(self, path: str) -> Any:
        while True:
            async with self._http.get(f"{self._address}{path}", headers=self._headers) as answer:
                if answer.status != 503:  # the API server prepares the storage of a CRD
                    assert answer.status == 200, await answer.text()
                    return await answer.json()
            await asyncio.sleep(_PAUSE)


async def follow(
    server: Server, run: Obj, made: Recorded, address: str, tokens: Sequence[str]
) -> tuple[Seen, Seen]:
    """Write the status while all tokens look. Gives the counters before and after."""
    # A connection that the server closes at the moment of a request would end the benchmark.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with (
        asyncio.timeout(_PATIENCE),
        aiohttp.ClientSession(connector=connector) as http,
        AsyncExitStack() as stack,
        asyncio.TaskGroup() as group,
    ):
        browsers = [Browser(http, address, token) for token in tokens]
        tasks = [group.create_task(one.follow(stack)) for one in browsers]
        await _all_show(browsers, run)
        before = await asyncio.to_thread(seen, server)
        for patch in made.patches[-WRITES:]:
            run = await asyncio.to_thread(server.write, run, patch[1:])
            await _all_show(browsers, run)
        after = await asyncio.to_thread(seen, server)
        for task in tasks:
            task.cancel()
    return before, after


async def _all_show(browsers: Sequence[Browser], run: Obj) -> None:
    ended = sum(node["phase"] == "Succeeded" for node in run["status"]["nodes"])
    await asyncio.gather(*(one.shows(ended) for one in browsers))


def measured(folder: Path, kubeconfig: Path) -> list[Figure]:
    """Both turns, each before a new server of the interface and with a separate run."""
    server, made = Server(kubeconfig), recorded(chain(NODES))
    found: list[Figure] = []
    for name, tokens in {"one": [TOKEN] * BROWSERS, "many": people(server, BROWSERS)}.items():
        run = server.create(_RUN, chain(NODES))
        whole = {"op": "add", "path": "/status", "value": made.stored[-WRITES - 1]}
        run = server.write(run, [whole])
        with interface(folder, kubeconfig) as (process, port):
            address = f"http://127.0.0.1:{port}"
            before, after = asyncio.run(follow(server, run, made, address, tokens))
            memory = memory_bytes(process, "VmHWM") / 1e6
        server.ask("DELETE", f"/apis/waypost.dev/v1alpha1/namespaces/default/agentworkflows/{_RUN}")
        persons = len(set(tokens))
        reads = (after.reads - before.reads) / WRITES / persons
        found += [
            Figure(f"{name}_watches_of_runs", after.runs, "", bar=persons),
            Figure(f"{name}_watches_of_approvals", after.approvals, "", bar=0),
            Figure(f"{name}_reads_a_change_a_person", round(reads, 2), "", bar=READ),
            Figure(f"{name}_memory_of_the_server", round(memory, 1), "MB", bar=MEMORY),
        ]
    return found


def main() -> int:
    """Print the figures; 1 if one is over its bound."""
    over = False
    with tempfile.TemporaryDirectory() as folder, api_server(Path(folder)) as kubeconfig:
        for figure in measured(Path(folder), kubeconfig):
            over = over or (figure.bar is not None and figure.value > figure.bar)
            print(line(figure), flush=True)
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
