"""The journal of an agent node's conversation.

`entries`: what a journal says and how it is written, without I/O. `store`: where it is kept.
`journal`: one attempt's use of it, which replays and appends. Imports `failures`, `usage` and
`agent_request` of this image, never the loop or tools.
"""
