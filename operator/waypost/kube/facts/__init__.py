"""Facts: what the engine needs to know of pods, Jobs, Approvals, machines and runs.

They are read from bodies without ever raising. Imports `waypost.api`, `waypost.protocol` and the
modules of `waypost.kube`.
"""
