"""`python -m tests.simulation.item_folders --seeds N --start S`: play maps whose items make
folders, and print those that fail."""

import sys

from tests.simulation.focused.command import main
from tests.simulation.item_folders.plan import plan
from tests.simulation.item_folders.play import described, play

if __name__ == "__main__":
    sys.exit(main(__doc__, plan, lambda planned: play(planned)[0], described))
