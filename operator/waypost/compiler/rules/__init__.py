"""Rules about a spec that its schema cannot state; each returns problems for the author.

`spec` calls the others and decides whether a run is accepted. May import `waypost.compiler`,
`expressions`, `api` and `protocol`.
"""
