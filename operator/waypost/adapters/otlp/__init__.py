"""Spans on their way to a collector: `encoding` makes the bytes of OTLP, `sending` sends them.

Both replace parts of the SDK that took most of the time of a span (docs/adr/0073). May import
`telemetry`.
"""
