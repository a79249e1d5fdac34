"""The resources of Waypost: what users declare and what the operator writes back.

One module per resource or node kind holds its pydantic models. `meta` holds the names that stand
on objects, `crd` renders the models as CustomResourceDefinitions. Imports pydantic and, apart from
`crd`, nothing else of this repository.
"""
