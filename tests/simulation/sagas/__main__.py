"""`python -m tests.simulation.sagas --seeds N --start S`: play sagas, print those that fail."""

import sys

from tests.simulation.focused.command import main
from tests.simulation.sagas.plan import saga
from tests.simulation.sagas.play import described, play

if __name__ == "__main__":
    sys.exit(main(__doc__, saga, play, described))
