"""`python -m tests.simulation.archive --seeds N --start S`: play plans, print those that fail."""

import sys

from tests.simulation.archive.plan import plan
from tests.simulation.archive.play import described, play
from tests.simulation.focused.command import main

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, play, described))
