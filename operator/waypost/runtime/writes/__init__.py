"""Every write to the API server: the status patch, actions after it, Events, and their rate limit.

May import `runtime.cache`, to put the result of a write into the cache at once.
"""
