"""Kubernetes objects: facts read from them, and names, conditions and timestamps written to them.

One module per kind of object reduces a raw body to a `*Fact`; `manifests` builds new objects.
Pure. May import `api` and `protocol`.
"""
