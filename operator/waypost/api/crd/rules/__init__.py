"""The validation rules of the CRDs by subject; `table` maps each model to its rules.

Imports the models of `waypost.api` and `waypost.api.crd.cel_rule`.
"""
