"""Seeded bugs (T12): each breaks the operator on purpose, and an invariant must catch it."""
