"""Thousands of runs that wait at once, on a real API server with two operators: memory, fairness,
and that none is lost."""
