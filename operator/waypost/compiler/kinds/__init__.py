"""What the compiler knows of each kind of node: one module per kind, listed in `table`.

Imports `waypost.api`, `waypost.protocol`, and of the compiler only `problems`, `types.schemas` and
`rules.python_code`.
"""
