"""When a simulated run counts as ended."""

import asyncio
from typing import Any

import pytest
from waypost.ports.cluster import Obj

from tests.simulation.focused.playing import has_ended
from tests.support.virtual import VirtualLoop

NEVER = 100  # rests, after which the wait ends


def run(*, round_: int, asked: int, finished: bool, cancel: bool = False) -> Obj:
    """A run as it is stored."""
    conditions = [{"type": "Finished", "status": "True" if finished else "False"}]
    spec: dict[str, Any] = {"rerun": {"round": asked}}
    return {
        "spec": spec | ({"cancel": True} if cancel else {}),
        "status": {"round": round_, "conditions": conditions},
    }


FIRST = run(round_=1, asked=1, finished=True)
ASKED = run(round_=1, asked=2, finished=True)
BEGUN = run(round_=2, asked=2, finished=False)
STOPPING = run(round_=2, asked=2, finished=False, cancel=True)
UNBEGUN = run(round_=1, asked=2, finished=True, cancel=True)
SECOND = run(round_=2, asked=2, finished=True)
CANCELLED = run(round_=2, asked=2, finished=True, cancel=True)


@pytest.mark.parametrize(
    ("states", "ends"),
    [
        pytest.param({0: FIRST}, 70, id="it stays as it ended"),
        pytest.param({0: FIRST, 30: ASKED, 75: BEGUN, 100: SECOND}, 170, id="a round is asked for"),
        pytest.param({0: FIRST, 30: ASKED, 40: BEGUN, 100: SECOND}, 170, id="a round has begun"),
        pytest.param({0: FIRST, 20: BEGUN, 50: SECOND}, 141, id="a round has ended in the rest"),
        pytest.param({0: FIRST, 20: BEGUN, 50: STOPPING, 90: CANCELLED}, 160, id="cancelled too"),
        pytest.param({0: ASKED, 5: BEGUN, 9: SECOND}, 79, id="it was asked for before"),
        pytest.param(
            {0: run(round_=1, asked=2, finished=True, cancel=True)}, 70, id="cancelled before"
        ),
        pytest.param({0: BEGUN}, None, id="it never ends"),
        pytest.param({0: ASKED}, None, id="the round never begins"),
        pytest.param({0: {}}, None, id="it is gone"),
    ],
)
def test_a_run_has_ended_once_its_last_round_has(states: dict[int, Obj], ends: int | None) -> None:
    """A round that has begun and not ended is no end, also if it is cancelled."""

    async def main() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def stored() -> Obj:
            return [body for at, body in states.items() if at <= loop.time() - began + 0.001][-1]

        return await has_ended(stored, within=NEVER), loop.time() - began

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        found, seconds = runner.run(main())
    assert (found, round(seconds)) == (ends is not None, ends or NEVER)
