"""The language of `${...}`: parse, compile and evaluate CEL, and templates around it.

`expression` is the entry, `templates` parses expressions in fields, `cel` evaluates them.
Independent of runs and Kubernetes. Pure. Imports `protocol` only.
"""
