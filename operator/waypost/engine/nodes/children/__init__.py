"""Child runs of `workflow` nodes: what is requested of them, what they give, what is left over.

Imports what `engine.nodes` may import.
"""
