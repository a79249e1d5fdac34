"""A real OpenTelemetry Collector receives the spans of a run whose operator was killed, through
the exporter of the operator: one tree, the same tokens, no content (S589, S590). A real Jaeger
shows that tree.
"""

from pathlib import Path

import pytest
from waypost.adapters.tracing import otlp_tracer
from waypost.telemetry import conventions

from e2e.cluster import collecting, settings
from e2e.cluster.jaeger import jaeger, shown_paths
from tests.unit.runtime.passes.test_span_tree import received_after_kill

# It is built from source, for which its dependencies are fetched: minutes.
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]

KILLED_AT = 10  # a write whose spans wait for their batch then


def test_what_a_collector_writes(tmp_path: Path) -> None:
    facts = received_after_kill(KILLED_AT, after=True)
    with collecting.collecting(settings.from_environment(), tmp_path) as collector:
        tracer = otlp_tracer(endpoint=collector.endpoint)
        for fact in facts:
            tracer.emit(fact)
        tracer.close()
    found = collector.spans()
    assert len(found) == len(facts)
    tree = collecting.one_tree(found)
    assert tree.root["name"] == "invoke_workflow brief"
    counted = (conventions.INPUT_TOKENS, conventions.OUTPUT_TOKENS)
    assert sum(tree.total(name) for name in counted) == 12
    known = {value for value in vars(conventions).values() if isinstance(value, str)}
    used = {name for span in found for name in collecting.attributes(span)}
    assert used <= known, "only names of the table"
    with jaeger(settings.from_environment(), tmp_path) as backend:
        backend.receive(collector.batches())
        shown = backend.trace(tree.root["traceId"])
        assert shown_paths(shown) == tree.paths()
        assert [one["traceID"] for one in backend.found("waypost")] == [shown["traceID"]]
