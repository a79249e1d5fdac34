"""Modifiers of nodes: fields that make a node run several times, such as `repeat`.

A modifier is one module and a line in the table. It may import the API, expressions, and the
schemas of types.
"""
