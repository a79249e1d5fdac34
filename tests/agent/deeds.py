"""Tools that write a line for each of their effects."""

import asyncio
import os
from pathlib import Path

LEDGER = "WAYPOST_TEST_LEDGER"


async def look(where: str) -> str:
    """Look somewhere."""
    return _done("look", where)


async def send(text: str) -> str:
    """Send a letter, for which nobody may be asked twice."""
    return _done("send", text)


async def count(words: str) -> int:
    """Count words."""
    await asyncio.sleep(0)
    _done("count", words)
    return len(words.split())


async def fail(why: str) -> str:
    """Fail."""
    _done("fail", why)
    raise ValueError(why)


def _done(deed: str, what: str) -> str:
    with Path(os.environ[LEDGER]).open("a", encoding="utf-8") as ledger:
        ledger.write(f"{deed} {what}\n")
    return f"{deed}: {what}"
