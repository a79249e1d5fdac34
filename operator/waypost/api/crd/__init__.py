"""The CustomResourceDefinitions, generated from the models of `waypost.api`.

`resources` lists the kinds, `openapi` turns a model into a structural schema, `cel_rule` is one
validation rule and `rules` holds all of them, `generate` writes the files. Imports `waypost.api`
only.
"""
