"""One run with everything in it, on a real cluster, watched by a real OpenTelemetry Collector and a
real Prometheus, while the operator is killed in the middle.

Parallel nodes, a map, a retry, a re-ask, a 429, a tool call and an approval: the spans form one
tree, which a real Jaeger shows, tokens are those that the model server counted, and the commands
show the same (S589, S590).
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from waypost.telemetry import conventions

from e2e.cluster import api, collecting
from e2e.cluster.collecting import Tree, attributes
from e2e.cluster.jaeger import jaeger, shown_paths
from e2e.cluster.settings import from_environment
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Kube, Obj
from e2e.suite.model_gateways import ADDRESS
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space
from e2e.suite.test_agents import CAUSE, MODULE, log
from e2e.suite.test_providers import provider
from e2e.suite.waiting import until
from e2e.suite.watched import Watched, watched
from tests.alerts.test_rules import SERIES, alerts, boards

# The collector, Jaeger and Prometheus are built from source on the first run: minutes.
pytestmark = [pytest.mark.nightly, pytest.mark.alone, pytest.mark.timeout(3600)]

FETCH = "return {'items': [1, 2, 3]}"
FLAKY = """
import json

def run():
    if json.load(open("/waypost/in/request.json"))["attempt"] == 1:
        raise ValueError("the first attempt fails")
    return "done"
"""
SCRIPTS: dict[str, Any] = {
    "think": {
        "turns": [
            {
                "call": [{"tool": "search", "arguments": {"query": "latency"}}],
                "tokens": {"input": 100, "cached": 40, "output": 20},
            },
            {"status": 429, "retryAfter": 1},
            {"malformed": '{"cause": ', "tokens": {"input": 150, "output": 5}},
            {
                "output": {"cause": "${results.search[0]}", "confidence": 0.9},
                "tokens": {"input": 170, "output": 15},
            },
        ]
    },
    "greet": {"turns": [{"say": "Hello.", "tokens": {"input": 30, "output": 3}}]},
    "spend": {
        "turns": [
            {
                "call": [{"tool": "count", "arguments": {"words": "again"}}],
                "tokens": {"input": 300, "output": 10},
                "repeat": "forever",
            }
        ]
    },
}
ANSWER = {"cause": "latency: failover at 03:09", "confidence": 0.9}
ROOT = "invoke_workflow whole"
AGENT = (ROOT, "node think", "invoke_agent think")
GREETS = (ROOT, "node greet", "invoke_agent greet")
# Each path of names from the root, and how many spans have it.
SPANS: dict[tuple[str, ...], int] = {
    (ROOT,): 1,
    (ROOT, "node fetch"): 1,
    (ROOT, "node flaky"): 2,
    **{(ROOT, f"node scan/{index}"): 1 for index in range(3)},
    (ROOT, "node think"): 1,
    AGENT: 1,
    (*AGENT, "chat think"): 4,  # a call, a 429, an answer that does not fit, an answer
    (*AGENT, "execute_tool search"): 1,
    (ROOT, "node greet"): 1,
    GREETS: 1,
    (*GREETS, "chat greet"): 1,
    (ROOT, "approval review"): 1,
    (ROOT, "node publish"): 1,
}


def whole() -> Workflow:
    tools = [{"module": "desk", "functions": ["search"]}]
    thinks: Obj = {"model": {"provider": "scripted", "name": "think"}, "prompt": "Why?"}
    greets: Obj = {"model": {"provider": "scripted", "name": "greet"}, "prompt": "Greet."}
    retry = {"limit": 1, "backoff": {"initial": "1s"}}
    return (
        workflow("whole")
        .having(modules={"desk": MODULE})
        .python("fetch", FETCH)
        .python("flaky", FLAKY, retry=retry)
        .python(
            "scan",
            "return n * 10",
            inputs={"n": "${item}"},
            forEach={"items": "${nodes.fetch.output.items}"},
        )
        .node("think", agent={**thinks, "tools": tools}, outputSchema=CAUSE, dependsOn=["fetch"])
        .node("greet", agent=greets, isolation={"egress": "Gateway"})
        .approval("review", dependsOn=["scan", "think", "flaky", "greet"])
        .python("publish", "return 'done'", dependsOn=["review"])
    )


@dataclass(frozen=True)
class Ended:
    """The run after its end, the tree of its spans, and what was watched."""

    run: Run
    seen: Obj
    tree: Tree
    watched: Watched

    def prints(self, *argv: str) -> str:
        """What `waypost` prints."""
        kube, space = self.run.space.kube, self.run.space.name
        place = ("-n", space, "--kubeconfig", str(kube.kubeconfig))
        return kube.must(sys.executable, "-m", "waypost", *argv, *place)

    def document(self, *argv: str) -> Any:
        """What `waypost` prints as JSON."""
        return json.loads(self.prints(*argv, "-o", "json"))


@pytest.fixture(scope="module")
def installed(
    kube: Kube, cluster: api.Cluster, operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    values = {
        "modelGateway.enabled": "true",
        "modelGateway.clusterIP": ADDRESS,
        "modelGateway.privateHosts[0]": "10.0.0.0/8",
    }
    with watched(kube, cluster, tmp_path_factory.mktemp("watched"), values) as found:
        yield found


@pytest.fixture(scope="module")
def ended(space: Space, cluster: api.Cluster, operator: Operator, installed: Watched) -> Ended:
    """The operator is killed as soon as it has written that `fetch` has ended: the span of that
    node waits for its batch then."""
    url = outside.start_models(space, cluster.images["operator"], SCRIPTS)
    provider(space, "scripted", baseURL=url)
    operator.ready()
    run = space.start(whole())
    run.reaches("fetch", "Succeeded")
    operator.crash(operator.ready())
    run.answer("review", decision="Approved")
    seen = run.succeeded(within=120)
    installed.scrape()
    until(
        lambda: any(span["name"] == ROOT for span in installed.collector.spans()),
        within=30,
        what="the span of the run has arrived",
    )
    return Ended(run, seen, collecting.one_tree(installed.collector.spans()), installed)


def test_the_spans_form_one_tree(ended: Ended) -> None:
    # Whether a container took a second to start depends on the machine.
    paths = [path for path in ended.tree.paths() if not path[-1].startswith("pull ")]
    assert Counter(paths) == SPANS
    flaky = [attributes(span) for span in ended.tree.named("node flaky")]
    assert [one[conventions.NODE_OUTCOME] for one in flaky] == ["NodeError", "Succeeded"]
    (agent,) = ended.tree.named("invoke_agent think")
    events = Counter(event["name"] for event in agent["events"])
    assert events == {conventions.WAIT_EVENT: 1, conventions.REASK_EVENT: 1}
    (gate,) = ended.tree.named("approval review")
    assert attributes(gate)[conventions.APPROVAL_OUTCOME] == "Approved"


def test_jaeger_shows_that_tree(ended: Ended, tmp_path: Path) -> None:
    """What the collector has received, asked for by Jaeger's query API; repeated spans too."""
    with jaeger(from_environment(provider="embedded"), tmp_path) as backend:
        backend.receive(ended.watched.collector.batches())
        shown = backend.trace(ended.tree.root["traceId"])
        assert shown_paths(shown) == ended.tree.paths()
        assert [one["traceID"] for one in backend.found("waypost")] == [shown["traceID"]]


