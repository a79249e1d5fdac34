"""Slots of `concurrency`: which one an attempt takes, and what it says while none is free.

May import engine.scheduling and engine.state.
"""
