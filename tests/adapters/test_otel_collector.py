"""A real OpenTelemetry Collector receives the spans of a run whose operator was killed, through
the exporter of the operator: one tree, the same tokens, no content (S589, S590).
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from waypost.adapters.tracing import otlp_tracer
from waypost.telemetry import conventions
from waypost.telemetry.spans import SpanFact

from e2e.cluster import golang, serving, settings
from e2e.cluster.shell import Progress
from tests.unit.runtime.passes.test_span_tree import received_after_kill

# It is built from source, for which its dependencies are fetched: minutes.
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]

KILLED_AT = 10  # a write whose spans wait for their batch then
CONFIG = """
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:%d"}}}
exporters:
  file: {path: "%s"}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
"""


def sent(facts: Iterable[SpanFact], folder: Path) -> list[dict[str, Any]]:
    """What a collector has written of these spans once it has stopped."""
    program = golang.collector(settings.from_environment(), Progress())
    (port,) = serving.free_ports(1)
    written, config = folder / "spans.json", folder / "config.yaml"
    config.write_text(CONFIG % (port, written))
    argv = [str(program), "--config", str(config)]
    with serving.served(argv, log=folder / "log", env=os.environ, port=port, within=120):
        tracer = otlp_tracer(endpoint=f"http://127.0.0.1:{port}")
        for fact in facts:
            tracer.emit(fact)
        tracer.close()
    return spans_in(written)


def spans_in(written: Path) -> list[dict[str, Any]]:
    """The spans in the file of the collector, as OTLP in JSON."""
    return [
        span
        for line in written.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def test_what_a_collector_writes(tmp_path: Path) -> None:
    facts = received_after_kill(KILLED_AT, after=True)
    found = sent(facts, tmp_path)
    assert len(found) == len(facts)
    contents: dict[str, set[str]] = defaultdict(set)
    for span in found:
        contents[span["spanId"]].add(json.dumps(span, sort_keys=True))
    assert [texts for texts in contents.values() if len(texts) > 1] == []
    by_id = {span["spanId"]: span for span in found}
    assert len({span["traceId"] for span in found}) == 1
    roots = [span["name"] for span in by_id.values() if not span.get("parentSpanId")]
    assert roots == ["invoke_workflow brief"]
    parents = {span["parentSpanId"] for span in by_id.values() if span.get("parentSpanId")}
    assert parents <= by_id.keys(), "no orphans"
    attributes = [a for span in by_id.values() for a in span.get("attributes", [])]
    counted = (conventions.INPUT_TOKENS, conventions.OUTPUT_TOKENS)
    assert sum(int(a["value"]["intValue"]) for a in attributes if a["key"] in counted) == 12
    known = {value for value in vars(conventions).values() if isinstance(value, str)}
    assert {a["key"] for a in attributes} <= known, "only names of the table"
