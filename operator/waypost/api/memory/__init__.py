"""MemoryEntry: what runs of a key leave for later runs. Imports `api.base` only."""
