"""S728: fifty agents share a provider that is limited to sixty requests a minute."""

import asyncio
import random
from collections import Counter

import pytest
from waypost.model_gateway.core.rates import Limits, Ticket
from waypost.model_gateway.pacing import MOST_WAIT, Pacing

from tests.model_gateway.crowd import Strict, gateways
from tests.support.virtual import virtual

LIMIT, RUNS, AGENTS = 60, 5, 10
CALLS = 6  # of each agent: 300 calls take five minutes


@pytest.mark.parametrize("replicas", [1, 2], ids=["one-gateway", "two-gateways"])
@pytest.mark.parametrize("runs", [(10,) * 5, (46, 1, 1, 1, 1)], ids=["equal", "one-crowd"])
@virtual
async def test_s728_no_429_and_nobody_starves(runs: tuple[int, ...], replicas: int) -> None:
    """Fifty agents call again and again, in virtual time. Calls take their time to the provider.
    Runs with one agent do not wait behind a run with many."""
    loop, rng = asyncio.get_running_loop(), random.Random(7)
    paces = [Pacing(monotonic=loop.time, replicas=replicas) for _ in range(replicas)]
    strict = Strict(LIMIT, loop.time)
    waits: dict[int, list[float]] = {}
    ended: dict[int, float] = {}  # by run: when its last agent had its last answer

    async def agent(run: int, home: Pacing) -> None:
        for _ in range(CALLS):
            ticket, asked = Ticket(f"run-{run}", 500), loop.time()
            async with home.permit(("default", "strict"), Limits(requests=LIMIT), ticket):
                waits.setdefault(run, []).append(loop.time() - asked)
                await asyncio.sleep(rng.uniform(0.01, 0.5))  # until it arrives
                assert strict.takes(), "more than the limit in a minute"
                home.arrived(("default", "strict"), ticket)
                await asyncio.sleep(rng.uniform(0.5, 5.0))  # the answer
        ended[run] = loop.time()

    numbered = [run for run, count in enumerate(runs) for _ in range(count)]
    await asyncio.gather(*(agent(run, paces[at % replicas]) for at, run in enumerate(numbered)))
    assert len(strict.answered) == sum(runs) * CALLS
    assert max(map(max, waits.values())) < MOST_WAIT, "no call is refused"
    assert loop.time() < 60 * (sum(runs) * CALLS / LIMIT + 2), "the limit is used"
    if runs[0] > runs[1]:
        assert max(ended[run] for run in (1, 2, 3, 4)) < ended[0], "the crowd goes last"


@pytest.mark.nightly  # two minutes of a real clock
@pytest.mark.timeout(280)
async def test_s728_real_gateways_and_fifty_clients() -> None:
    """Two gateways as they are started, over HTTP; each agent makes two calls."""
    async with gateways(2, runs=RUNS, agents=AGENTS, limit=LIMIT) as there:
        found = await there.call(2)
        assert Counter(status for _, all_ in found for status in all_) == {200: 100}
        assert len(found) == RUNS * AGENTS
        assert there.strict.refused == 0
        assert len(there.strict.answered) == 100
