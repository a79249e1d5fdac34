"""Slots of `concurrency` in the cluster: taken, freed, and swept when their holders have ended.

May import runtime.cache, and what the runtime imports.
"""
