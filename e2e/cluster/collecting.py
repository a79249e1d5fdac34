"""A real OpenTelemetry Collector as a process of this machine, and what it has received."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import golang, serving
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

_CONFIG = """
receivers:
  otlp: {protocols: {http: {endpoint: "%s:%d"}}}
exporters:
  file: {path: "%s"}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
"""
_START_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Collector:
    """`endpoint` is its URL for OTLP over HTTP; `written` the file with what it received."""

    endpoint: str
    written: Path

    def batches(self) -> list[dict[str, Any]]:
        """What it has written: requests of OTLP as JSON. The last line may not be complete yet."""
        if not self.written.exists():
            return []
        lines = self.written.read_text().split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def spans(self) -> list[dict[str, Any]]:
        """All spans in the order in which they arrived, also repeated ones."""
        return [
            span
            for batch in self.batches()
            for resource in batch["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@contextmanager
def collecting(settings: Settings, folder: Path, *, host: str = "127.0.0.1") -> Iterator[Collector]:
    """Run the collector, built from source when the cache has none, until the context ends; its
    file stays."""
    program = golang.collector(settings, Progress(quiet=True))
    (port,) = serving.free_ports(1, host=host)
    written, config = folder / "spans.json", folder / "collector.yaml"
    config.write_text(_CONFIG % (host, port, written))
    argv = [str(program), "--config", str(config)]
    with serving.served(
        argv,
        log=folder / "collector.log",
        env=os.environ,
        port=port,
        host=host,
        within=_START_SECONDS,
    ):
        yield Collector(f"http://{host}:{port}", written)


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span or an event of OTLP in JSON, as values of Python."""
    return {one["key"]: _value(one["value"]) for one in span.get("attributes", [])}


def _value(given: dict[str, Any]) -> Any:
    ((kind, value),) = given.items()
    if kind == "intValue":
        return int(value)
    if kind == "arrayValue":
        return [_value(one) for one in value.get("values", [])]
    return value


@dataclass(frozen=True, slots=True)
class Tree:
    """The spans of one trace by id; `repeated` arrived more than once, always as they were."""

    spans: dict[str, dict[str, Any]]
    repeated: frozenset[str]

    @property
    def root(self) -> dict[str, Any]:
        """The span without a parent."""
        (found,) = (one for one in self.spans.values() if not one.get("parentSpanId"))
        return found

    def path(self, span: dict[str, Any]) -> tuple[str, ...]:
        """The names from the root to a span."""
        parent = span.get("parentSpanId")
        above = self.path(self.spans[parent]) if parent else ()
        return (*above, span["name"])

    def paths(self) -> list[tuple[str, ...]]:
        """The paths of all spans, sorted."""
        return sorted(self.path(span) for span in self.spans.values())

    def named(self, name: str) -> list[dict[str, Any]]:
        """The spans of this name, by their start."""
        found = [span for span in self.spans.values() if span["name"] == name]
        return sorted(found, key=lambda span: int(span["startTimeUnixNano"]))

    def total(self, attribute: str) -> int:
        """The sum of an attribute over all spans."""
        return sum(attributes(span).get(attribute, 0) for span in self.spans.values())


def one_tree(received: Iterable[dict[str, Any]]) -> Tree:
    """The tree that spans of one trace form. Fails if they form several or none, if a parent is
    missing, or if one id has two contents."""
    contents: dict[str, set[str]] = {}
    spans: dict[str, dict[str, Any]] = {}
    repeated: set[str] = set()
    for span in received:
        key = span["spanId"]
        if key in spans:
            repeated.add(key)
        spans[key] = span
        contents.setdefault(key, set()).add(json.dumps(span, sort_keys=True))
    different = [texts for texts in contents.values() if len(texts) > 1]
    assert different == [], f"one id, two contents: {different}"
    traces = {span["traceId"] for span in spans.values()}
    assert len(traces) == 1, f"traces: {traces}"
    roots = [span["name"] for span in spans.values() if not span.get("parentSpanId")]
    assert len(roots) == 1, f"roots: {roots}"
    orphans = [
        span["name"]
        for span in spans.values()
        if span.get("parentSpanId") and span["parentSpanId"] not in spans
    ]
    assert orphans == [], f"orphans: {orphans}"
    return Tree(spans, frozenset(repeated))
