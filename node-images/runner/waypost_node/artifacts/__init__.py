"""Artifacts in a pod: `pack` makes a tar of a folder, `unpack` a folder of a tar, `transfer` moves
it to and from the gateway; `fetch` is the program of the init container.

`entries` and `rules` say which entries are accepted, for both directions. The unpacker trusts
nothing of what it gets (docs/artifacts.md). May import `waypost.protocol` and `waypost_node`.
"""
