"""Evaluation of users' text in a child process under limits (docs/adr/0018-bounded-evaluation.md).

Imports `waypost.expressions`, `waypost.protocol` and `waypost.ports`.
"""
