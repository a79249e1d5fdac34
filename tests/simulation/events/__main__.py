"""`python -m tests.simulation.events --seeds N --start S`: play plans, print those that fail."""

import sys

from tests.simulation.events.plan import plan
from tests.simulation.events.play import described, play
from tests.simulation.focused.command import main

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, play, described))
