"""Random runs with compensations under random troubles, with a watcher and an interpreter."""
