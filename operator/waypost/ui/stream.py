"""The stream of changes (server-sent events): which runs and Approvals have changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Final

from waypost.api.base import JsonObject
from waypost.ui.feed import MOST_NAMED, Feed
from waypost.ui.table import Key

TOGETHER: Final = 0.25  # seconds in which changes are collected
HEARTBEAT: Final = 15.0


async def changes(feed: Feed, *, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Events until the browser or the server goes.

    The first one names nothing: the browser reads all that it shows. `event: changed` has the names
    of changed objects by kind, as namespace/name; null if there are too many to name. A comment
    every 15 s keeps proxies from closing the connection.
    """
    with feed.subscribed() as one:
        yield b"retry: 1000\n\n" + _event("ready", state(feed))
        while not ended():
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await one.woken.wait()
            except TimeoutError:
                yield b": alive\n\n" + _event("state", state(feed))
                continue
            if ended():
                return
            await asyncio.sleep(TOGETHER)
            found = one.take()
            yield _event("changed", {**state(feed), **{k: _names(v) for k, v in found.items()}})


def state(feed: Feed) -> JsonObject:
    """When the API server was last heard of, and what keeps the feed from being live."""
    tables = feed.tables.values()
    heard = [table.heard for table in tables if table.heard]
    problems = [str(table.problem) for table in tables if table.problem is not None]
    return {"heard": min(heard) if heard else None, "problem": problems[0] if problems else None}


def _names(keys: set[Key]) -> list[str] | None:
    if len(keys) > MOST_NAMED:
        return None
    return sorted(f"{namespace}/{name}" for namespace, name in keys)


def _event(name: str, data: JsonObject) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
