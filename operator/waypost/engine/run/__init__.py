"""The run as a whole: accept or reject it, wind it down, finish it, summarise it.

`entry` is called once in a pass, before `decide`. May import `engine.attempts`, `rounds` and
below, and what the engine imports.
"""
