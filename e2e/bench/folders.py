"""Memory of the gateway while a folder passes three nodes: `python -m e2e.bench.folders [GIB]`.

The gateway is a process with the parts of the real one and an object store on this machine; the
nodes pack, upload, fetch and unpack with the code of the runner, over HTTP. The API server is
simulated. It needs no cluster, and five times the size on disk (WAYPOST_BENCH_DIR). The growth is
that over a gateway that has passed a folder of three parts; the baseline is an idle one.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import obstore
import uvicorn
from obstore.store import LocalStore
from waypost.api import meta
from waypost.gateway.app import build_app
from waypost.gateway.main import uvicorn_config
from waypost.gateway.objects import Bucket
from waypost.gateway.settings import GatewaySettings
from waypost.ports.cluster import Kind
from waypost.protocol.artifacts.request import Content, Given, Taken
from waypost_node.artifacts.transfer import Transfers

from e2e.bench.figures import Figure, line
from tests.gateway.place import Place, place, token_of

NODES: Final = ("make", "pass_on", "read")
_GIB: Final = 1024**3
_FILE: Final = 64 * 1024**2
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PATIENCE: Final = 3600.0
_SMALL: Final = 24 * 1024**2  # three parts
_BAR: Final = 64.0  # MiB that the gateway may grow
_AS_IN_THE_CHART: Final = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144"}


# --- the process of the gateway ------------------------------------------------------------------


class _Files(Bucket):
    """Objects as files, which have no content type."""

    def __init__(self, store: LocalStore) -> None:
        super().__init__(store)
        self._files = store

    async def put(self, key: str, body: bytes | bytearray) -> None:
        await obstore.put_async(self._files, key, body, use_multipart=False)


async def _serve(folder: str) -> None:
    async with place(objects=_Files(LocalStore(folder)), room=96 * 1024**2, seconds=300) as here:
        settings = GatewaySettings(gateway_host="127.0.0.1", gateway_port=0)
        config = uvicorn_config(here.gateway, settings)
        config.app = build_app(here.gateway)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            task = asyncio.create_task(server.serve(sockets=[listener]))
            _say({"port": listener.getsockname()[1]})
            while text := await asyncio.to_thread(sys.stdin.readline):
                _say(_attempt(here, json.loads(text)))
            server.should_exit = True
            await task


def _attempt(here: Place, asked: dict[str, Any]) -> dict[str, Any]:
    """The next attempt, with what the operator would pin for it."""
    number = asked["number"]
    token = token_of(f"attempt-{number}")
    pod = here.attempt(number, token=token)
    made = [one for one in here.records() if one["spec"]["type"] == "Artifact"]
    pins: dict[str, Any] = {"in": [], "out": {"repo": asked["size"]}}
    if made:
        last = max(made, key=lambda one: int(one["spec"]["attempt"]))
        pins["in"] = [{"record": last["metadata"]["name"], "digest": last["spec"]["digest"]}]

    def pin(body: Any) -> None:
        body["metadata"]["annotations"][meta.ANNOTATION_ARTIFACTS] = json.dumps(pins)

    server, name = here.cluster.inner.server, pod["metadata"]["name"]
    server.update(Kind.POD, namespace="default", name=name, change=pin, subresource="", by="bench")
    return {"token": token}


def _say(document: Any) -> None:
    print(json.dumps(document), flush=True)


# --- the process of the nodes --------------------------------------------------------------------


class _Gateway:
    """The other process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "e2e.bench.folders", "--serve", str(folder)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_AS_IN_THE_CHART},
        )
        self.url = f"http://127.0.0.1:{self._answer()['port']}"

    def attempt(self, number: int, size: int) -> str:
        """The token of the pod of the next attempt."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"number": number, "size": size}) + "\n")
        self._process.stdin.flush()
        return str(self._answer()["token"])

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    @property
    def memory(self) -> float:
        """Its resident memory in MiB."""
        text = Path(f"/proc/{self._process.pid}/statm").read_text()
        return int(text.split()[1]) * _PAGE / 1024**2

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


@contextlib.contextmanager
def _watched(gateway: _Gateway) -> Iterator[list[float]]:
    """The highest memory of the gateway during the block, as the only item."""
    highest, over = [gateway.memory], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            highest[0] = max(highest[0], gateway.memory)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield highest
    finally:
        over.set()
        thread.join()


def _written(folder: Path, size: int) -> None:
    """A folder with noise of that size: it does not compress."""
    folder.mkdir(parents=True)
    for at in range(-(-size // _FILE)):
        with (folder / f"noise-{at:04}").open("wb") as file:
            file.write(os.urandom(min(_FILE, size - at * _FILE)))


def passed(gib: float) -> list[Figure]:
    """Pass a folder of that size through three nodes."""
    size = int(gib * _GIB)
    with tempfile.TemporaryDirectory(dir=os.environ.get("WAYPOST_BENCH_DIR")) as name:
        root = Path(name)
        (root / "objects").mkdir()
        gateway = _Gateway(root / "objects")
        idle = gateway.memory
        _three(gateway, root, _SMALL, 3)  # all code is loaded, and buffers have their size
        before, began = gateway.memory, time.monotonic()
        with _watched(gateway) as highest:
            _three(gateway, root, size, 3 + len(NODES))
        seconds = time.monotonic() - began
        gateway.end()
    most = round(highest[0], 1)
    return [
        Figure(f"gateway_memory_{gib:g}_gib", most, "MiB", baseline=round(idle, 1)),
        Figure(f"gateway_growth_{gib:g}_gib", round(most - before, 1), "MiB", bar=_BAR),
        Figure(f"three_nodes_{gib:g}_gib", round(seconds, 1), "s"),
    ]


def _three(gateway: _Gateway, root: Path, size: int, first: int) -> None:
    contents: list[Content] = []
    for at, node in enumerate(NODES):
        contents.append(_node(gateway, root, node, first + at, size, contents))
    assert len(set(contents)) == 1, f"the digests differ: {contents}"


def _node(
    gateway: _Gateway, root: Path, node: str, number: int, size: int, before: list[Content]
) -> Content:
    """What a node stores that has taken what the one before has stored."""
    token, most = root / "token", size + 1024**2  # headers of the tar
    token.write_text(gateway.attempt(number, most))
    os.environ["WAYPOST_TOKEN"] = str(token)
    transfers = Transfers(gateway.url, deadline=time.monotonic() + _PATIENCE)
    folder = root / node
    if before:
        transfers.take(0, Taken("artifact-0", "", before[-1]), str(folder))
    else:
        _written(folder, size)
    content = transfers.store(Given("repo", "artifact-0", str(folder), most), str(folder))
    shutil.rmtree(folder)
    print(f"  {node}: {content.bytes} bytes, {content.digest}", flush=True)
    return content


def main() -> int:
    """Measure each size that was asked for, in GiB; 1 by default."""
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(_serve(sys.argv[2]))
        return 0
    for gib in map(float, sys.argv[1:] or ["1"]):
        print("\n".join(map(line, passed(gib))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
