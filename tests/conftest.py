"""For every test: no event loop that nobody asked for."""

import asyncio

# Without this, pytest-asyncio asks the policy for "the old loop", which makes one that nobody
# closes: a ResourceWarning at the end of the session, which fails it.
asyncio.set_event_loop(None)
