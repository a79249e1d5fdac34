"""What may befall any request to an API server: refused, lost, stalled, or done with its answer
lost."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

from waypost.ports.cluster import Busy, ClusterError, Conflict, Unavailable

from tests.support.line import Call

ERRORS: Final[dict[str, Callable[[], ClusterError]]] = {
    "conflict": lambda: Conflict("the object has been modified", code=409),
    "busy": lambda: Busy("slow down", retry_after=3.0),
    "unavailable": lambda: Unavailable("bad gateway", code=502),
}
RESET: Final = "the connection was reset"


async def befalls(rng: random.Random, call: Call, send: Callable[[], Awaitable[Any]]) -> NoReturn:
    """One of them, drawn. Never returns; raises ClusterError."""
    accident = rng.choice([*ERRORS, "lost", "stalled"])
    if accident == "conflict" and not call.writes:
        accident = "unavailable"
    if accident == "stalled":
        await asyncio.sleep(10)
        raise Unavailable("the request timed out")
    if accident == "lost":
        await send()
        raise Unavailable(RESET)
    raise ERRORS[accident]()
