"""The language of `${...}`: parse, compile and evaluate CEL, and templates around it.

`expression` is the entry, `templates` finds expressions in fields, `cel` evaluates them. Knows
nothing of runs or Kubernetes. Pure. Imports `protocol` only.
"""
