"""The child process that evaluates and validates users' text under limits, and its pool
(docs/adr/0018-bounded-evaluation.md).

Imports `waypost.expressions`, `waypost.protocol` and `waypost.ports`.
"""