def test_the_tokens_are_those_of_the_model_server(ended: Ended) -> None:
    counted = [log(ended.run.space, name) for name in ("think", "greet")]
    usage = ended.seen["status"]["usage"]
    for attribute, name in (
        (conventions.INPUT_TOKENS, "inputTokens"),
        (conventions.CACHED_TOKENS, "cachedTokens"),
        (conventions.OUTPUT_TOKENS, "outputTokens"),
    ):
        assert ended.tree.total(attribute) == sum(one[name] for one in counted) == usage[name]
    chats = [attributes(span) for span in ended.tree.named("chat think")]
    assert all(one[conventions.FIRST_BYTE_SECONDS] >= 0 for one in chats)
    assert [one.get(conventions.ERROR_TYPE) for one in chats] == [None, "RateLimited", None, None]


def test_the_commands_show_the_same(ended: Ended) -> None:
    shown = ended.document("get", "whole")
    nodes = {one["path"]: (one["kind"], one["phase"], one["attempt"]) for one in shown["nodes"]}
    assert nodes == {
        "fetch": ("python", "Succeeded", 1),
        "flaky": ("python", "Succeeded", 2),
        "scan": ("python", "Succeeded", 1),
        "think": ("agent", "Succeeded", 1),
        "greet": ("agent", "Succeeded", 1),
        "review": ("approval", "Succeeded", 0),
        "publish": ("python", "Succeeded", 1),
    }
    traced = {one["path"]: one for one in ended.document("trace", "whole")["nodes"]}
    entries = traced["think"]["attempts"][0]["trace"]["entries"]
    assert [one["type"] for one in entries].count("model") == 4
    assert "search" in ended.prints("trace", "whole")
    given = ended.document("io", "whole", "think")
    assert (given["output"], given["same"]) == (ANSWER, True)
    assert ended.document("io", "whole", "scan/1")["output"] == 20
    again = ended.document("rerun", "whole", "--from", "think", "--dry-run")
    actions = {one["path"]: one["action"] for one in again["nodes"]}
    runs = {"think", "review", "publish"}
    assert actions == {path: "run" if path in runs else "keep" for path in nodes}


