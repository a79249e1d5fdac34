"""What the runtime needs from outside: Protocols of cluster, clock, watch and telemetry.

`cluster` also defines the errors of the API server. No implementation is here: `adapters` has the
real ones, the tests have their own. May import `engine.state` and `api`, for types.
"""
