"""The NetworkPolicies of node pods: `ranges` says which addresses are never allowed, `policy`
renders them.

Imports `waypost.api` and `waypost.protocol`.
"""
