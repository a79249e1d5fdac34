"""One attempt of a node: launch its Job, watch it, judge its end, close it, retry it.

May import `engine.budget`, `nodes`, `queues`, `scheduling` and `state`, and what the engine
imports.
"""
