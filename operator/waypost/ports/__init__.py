"""What the runtime needs from outside: Protocols of cluster, clock, watch and telemetry.

`cluster` also defines the errors of the API server, `log_end` reads the end of a log through it. No
implementation is here: `adapters` has the real ones, the tests have their own. May import
`engine.state` and `api`, for types.
"""
