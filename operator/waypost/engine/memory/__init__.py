"""The memory of a run: whose it is, the snapshot when the run begins, the Episode at its end.

Imports `slots` and what is below it.
"""
