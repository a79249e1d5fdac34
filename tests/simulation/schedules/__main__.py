"""`python -m tests.simulation.schedules --seeds N --start S`: play plans, print those that fail."""

import sys

from tests.simulation.focused.command import main
from tests.simulation.schedules.plan import plan
from tests.simulation.schedules.play import described, play

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, play, described))
