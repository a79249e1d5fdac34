"""The items of a map in the status of a run: their states as text, and the fields around them."""
