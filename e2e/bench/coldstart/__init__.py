"""Cold starts: what the images need until a node's own work begins. `measure.py` is the program."""
