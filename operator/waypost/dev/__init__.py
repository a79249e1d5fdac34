"""What stands in for other people's services while one develops. Never part of a run."""
