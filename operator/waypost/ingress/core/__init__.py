"""What the ingress decides about a request: signatures, content, rates, refusals. Pure.

Imports `waypost.api`, `waypost.protocol` and `waypost.sources`.
"""
