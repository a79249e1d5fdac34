"""`waypost lint`: check manifests without a cluster.

`command` is the command, `manifests` reads files and knows where each field is, `linter` checks
one object, `output` prints the findings. Imports what the operator checks specs with, never a
client of a cluster.
"""
