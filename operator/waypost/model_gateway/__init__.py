"""The model gateway: makes the model calls of agents, so that no pod of a node has the key.

It is another service than the gateway for payloads, and the only one that may read the Secrets of
providers (docs/adr/0038-model-gateway.md). `core` decides and is pure; `calls` handles one call,
`app` is the HTTP interface, `upstream` the client of the providers, `main` wires the service. It
shares the authentication of pods with `waypost.gateway`. Nothing outside this package imports it,
except the command `waypost model-gateway`.
"""
