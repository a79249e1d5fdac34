"""The validation rules of the CRDs, by what they are about; `table` says what carries each.

Imports the models of `waypost.api` and `waypost.api.crd.cel_rule`.
"""
