"""What the model gateway decides, pure: which calls are allowed, which addresses, which headers.

No clock, no I/O. Imports `waypost.api`, `waypost.kube.egress.ranges` and `waypost.protocol`.
"""
