"""What is specific to the pod of each kind of node: one module per kind, listed in `table`.

Only kinds with a pod are here. Imports `waypost.api` and `waypost.protocol`.
"""
