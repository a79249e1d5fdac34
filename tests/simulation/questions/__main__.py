"""`python -m tests.simulation.questions --seeds N --start S`: play maps that ask people, and print
those that fail."""

import sys

from tests.simulation.focused.command import main
from tests.simulation.questions.plan import plan
from tests.simulation.questions.play import described, play

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, play, described))
