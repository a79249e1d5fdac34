"""`python -m waypost` is the `waypost` program."""

import sys

from waypost.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
