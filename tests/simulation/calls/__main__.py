"""`python -m tests.simulation.calls --seeds N --start S`: play agents that ask people, and print
those that fail."""

import sys

from tests.simulation.calls.plan import plan
from tests.simulation.calls.play import described, play
from tests.simulation.focused.command import main

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, play, described))
