"""The command of a simulation: `--seeds N --start S` plays seeds, and prints those that fail."""

import argparse
import logging
from collections.abc import Callable
from typing import TypeVar

from tests.simulation.watching.evidence import Violation

Plan = TypeVar("Plan")
_SHOWN = 5


def main(
    about: str | None,
    drawn: Callable[[int], Plan],
    play: Callable[[Plan], list[Violation]],
    described: Callable[[Plan], str],
) -> int:
    """Play the seeds; 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failing = []
    for seed in range(options.start, options.start + options.seeds):
        if violations := play(drawn(seed)):
            failing.append(seed)
            print(described(drawn(seed)))
            for one in violations[:_SHOWN]:
                print(f"  {one}")
    print(f"{options.seeds} seeds, failing: {failing}")
    return 1 if failing else 0
