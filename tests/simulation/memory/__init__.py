"""Runs with memory under troubles: a simulation beside the others."""
