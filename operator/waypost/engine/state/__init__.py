"""The values of one pass: `Observed` and `Reads` in, `Transition` between, `Decision` out.

Imports no other package of the engine; of the layers below `compiler`, `expressions`, `kube`,
`api` and `protocol`.
"""
