"""What traces cost the operator in processor time: `python -m e2e.bench tracing`.

The controller, its telemetry and the exporter are the operator's, and the spans go over HTTP to
another process; the API server, the pods and time are simulated, and their processor time is not
counted. A batch is sent after each second of simulated time that has spans, as an operator does in
real time. HTTP, TLS and the decoding of watch events are not in what it is compared with, so a real
operator spends a smaller share. Each shape runs with and without traces in turns.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from waypost.adapters.metrics import Metrics
from waypost.adapters.telemetry import OperatorTelemetry
from waypost.adapters.tracing import BATCH_MILLISECONDS, NoTracer, OtlpTracer, otlp_tracer
from waypost.ports.cluster import Kind, Obj
from waypost.protocol import record as commit_record
from waypost.protocol.work import Trace
from waypost.telemetry.spans import SpanFact

from e2e.bench.figures import Figure, line
from e2e.bench.metering import Meter, MeteredLoop, start_metered
from e2e.bench.passes import chain, wide
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import agent
from tests.support.harness import World
from tests.unit.runtime.cache.test_endpoint_cache import MAIN
from tests.unit.runtime.test_probe_controller import OK, make, says

PAIRS: Final = 5
BAR: Final = 5.0  # percent
SHAPES: Final[Mapping[str, Callable[[int], Obj]]] = {
    "chain": chain,
    "wide": wide,
    "agents_in_a_chain": lambda size: agents(size, beside=False),
    "agents_beside": lambda size: agents(size, beside=True),
}
SIZE: Final = 100
_WARM: Final = 3  # nodes of the run before
_CALLS: Final = 4  # of the model, and as many of tools
# A collector that takes what it gets. It prints its port.
_SINK: Final = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *given):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Cost:
    """What a run cost its operator: seconds of processor time, and how many of them went into
    traces; spans and batches that were sent."""

    cpu: float
    tracing: float = 0.0
    spans: int = 0
    batches: int = 0


class Paced:
    """The tracer of the operator, with its pauses in simulated time."""

    def __init__(self, tracer: OtlpTracer) -> None:
        self._tracer = tracer
        self._waits = False
        self.spans = self.batches = 0
        self.spent = 0.0  # seconds of this thread for sending

    def emit(self, fact: SpanFact) -> None:
        if not self._waits:
            self._waits = True
            asyncio.get_running_loop().call_later(BATCH_MILLISECONDS / 1000, self._send)
        self.spans += 1
        self._tracer.emit(fact)

    def close(self) -> None:
        self._tracer.close()

    def _send(self) -> None:
        began = time.thread_time()
        self._waits = False
        self.batches += 1
        self._tracer._processor.force_flush()
        self.spent += time.thread_time() - began


class Telemetry(OperatorTelemetry):
    """The telemetry of the operator, which knows how long it works at spans."""

    def __init__(self, tracer: Any) -> None:
        super().__init__(metrics=Metrics(), tracer=tracer)
        self.spent = 0.0

    def _emit(self, *given: Any) -> None:
        began = time.thread_time()
        super()._emit(*given)
        self.spent += time.thread_time() - began


def agents(size: int, *, beside: bool) -> Obj:
    """Agents beside each other, or each after the one before."""
    made = [agent("n0")]
    for at in range(1, size):
        made.append(agent(f"n{at}", dependsOn=[] if beside else [f"n{at - 1}"]))
    return {"parallelism": 50, "nodes": made}


def program(pod: PodView) -> Outcome:
    """Nodes that run beside each other end apart, two to a second. Agents call model and tools."""
    if not pod.path:
        return says(OK)(pod)
    seconds = 5.0 + 0.5 * (int(pod.path[1:]) % 50)
    done = pod.succeeds(1, seconds=seconds)
    if pod.request.get("kind") != "agent":
        return done
    found = commit_record.parse(done.message)
    assert isinstance(found, commit_record.CommitRecord)
    message = commit_record.encode(found._replace(trace=_conversation())).decode()
    return Outcome(message=message, seconds=seconds)


def _conversation() -> Trace:
    """Calls of a model, and one of a tool after each."""
    trace, at = Trace(), [f"2026-03-01T09:00:{second:02}.000Z" for second in range(2 * _CALLS + 1)]
    for call in range(_CALLS):
        begin, middle, end = at[2 * call : 2 * call + 3]
        tokens = {"inputTokens": 900, "cachedTokens": 700, "outputTokens": 60}
        trace.add("model", start=begin, end=middle, model="m", provider="main", **tokens)
        trace.add("tool", start=middle, end=end, name="search", outcome="ok")
    return trace


async def _measure(spec: Obj, warm: Obj, tracer: Paced | None) -> Cost:
    async with World() as world:
        world.work.program = program
        telemetry = Telemetry(tracer or NoTracer())
        _, meter = start_metered(world, telemetry)
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await world.submit(warm, name="warm")
        await world.finished("warm")
        await asyncio.sleep(2)
        before = _spent(meter, telemetry, tracer)
        await world.submit(spec)
        status = await world.finished()
        await asyncio.sleep(2)
        assert status["phase"] == "Succeeded", world.tell()
        after = _spent(meter, telemetry, tracer)
    return Cost(
        after.cpu - before.cpu,
        after.tracing - before.tracing,
        after.spans - before.spans,
        after.batches - before.batches,
    )


def _spent(meter: Meter, telemetry: Telemetry, tracer: Paced | None) -> Cost:
    """Since the start. Other threads are those of the exporter."""
    others = time.process_time() - time.thread_time()
    if tracer is None:
        return Cost(meter.operator)
    tracing = telemetry.spent + tracer.spent + others
    return Cost(meter.operator + others, tracing, tracer.spans, tracer.batches)


def measured(name: str, size: int, endpoint: str | None) -> Cost:
    """What a run of a shape costs an operator that has done a small one before, with traces if
    there is an `endpoint`."""
    tracer = None
    if endpoint is not None:
        real = otlp_tracer(endpoint=endpoint)
        assert isinstance(real, OtlpTracer)
        tracer = Paced(real)
    with asyncio.Runner(loop_factory=MeteredLoop) as runner:
        found = runner.run(_measure(SHAPES[name](size), SHAPES[name](_WARM), tracer))
    if tracer is not None:
        tracer.close()
    return found


@contextmanager
def _sink() -> Iterator[str]:
    """The URL of a collector in another process."""
    process = subprocess.Popen([sys.executable, "-c", _SINK], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


def figures(name: str, size: int, pairs: Sequence[tuple[Cost, Cost]]) -> list[Figure]:
    """The medians of all pairs, each without and with traces."""
    plain = statistics.median(without.cpu for without, _ in pairs) * 1000 / size
    traced = statistics.median(cost.cpu for _, cost in pairs) * 1000 / size
    share = statistics.median(cost.tracing / (cost.cpu - cost.tracing) * 100 for _, cost in pairs)
    between = statistics.median((cost.cpu / without.cpu - 1) * 100 for without, cost in pairs)
    return [
        Figure(f"{name}_cpu", round(traced, 2), "ms/node", baseline=round(plain, 2)),
        Figure(f"{name}_tracing", round(share, 1), "%", bar=BAR),
        Figure(f"{name}_difference", round(between, 1), "%"),
    ]


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; 1 if traces cost more than the bar."""
    size = int(arguments[0]) if arguments else SIZE
    over = False
    with _sink() as endpoint:
        for name in SHAPES:
            pairs = []
            for number in range(PAIRS):
                given = (None, endpoint) if number % 2 == 0 else (endpoint, None)
                found = {each is not None: measured(name, size, each) for each in given}
                pairs.append((found[False], found[True]))
            sent = pairs[0][1]
            for figure in figures(name, size, pairs):
                over = over or (figure.bar is not None and figure.value > figure.bar)
                print(line(figure), flush=True)
            print(f"    {sent.spans} spans in {sent.batches} batches", flush=True)
    return int(over)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
