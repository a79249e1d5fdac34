"""`isolation` of a node: `model` is what the CRD describes, `core` the parts that Kubernetes
defines and only the operator checks, `quantity` compares sizes.

Imports `waypost.api.base` and `waypost.api.pod`.
"""
