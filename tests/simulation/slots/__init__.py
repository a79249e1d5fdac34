"""Runs that share keys of `concurrency`, under troubles: a simulation beside the others."""
