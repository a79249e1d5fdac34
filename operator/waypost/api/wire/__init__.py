"""Checkpoints in many: as JSON, by phase, and what is remembered of those that do not change.

`write` makes JSON of a status, `by_phase` finds checkpoints by their phase, `memo` remembers what
was computed from a model. Imports the models of `api` only.
"""
