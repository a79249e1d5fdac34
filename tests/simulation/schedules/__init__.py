"""Schedules under troubles and clock changes: a simulation beside the others."""
