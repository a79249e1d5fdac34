"""What the API server finds wrong with an object: the structure and the rules of its CRD.

Imports `waypost.api`, `waypost.expressions`, `waypost.protocol`, and the messages of
`waypost.compiler.vocabulary`.
"""
