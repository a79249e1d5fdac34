"""`python -m tests.simulation.memory --seeds N --start S`: play plans, print those that fail."""

import sys

from tests.simulation.focused.command import main
from tests.simulation.memory.plan import plan
from tests.simulation.memory.play import described, play

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, play, described))
