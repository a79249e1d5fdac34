"""When a node may start: joins, inputs, deadlines, missing references.

May import `engine.state`, and what the engine imports.
"""
