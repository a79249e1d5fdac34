"""EventSources, pure: whether one is valid (`check`, `status`), and what becomes of a request whose
sender is known (`judge`).

Imports `waypost.api`, `waypost.compiler`, `waypost.expressions`, `waypost.kube` and
`waypost.protocol`.
"""
