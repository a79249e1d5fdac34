"""`python -m tests.simulation.egress --seeds N --start S`: play plans, print those that fail."""

import sys

from tests.simulation.egress.plan import plan
from tests.simulation.egress.play import described, play
from tests.simulation.focused.command import main

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, play, described))
