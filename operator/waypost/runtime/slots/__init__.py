"""Slots of `concurrency` in the cluster: taken, and freed.

May import runtime.cache, and what the runtime imports.
"""
