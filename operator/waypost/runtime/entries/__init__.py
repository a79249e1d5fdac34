"""Keeps MemoryEntries: their phases for people, and the end of those that are over."""
