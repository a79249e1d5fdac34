"""A real Jaeger as a process of this machine: a backend that people look at traces with, asked by
its query API for what it would show."""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import golang, serving
from e2e.cluster.golang import Module
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

# The module of Jaeger 2 has the versions of Jaeger 1.
MODULE = Module(
    "github.com/jaegertracing/jaeger", "1.76.0", package="./cmd/jaeger", program="jaeger"
)

_CONFIG = """\
extensions:
  jaeger_storage: {backends: {memory: {memory: {max_traces: 1000}}}}
  jaeger_query:
    storage: {traces: memory}
    http: {endpoint: "127.0.0.1:%d"}
    grpc: {endpoint: "127.0.0.1:%d"}
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:%d"}}}
exporters:
  jaeger_storage_exporter: {trace_storage: memory}
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
"""
_START_SECONDS = 300.0
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Jaeger:
    """One that runs: `query` is the URL of its API, `endpoint` that for OTLP over HTTP."""

    query: str
    endpoint: str

    def receive(self, batches: Iterable[dict[str, Any]]) -> None:
        """Send it what a collector has written: requests of OTLP as JSON."""
        for batch in batches:
            request = urllib.request.Request(
                f"{self.endpoint}/v1/traces",
                data=json.dumps(batch).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                answered = json.load(answer)
            assert not answered.get("partialSuccess"), f"spans were refused: {answered}"

    def found(self, service: str) -> list[dict[str, Any]]:
        """The traces that its search page lists for a service."""
        listed: list[dict[str, Any]] = self._get("traces", service=service, start="1", limit="100")
        return listed

    def trace(self, trace: str) -> dict[str, Any]:
        """What the page of a trace is made from."""
        shown: list[dict[str, Any]] = self._get(f"traces/{trace}")
        assert len(shown) == 1, f"traces: {len(shown)}"
        return shown[0]

    def _get(self, path: str, **query: str) -> Any:
        url = f"{self.query}/api/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            return json.load(answer)["data"]


def shown_paths(trace: dict[str, Any]) -> list[tuple[str, ...]]:
    """The names from the root to each span of a trace as it is shown, sorted. Fails if it has
    several roots, if a parent is missing, or if Jaeger warns of anything but clocks."""
    spans = {span["spanID"]: span for span in trace["spans"]}
    assert len(spans) == len(trace["spans"]), "a span is shown twice"
    warnings = [text for span in spans.values() for text in span.get("warnings") or ()]
    assert all("clock skew" in text for text in warnings), f"warnings: {warnings}"
    parents = {key: _parents(span, trace["traceID"]) for key, span in spans.items()}
    roots = [spans[key]["operationName"] for key, above in parents.items() if not above]
    assert len(roots) == 1, f"roots: {roots}"

    def path(key: str) -> tuple[str, ...]:
        (above,) = parents[key] or [""]
        return (*(path(above) if above else ()), spans[key]["operationName"])

    return sorted(path(key) for key in spans)


def _parents(span: dict[str, Any], trace: str) -> list[str]:
    """What it is a child of, in this trace: others are links."""
    return [
        one["spanID"]
        for one in span["references"]
        if one["refType"] == "CHILD_OF" and one["traceID"] == trace
    ]


@contextmanager
def jaeger(settings: Settings, folder: Path) -> Iterator[Jaeger]:
    """Run Jaeger, built from source when the cache has none, until the context ends. It keeps its
    traces in memory."""
    program = golang.built(settings, MODULE, Progress())
    query, grpc, otlp = serving.free_ports(3)
    config = folder / "jaeger.yaml"
    config.write_text(_CONFIG % (query, grpc, otlp))
    argv = [str(program), "--config", str(config)]
    with serving.served(
        argv, log=folder / "jaeger.log", env=os.environ, port=otlp, within=_START_SECONDS
    ):
        yield Jaeger(f"http://127.0.0.1:{query}", f"http://127.0.0.1:{otlp}")
