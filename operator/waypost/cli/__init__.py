"""The command line: `waypost` and `python -m waypost`."""
