"""The items of a map (a node with forEach): begin, start, advance and end them.

May import `engine.attempts` and below, and what the engine imports.
"""
