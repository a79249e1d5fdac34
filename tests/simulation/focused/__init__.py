"""What the simulations of one feature share: trees, slots, sagas, folders.

Each has a plan that a seed draws, a play of it, a watcher, and its seeded bugs.
"""
