"""`python -m tests.simulation.folders --seeds N --start S`: play plans, print those that fail."""

import argparse
import logging
import sys

from tests.simulation.folders.plan import plan
from tests.simulation.folders.play import described, play


def main() -> int:
    """Play the seeds; 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failing = []
    for seed in range(options.start, options.start + options.seeds):
        if violations := play(plan(seed))[0]:
            failing.append(seed)
            print(described(plan(seed)))
            for one in violations[:5]:
                print(f"  {one}")
    print(f"{options.seeds} seeds, failing: {failing}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
