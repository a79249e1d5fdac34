"""Queues of Kueue, which admit the Jobs of attempts and preempt them.

Imports `engine.state`, and the API and facts below the engine.
"""
