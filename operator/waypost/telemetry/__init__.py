"""What ended in a checkpoint, as metrics facts and spans of the OpenTelemetry conventions. Pure.

`spans` and `agent_spans` compute, `adapters` export. May import `engine.state`, `kube`, `api` and
`protocol`.
"""
