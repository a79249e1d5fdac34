"""How long the gateway takes to keep a payload and to give it back, for many pods at once."""

import asyncio
import hashlib
import json
import time
from collections.abc import Sequence

import httpx2

from e2e.bench.figures import Figure, spread
from e2e.suite.space import Space
from e2e.suite.uploads import under_way

CLIENTS = 50
ROUNDS = 2
# Each attempt has one payload of either type: the trace stands for a small one.
SIZES = (("trace", 10_000, "10kB"), ("result", 300_000, "300kB"))


def payloads(space: Space, url: str) -> list[Figure]:
    """p50 and p99 of put and get, with CLIENTS pods at the same time."""
    attempts = under_way(space, "payloads", CLIENTS * ROUNDS)
    tokens = [attempt.token() for attempt in attempts]
    return asyncio.run(_measure(url, tokens))


async def _measure(url: str, tokens: Sequence[str]) -> list[Figure]:
    figures: list[Figure] = []
    # A connection each time, as the runner does.
    limits = httpx2.Limits(max_connections=CLIENTS, max_keepalive_connections=0)
    async with httpx2.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        for type_, size, shown in SIZES:
            puts: list[float] = []
            gets: list[float] = []
            for start in range(0, len(tokens), CLIENTS):
                batch = tokens[start : start + CLIENTS]
                bodies = [_body(size, start + at) for at in range(len(batch))]
                pairs = list(zip(batch, bodies, strict=True))
                puts += await asyncio.gather(*[_put(client, type_, t, b) for t, b in pairs])
                gets += await asyncio.gather(*[_get(client, type_, t, b) for t, b in pairs])
            figures += spread(f"gateway_put_{shown}", puts, bar=None)
            figures += spread(f"gateway_get_{shown}", gets, bar=None)
    return figures


def _body(size: int, number: int) -> bytes:
    """JSON as programs write it, in canonical form, of about `size` bytes."""
    row = {"id": number, "text": "The quick brown fox jumps over the lazy dog."}
    rows = [{**row, "line": at} for at in range(size // 80)]
    return json.dumps(rows, sort_keys=True, separators=(",", ":")).encode()


async def _put(client: httpx2.AsyncClient, type_: str, token: str, body: bytes) -> float:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    headers = {"authorization": f"Bearer {token}", "waypost-digest": digest}
    started = time.monotonic()
    answer = await client.put(f"/v1/payloads/{type_}", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return time.monotonic() - started


async def _get(client: httpx2.AsyncClient, type_: str, token: str, body: bytes) -> float:
    headers = {"authorization": f"Bearer {token}"}
    started = time.monotonic()
    answer = await client.get(f"/v1/payloads/{type_}", headers=headers)
    assert answer.content == body, answer.text[:200]
    return time.monotonic() - started
