"""Runs of every kind of node, each with the end that it must come to whatever happens to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.space import Space

PROVIDER: Final = "scripted"
TOOLS: Final = '''
def search(query: str) -> list[str]:
    """Find what was written about a subject."""
    return [f"{query}: failover at 03:09"]
'''
SCRIPTS: Final[dict[str, Any]] = {
    "diagnose": {
        "restart": True,  # an attempt that was killed begins its conversation again
        "turns": [
            {"call": [{"tool": "search", "arguments": {"query": "latency"}}]},
            {"output": {"cause": "${results.search[0]}"}},
        ],
    }
}
ANSWERING: Final = """
import http.server

class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b'{"n": 7}')

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("", 8000), Answering).serve_forever()
"""
# Chaos uses up retries: a program that is killed looks like one that ran out of memory.
PATIENT: Final = {"retry": {"limit": 6, "backoff": {"initial": "1s", "max": "4s"}}}
ONE: Final = "def run():\n    time.sleep(1)\n    return {'n': 1}\n"
NEXT: Final = (
    "def run(**before):\n    time.sleep(1)\n"
    "    return {'n': 1 + sum(b['n'] for b in before.values())}\n"
)
FLAKY: Final = (
    "def run():\n    if os.environ['WAYPOST_ATTEMPT'] == '1':\n        raise OSError('not yet')\n"
    "    return {'n': 1}\n"
)
BROKEN: Final = "def run():\n    raise OSError('never')\n"
BIG: Final = "def run():\n    time.sleep(1)\n    return 'x' * 6000\n"
LENGTH: Final = "def run(text):\n    return {'n': len(text)}\n"


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What runs talk to; never the target of a fault."""

    ledger: Ledger
    web: str


def raise_backdrop(space: Space, ledger: Ledger, cluster: api.Cluster) -> Backdrop:
    """Start the model server and the web server of a namespace."""
    models = outside.start_models(space, cluster.images["operator"], SCRIPTS)
    body = {"type": "OpenAI", "baseURL": models, "models": [{"name": "diagnose"}]}
    space.create(
        "modelproviders",
        {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "ModelProvider",
            "metadata": {"name": PROVIDER},
            "spec": body,
        },
    )
    command = ["python3", "-c", ANSWERING]
    address = outside.start(space, "web", cluster.images["runner"], command)
    return Backdrop(ledger, f"http://{address}:{outside.PORT}/")


@dataclass(frozen=True, slots=True)
class Shape:
    """`phases`: those it may end in; `outputs`: of a run that succeeds; `answer`: to its gate."""

    make: Callable[[Workflow, Backdrop], Workflow]
    phases: frozenset[str] = frozenset({"Succeeded"})
    outputs: Obj | None = None
    answer: str = "Approved"


def _step(made: Workflow, back: Backdrop, name: str, *before: str, **fields: Any) -> Workflow:
    inputs = {one: f"${{nodes.{one}.output}}" for one in before}
    source = back.ledger.counted(NEXT if before else ONE)
    return made.python(name, source, inputs=inputs, **fields)


def _chain(made: Workflow, back: Backdrop) -> Workflow:
    return _step(_step(_step(made, back, "a"), back, "b", "a"), back, "c", "b")


def _fan(made: Workflow, back: Backdrop) -> Workflow:
    made = _step(made, back, "a")
    for name in ("l", "r"):
        _step(made, back, name, "a")
    return _step(made, back, "c", "l", "r")


def _gated(made: Workflow, back: Backdrop) -> Workflow:
    made = _step(made, back, "a").approval("gate", dependsOn=["a"])
    return _step(made, back, "c", "a", dependsOn=["gate"])


def _flaky(made: Workflow, back: Backdrop) -> Workflow:
    return _step(made.python("a", back.ledger.counted(FLAKY)), back, "c", "a")


def _broken(made: Workflow, back: Backdrop) -> Workflow:
    retry = {"limit": 1, "backoff": {"initial": "1s"}}
    return _step(made.python("a", back.ledger.counted(BROKEN), retry=retry), back, "c", "a")


def _once(made: Workflow, back: Backdrop) -> Workflow:
    return made.python("c", back.ledger.counted(ONE), effect="once")


def _big(made: Workflow, back: Backdrop) -> Workflow:
    made.python("a", back.ledger.counted(BIG))
    return made.python("c", back.ledger.counted(LENGTH), inputs={"text": "${nodes.a.output}"})


def _http(made: Workflow, back: Backdrop) -> Workflow:
    made.node("a", http={"url": back.web, "responseSchema": schema(n="integer")})
    return made.python("c", back.ledger.counted(NEXT), inputs={"a": "${nodes.a.output.body}"})


def _agent(made: Workflow, back: Backdrop) -> Workflow:
    agent = {
        "model": {"provider": PROVIDER, "name": "diagnose"},
        "prompt": f"{made.name}: why?",
        "tools": [{"module": "desk", "functions": ["search"]}],
    }
    made.having(modules={"desk": TOOLS})
    made.node("c", agent=agent, outputSchema=schema(cause="string"))
    return made


SHAPES: Final[Mapping[str, Shape]] = {
    "chain": Shape(_chain, outputs={"n": 3}),
    "fan": Shape(_fan, outputs={"n": 5}),
    "gated": Shape(_gated, outputs={"n": 2}),
    "denied": Shape(_gated, phases=frozenset({"Failed"}), answer="Denied"),
    "flaky": Shape(_flaky, outputs={"n": 2}),
    "broken": Shape(_broken, phases=frozenset({"Failed"})),
    "once": Shape(_once, phases=frozenset({"Succeeded", "Failed"}), outputs={"n": 1}),
    "big": Shape(_big, outputs={"n": 6000}),
    "http": Shape(_http, outputs={"n": 8}),
    "agent": Shape(_agent, outputs={"cause": "latency: failover at 03:09"}),
}


def made_of(shape: str, name: str, back: Backdrop) -> Workflow:
    """A workflow of a shape. Its last node is `c`, whose output it hands on."""
    made = SHAPES[shape].make(workflow(name), back)
    # A power cut between a container's creation and its start leaves its pod pending forever; only
    # this clock ends that, and it must within the time that the soak gives runs to settle.
    clocks = {"timeout": "5m", "queueTimeout": "2m"}
    return made.having(defaults={**PATIENT, **clocks}, outputs={"last": "${nodes.c.output}"})
