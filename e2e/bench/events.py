"""Thousands of events in a minute: `python -m e2e.bench events [--count N]`.

A real API server, the ingress and the operator as processes, and a client over HTTP. Every tenth
request is sent twice, as senders do that got no answer, and some runs wait for the last events. It
prints how many events were lost or doubled, the rate, and the memory of both processes before and
after; the exit code is 1 if one was lost or doubled, a run did not get its event, or the operator
has grown by more than the bound.
"""

import asyncio
import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

import httpx2
from waypost.adapters.credentials import find_credentials
from waypost.adapters.kube import KubeCluster
from waypost.api.meta import API_VERSION
from waypost.ports.cluster import Cluster, Kind, Obj

from e2e.bench.apiserver import api_server, free_port, running
from e2e.bench.figures import Figure, line
from e2e.bench.processes import Uncounted, memory_bytes, wait_until_ready

COUNT: Final = 3000
RUNS: Final = 20  # that wait for the last events
GROWTH: Final = 64.0  # MiB: events are kept for an hour, and the cache has them without payloads
_AT_ONCE: Final = 8
_SPACE: Final = "default"
_TOKEN: Final = "a token of the benchmark"
_PATIENCE: Final = 180.0
_PAYLOAD: Final = "x" * 500
_SECRET: Final[Obj] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "hook"},
    "data": {"token": base64.b64encode(_TOKEN.encode()).decode()},
}
_SOURCE: Final[Obj] = {
    "apiVersion": API_VERSION,
    "kind": Kind.EVENT_SOURCE.kind,
    "metadata": {"name": "bench"},
    "spec": {
        "auth": {"bearer": {"tokens": [{"name": "hook", "key": "token"}]}},
        "headers": ["x-delivery"],
        "requestsPerMinute": 60_000,
        "rules": [
            {
                "id": "${headers['x-delivery']}",
                "event": {"name": "bench", "key": "${body.key}", "payload": "${body}"},
            }
        ],
    },
}


@dataclass
class Sent:
    """What the client has sent, and what it was answered."""

    accepted: set[str] = field(default_factory=set)  # names of events
    known: int = 0  # answers to requests that were sent twice
    refused: int = 0
    seconds: float = 0.0


