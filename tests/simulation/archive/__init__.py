"""Finished runs, their archive and what deletes them: a simulation beside the others."""
