"""Bad networks and busy API servers, by a seed."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from tests.crashpoints.api import Answer
from tests.crashpoints.proxy import Faults, Forward, Request, refusal

Trouble = Callable[[Request, Forward], Awaitable[Answer | None]]


async def conflict(request: Request, forward: Forward) -> Answer | None:
    """Somebody was faster. Only for patches: a create never gets this."""
    return refusal(409, "Conflict") if request.method == "PATCH" else await forward()


async def busy(request: Request, forward: Forward) -> Answer | None:
    return refusal(429, "TooManyRequests", **{"Retry-After": "1"})


async def broken(request: Request, forward: Forward) -> Answer | None:
    return refusal(500, "InternalError")


async def broken_late(request: Request, forward: Forward) -> Answer | None:
    """It was done, and the answer says that it was not."""
    await forward()
    return refusal(504, "Timeout")


async def reset(request: Request, forward: Forward) -> Answer | None:
    return None


async def reset_late(request: Request, forward: Forward) -> Answer | None:
    await forward()
    return None


async def slow(request: Request, forward: Forward) -> Answer | None:
    await asyncio.sleep(1.0)
    return await forward()


class Weather(Faults):
    """Each request meets with one of the troubles, by chance; so do the pieces of watches."""

    def __init__(
        self,
        *troubles: Trouble,
        chance: float = 0.25,
        watch_delay: tuple[float, float] = (0.0, 0.0),
        silent: tuple[int, float] = (0, 0.0),
        seed: int = 1,
    ) -> None:
        self.met: Counter[str] = Counter()
        self._troubles = troubles
        self._chance = chance
        self._watch_delay = watch_delay
        self._silent = silent
        self._random = random.Random(seed)

    async def request(self, request: Request, forward: Forward) -> Answer | None:
        if not self._troubles or self._random.random() >= self._chance:
            return await forward()
        trouble = self._random.choice(self._troubles)
        self.met[getattr(trouble, "__name__", "")] += 1
        return await trouble(request, forward)

    async def event(self, number: int) -> None:
        every, seconds = self._silent
        if every and number % every == 0:
            self.met["silence"] += 1
            await asyncio.sleep(seconds)
        low, high = self._watch_delay
        if high:
            self.met["delay"] += 1
            await asyncio.sleep(self._random.uniform(low, high))


EVERYTHING: Final = (conflict, busy, broken, broken_late, reset, reset_late, slow)

KINDS: Final[Mapping[str, Callable[[], Weather]]] = {
    "conflicts": lambda: Weather(conflict, chance=0.5),
    "busy": lambda: Weather(busy),
    "errors": lambda: Weather(broken, broken_late),
    "resets": lambda: Weather(reset, reset_late),
    "slow-watch": lambda: Weather(watch_delay=(0.2, 1.0)),
    "silent-watch": lambda: Weather(silent=(3, 6.0)),
    "everything": lambda: Weather(*EVERYTHING, watch_delay=(0.0, 0.3), seed=2),
}
