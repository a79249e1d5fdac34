"""`python -m tests.simulation.trees --seeds N --start S`: play trees, print those that fail."""

import sys

from tests.simulation.focused.command import main
from tests.simulation.trees.plan import tree
from tests.simulation.trees.play import described, play

if __name__ == "__main__":
    sys.exit(main(__doc__, tree, play, described))
