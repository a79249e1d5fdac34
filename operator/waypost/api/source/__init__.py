"""EventSource: who may send events over HTTP, and what becomes of a request. `model` holds spec and
status.

Imports `waypost.api.base`, `waypost.api.endpoint` and `waypost.api.template.ref`.
"""
