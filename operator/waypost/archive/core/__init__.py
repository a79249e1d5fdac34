"""What is kept of a run, and what a list of runs can be filtered by. Pure."""