def main(count: int = COUNT) -> int:
    """Measure; gives the exit code."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        kubeconfig = stack.enter_context(api_server(Path(folder)))
        operator, ingress, url = _processes(stack, Path(folder), kubeconfig)
        figures, problems = asyncio.run(_measured(kubeconfig, url, (operator, ingress), count))
    print("\n".join(line(figure) for figure in figures), flush=True)
    for problem in problems:
        print(f"  FAILED: {problem}", file=sys.stderr)
    return int(bool(problems))


def _processes(
    stack: ExitStack, folder: Path, kubeconfig: Path
) -> tuple[Popen[bytes], Popen[bytes], str]:
    """The operator and the ingress, and the address of the ingress."""
    port, probes, metrics = free_port(), free_port(), free_port()
    common = {**os.environ, "WAYPOST_KUBECONFIG": str(kubeconfig), "WAYPOST_LOG_LEVEL": "WARNING"}
    settings = {
        "operator": {"WAYPOST_RUNNER_IMAGE": "none", "WAYPOST_HTTP_PORT": str(metrics)},
        "ingress": {
            "WAYPOST_INGRESS_HOST": "127.0.0.1",
            "WAYPOST_INGRESS_PORT": str(port),
            "WAYPOST_HTTP_PORT": str(probes),
        },
    }
    found = {}
    for name, own in settings.items():
        argv = [sys.executable, "-m", "waypost", name]
        process = running(argv, folder / f"{name}.log", environment={**common, **own})
        found[name] = stack.enter_context(process)
    for name, at in (("operator", metrics), ("ingress", probes)):
        wait_until_ready(found[name], at, within=_PATIENCE)
    return found["operator"], found["ingress"], f"http://127.0.0.1:{port}"


async def _measured(
    kubeconfig: Path, url: str, processes: tuple[Popen[bytes], Popen[bytes]], count: int
) -> tuple[list[Figure], list[str]]:
    cluster = KubeCluster(
        credentials=find_credentials(kubeconfig=kubeconfig), telemetry=Uncounted()
    )
    try:
        await _prepare(cluster)
        waiting = [f"last-{number}" for number in range(min(RUNS, count))]
        for key in waiting:
            await cluster.create(Kind.AGENT_WORKFLOW, namespace=_SPACE, body=_run(key))
        await _until(lambda: _waits(cluster), "Waiting", len(waiting))
        before = [memory_bytes(one) / 2**20 for one in processes]
        keys = [f"key-{number}" for number in range(count - len(waiting))] + waiting
        sent = await _send(url, keys)
        ended = await _until(lambda: _phases(cluster), "Succeeded", len(waiting))
        stored = await cluster.list(Kind.WORKFLOW_EVENT, namespace=_SPACE)
        after = [memory_bytes(one) / 2**20 for one in processes]
    finally:
        await cluster.close()
    return _judged(count, len(waiting), sent, stored.items, ended, before, after)


def _judged(
    count: int,
    waiting: int,
    sent: Sent,
    stored: Sequence[Obj],
    ended: int,
    before: list[float],
    after: list[float],
) -> tuple[list[Figure], list[str]]:
    keys = [one["spec"]["key"] for one in stored]
    lost, doubled = count - len(set(keys)), len(keys) - len(set(keys))
    growth = after[0] - before[0]
    figures = [
        Figure("events_sent", count, "events"),
        Figure("events_lost", lost, "events", bar=0),
        Figure("events_doubled", doubled, "events", bar=0),
        Figure("events_known", sent.known, "answers"),
        Figure("events_rate", round(count / sent.seconds * 60), "/min", bar=1000),
        Figure("runs_that_got_theirs", ended, "runs", bar=waiting),
        Figure("operator_memory", round(after[0], 1), "MiB", baseline=round(before[0], 1)),
        Figure("ingress_memory", round(after[1], 1), "MiB", baseline=round(before[1], 1)),
    ]
    checks = {
        f"{lost} events were lost": lost != 0,
        f"{doubled} events were stored twice": doubled != 0,
        f"{sent.refused} requests were refused": sent.refused != 0,
        f"{waiting - ended} of {waiting} runs did not get their event": ended != waiting,
        f"the operator has grown by {growth:.0f} MiB, the bound is {GROWTH:g}": growth > GROWTH,
    }
    return figures, [text for text, failed in checks.items() if failed]


async def _prepare(cluster: Cluster) -> None:
    """Create the source and its Secret."""
    for kind, body in ((Kind.SECRET, _SECRET), (Kind.EVENT_SOURCE, _SOURCE)):
        await cluster.create(kind, namespace=_SPACE, body=body)


def _run(key: str) -> Obj:
    node = {"name": "waits", "event": {"names": ["bench"], "key": key}}
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.AGENT_WORKFLOW.kind,
        "metadata": {"name": key},
        "spec": {"nodes": [node]},
    }


async def _send(url: str, keys: list[str]) -> Sent:
    """Send an event for each key, every tenth one twice, with several connections."""
    sent, left = Sent(), iter(enumerate(keys))
    begun = time.monotonic()
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        await asyncio.gather(*(_sender(client, left, sent) for _ in range(_AT_ONCE)))
    sent.seconds = time.monotonic() - begun
    return sent


async def _sender(client: httpx2.AsyncClient, left: Iterator[tuple[int, str]], sent: Sent) -> None:
    for number, key in left:
        headers = {
            "authorization": f"Bearer {_TOKEN}",
            "content-type": "application/json",
            "x-delivery": f"delivery-{number}",
        }
        body = json.dumps({"key": key, "text": _PAYLOAD}).encode()
        for _ in range(2 if number % 10 == 0 else 1):
            answer = await client.post(f"/v1/events/{_SPACE}/bench", content=body, headers=headers)
            if answer.status_code == 202:
                sent.accepted.add(answer.json()["id"])
            elif answer.status_code == 200:
                sent.known += 1
            else:
                sent.refused += 1


async def _phases(cluster: Cluster) -> list[Any]:
    listing = await cluster.list(Kind.AGENT_WORKFLOW, namespace=_SPACE)
    return [one.get("status", {}).get("phase") for one in listing.items]


async def _waits(cluster: Cluster) -> list[Any]:
    """The phase of the node of each run."""
    listing = await cluster.list(Kind.AGENT_WORKFLOW, namespace=_SPACE)
    nodes = [one.get("status", {}).get("nodes") or [{}] for one in listing.items]
    return [found[0].get("phase") for found in nodes]


async def _until(read: Any, phase: str, count: int) -> int:
    """How many runs have this phase, once all have it or patience ends."""
    end = time.monotonic() + _PATIENCE
    while True:
        found = (await read()).count(phase)
        if found >= count or time.monotonic() > end:
            return int(found)
        await asyncio.sleep(0.5)
