"""Live reads, and the `Observed` that the engine decides on.

Only a live read may establish that an object does not exist. May import `runtime.cache`.
"""
