"""A spec becomes a `Definition`: nodes, dependencies, compiled expressions, schemas, fingerprints.

`definition` is the entry, `rules` accepts or refuses a spec, `types` checks expressions against
schemas. Pure: no I/O, clock or randomness. May import `expressions`, `api` and `protocol`.
"""
