"""The `http` node: `request` reads what to send, `exchange` sends it once, `node` retries.

Imported only by pods of http nodes: the HTTP client would double the start of a python node. Only
`error_bodies`, which imports nothing, serves agents and probes too.
"""
