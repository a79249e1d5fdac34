"""Schedules as documents: the rows of their list."""
