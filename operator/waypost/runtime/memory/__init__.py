"""MemoryEntries: listed live by their key, and created within the fence. Imports `cache`."""
