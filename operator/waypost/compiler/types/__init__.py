"""The type checker: does an expression yield what its place accepts?

`check` is the entry, `schemas` reads JSON Schemas as types, `assignability` compares two of them.
May import `waypost.compiler`, `expressions`, `api` and `protocol`.
"""
