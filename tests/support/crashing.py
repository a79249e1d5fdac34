"""Runs whose operator crashes in every second pass."""

from tests.support.play import Crash, Play


def finish_crashing(run: Play, *, after: int) -> None:
    """Play on until the run is finished. Fails when it does not come to an end.

    Args:
        run: The run.
        after: How many effects of a pass happen before its crash.
    """
    for _ in range(500):
        try:
            run.step(crash_after=after if len(run.decisions) % 2 else None)
        except Crash:
            continue
        if run.finished:
            return
        run.advance(0.3)
    raise AssertionError(f"not finished: {run.phases}")
