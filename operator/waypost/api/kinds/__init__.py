"""The kinds of node: their models, and the table that lists them.

One module per kind, under the name that the same kind has in `compiler/kinds`, `kube/kinds` and
`engine/nodes`. Imports only `waypost.api`.
"""
