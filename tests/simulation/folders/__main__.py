"""`python -m tests.simulation.folders --seeds N --start S`: play plans, print those that fail."""

import sys

from tests.simulation.focused.command import main
from tests.simulation.folders.plan import plan
from tests.simulation.folders.play import described, play

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, lambda planned: play(planned)[0], described))
