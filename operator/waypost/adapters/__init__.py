"""The only modules that call third parties: kopf, aiohttp, Prometheus, OpenTelemetry, kubernetes.

Each module implements a Protocol of `waypost.ports` or starts one library. May import `ports`,
`telemetry` and everything below them; only `main`, `gateway` and `cli` import it.
"""
