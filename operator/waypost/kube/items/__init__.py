"""The items of a map, read from the status of a run and written to it: open items as nodes."""
