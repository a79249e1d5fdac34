"""What the pod of each kind of node has of its own: one module per kind, found through `table`.

Only kinds with a pod are here. Imports `waypost.api` and `waypost.protocol`.
"""