def test_the_difference_to_a_fork(ended: Ended) -> None:
    """`waypost diff` of the run and one that takes over its checkpoints, and whose question another
    answer gets."""
    ended.prints("fork", "whole", "--name", "again", "--input", "why=another-answer")
    space = ended.run.space
    forked = space.get("agentworkflows", "again")
    assert forked is not None, "fork has made it"
    again = Run(space, "again", forked["metadata"]["uid"])
    again.answer("review", decision="Denied")
    assert again.finished()["status"]["phase"] == "Failed"
    found = ended.document("diff", "whole", "again")
    assert [(row["name"], row["phase"]) for row in found["runs"]] == [
        ("whole", "Succeeded"),
        ("again", "Failed"),
    ]
    assert found["spec"] == []
    assert [change["path"] for change in found["inputs"]] == ["why"]
    nodes = {pair["path"]: pair for pair in found["nodes"]}
    assert nodes["review"]["phases"] == ["Succeeded", "Failed"]
    assert nodes["publish"]["phases"] == ["Succeeded", "Skipped"]
    for path in ("fetch", "flaky", "scan", "think", "greet"):
        assert nodes[path]["output"] == "same", f"{path} was not taken over"
    printed = ended.prints("diff", "whole", "again")
    assert printed.startswith("whole (Succeeded)  again (Failed)")


# --- Prometheus ----------------------------------------------------------------------------------

# Metrics of dashboards and alerts that these processes need not have, and why.
EXCUSED = {
    "waypost_swept_total": "the sweep found nothing, or comes in ten minutes",
    "waypost_archive_failing_runs": "the archive needs a volume, which this cluster has not",
    "waypost_notifier_oldest_seconds": "the notifier needs a sink",
    "waypost_ingress_requests_total": "the ingress is off",
}


def expressions() -> dict[str, str]:
    """Every expression of the dashboards and of the alerts."""
    found = {rule["alert"]: rule["expr"] for rule in alerts()}
    for name, board in boards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "1m")
                found[f"{name}: {panel['title']} {target['refId']}"] = expression
    return found


def test_prometheus_evaluates_every_query(ended: Ended) -> None:
    server = ended.watched.prometheus
    known = server.names()
    used = {name for each in expressions().values() for name, _ in SERIES.findall(each)}
    assert used - known <= EXCUSED.keys()
    for expression in expressions().values():
        server.query(expression)
    rules = [rule for group in server.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"]: rule["health"] for rule in rules} == {
        rule["alert"]: "ok" for rule in alerts()
    }


@pytest.mark.parametrize(
    "metric",
    [
        "waypost_node_duration_seconds",
        "waypost_model_call_seconds",
        "waypost_model_gateway_call_seconds",
    ],
)
def test_durations_name_the_trace(ended: Ended, metric: str) -> None:
    """The exemplar of a histogram leads to the trace that the collector has received."""
    found = ended.watched.prometheus.get(
        "query_exemplars",
        query=f"{metric}_bucket",
        start=str(time.time() - 3600),
        end=str(time.time()),
    )
    traces = {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}
    assert traces == {ended.tree.root["traceId"]}


def test_an_alert_fires_while_no_operator_leads(ended: Ended, operator: Operator) -> None:
    operator.scale(0)
    try:
        ended.watched.sees("WaypostOperatorDown")
    finally:
        operator.scale()
    ended.watched.scrape()
    ended.watched.sees("WaypostOperatorDown", fires=False)


def test_an_alert_fires_for_an_agent_that_is_stopped_at_its_budget(ended: Ended) -> None:
    space = ended.run.space
    model = {"provider": "scripted", "name": "spend"}
    tools = [{"module": "desk", "functions": ["count"]}]
    kind = {"model": model, "prompt": "Count.", "tools": tools}
    flow = workflow("spends").having(modules={"desk": MODULE}, budget={"tokens": 500})
    run = space.start(flow.node("a", agent=kind, outputSchema=schema(n="integer")))
    assert run.finished()["status"]["phase"] == "Failed"
    assert run.node("a")["reason"] == "BudgetExceeded"
    ended.watched.sees("WaypostBudgetExceeded")
