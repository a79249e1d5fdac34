"""NetworkPolicies of node pods in the cluster: created before the first Job that needs one, removed
when nothing uses it.

May import `ports`, `kube`, `api` and the rest of `runtime`, except the loops.
"""
