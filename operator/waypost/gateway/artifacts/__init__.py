"""Artifacts at the gateway: `routes` is the HTTP interface, `pins` what a pod may store and read,
`incoming` verifies a stream, `store` puts it into records or the object store (docs/artifacts.md).

The gateway needs a fixed amount of memory for each transfer, whatever its size.
"""
