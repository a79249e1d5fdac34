"""`waypost rerun --dry-run`, `io`, `graph`, `diff` and `cost`: golden outputs."""

import json
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.compiler.definition import define
from waypost.kube import node_records
from waypost.protocol import ijson

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE, at
from tests.support.builders import agent, http, python

Captured = pytest.CaptureFixture[str]
RUNS = f"{GROUP}/namespaces/{NAMESPACE}/agentworkflows"
REF = "${nodes.%s.output}"
USED = {"modelCalls": 2, "inputTokens": 1200, "outputTokens": 90, "costUSD": "0.0042"}


def failed(name: str = "brief", **spec: Any) -> dict[str, Any]:
    """fetch succeeded, draft failed after two attempts, pay was skipped; log is beside them."""
    nodes = [
        python("fetch"),
        agent("draft", inputs={"news": REF % "fetch"}),
        http("pay", url="https://bank.example/x", method="POST", dependsOn=["draft"]),
        python("log"),
    ]
    given = {"nodes": nodes, "budget": {"tokens": 5000}, **spec}
    prints = define(given).fingerprints

    def node(path: str, phase: str, **more: Any) -> dict[str, Any]:
        times = {"startedAt": at(1), "finishedAt": at(9)}
        return {"path": path, "phase": phase, "fingerprint": prints[path], **times, **more}

    one = {"job": "j", "launchedAt": at(1), "startedAt": at(2), "finishedAt": at(5)}
    tries = [
        {**one, "number": 1, "reason": "Refused", "usage": {**USED, "costUSD": "0.001"}},
        {**one, "number": 2, "reason": "Refused", "usage": USED},
    ]
    news = {"title": "News"}
    statuses = [
        node("fetch", "Succeeded", output=news, outputDigest=ijson.digest(news)),
        node(
            "draft",
            "Failed",
            reason="Refused",
            message="I will not",
            attempt=2,
            attempts=tries,
            usage={**USED, "costUSD": "0.0052"},
            inputDigest=ijson.digest({"news": news}),
            tail="thinking\n    refused",
        ),
        node("pay", "Skipped", reason="DependencyFailed"),
        node("log", "Succeeded", output=1, outputDigest=ijson.digest(1)),
    ]
    return {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": "5",
            "creationTimestamp": at(0),
        },
        "spec": given,
        "status": {
            "observedGeneration": 1,
            "phase": "Failed",
            "progress": "4/4",
            "startedAt": at(0),
            "finishedAt": at(10),
            "usage": {**USED, "costUSD": "0.0052"},
            "nodes": statuses,
        },
    }


def serve(api: Api, *runs: dict[str, Any]) -> None:
    for run in runs:
        api.put(f"{RUNS}/{run['metadata']['name']}", run)
    api.items(f"{GROUP}/namespaces/{NAMESPACE}/approvals")
    api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")


def printed(capsys: Captured) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


DRY_RUN = """\
round 2 of brief would begin: 2 kept, 2 run, 0 skipped
ACTION  NODE   KIND    NOW        EFFECT      WHY
keep    fetch  python  Succeeded  idempotent  as in round 1
run     draft  agent   Failed     idempotent  it failed: Refused
run     pay    http    Skipped    once        draft runs again
keep    log    python  Succeeded  idempotent  as in round 1
cost to come, as the last time: 2 model calls · 1,290 tokens · $0.0042
nothing was changed; the same command without --dry-run begins the round
"""


def test_a_round_that_is_only_shown(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["rerun", "brief", "--dry-run"]) == 0
    assert printed(capsys) == DRY_RUN.splitlines()
    assert api.patched == []


def remembering() -> dict[str, Any]:
    """The run with a memory that draft is given."""
    run = failed(memory={"key": "acme"})
    run["status"]["memory"] = {
        "scope": "triage",
        "key": "acme",
        "digest": "sha256:0",
        "record": "m",
        "episodes": 1,
        "facts": 2,
    }
    return run


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--refresh-memory"],
            "the memory of acme is read again when the round begins; the run has read 1 episode "
            "and 2 facts of it",
        ),
        (
            [],
            "the memory of acme stays as the run has read it: 1 episode and 2 facts "
            "(--refresh-memory reads it again)",
        ),
    ],
)
def test_s748_a_round_that_reads_the_memory_again(
    api: Api, capsys: Captured, options: list[str], line: str
) -> None:
    serve(api, remembering())
    assert main(["rerun", "brief", "--dry-run", *options]) == 0
    assert printed(capsys)[1] == line
    assert api.patched == []


def test_as_a_document(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    argv = ["rerun", "brief", "--dry-run", "--from", "log", "--skip", "draft", "-o", "json"]
    assert main(argv) == 0
    document = json.loads(capsys.readouterr().out)
    actions = {node["path"]: node["action"] for node in document["nodes"]}
    assert actions == {"fetch": "keep", "draft": "skip", "pay": "run", "log": "run"}
    assert document["cost"] == {"modelCalls": 0, "totalTokens": 0, "unknown": []}


def test_a_round_that_would_be_rejected(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["rerun", "brief", "--dry-run", "--from", "drfat"]) == Exit.FAILED
    first, *why = printed(capsys)
    assert first == "round 2 of brief would be rejected:"
    assert "drfat" in why[0]


def test_a_round_of_a_cancelled_run(api: Api, capsys: Captured) -> None:
    """The API server refuses it, also if the run had ended before the cancel."""
    run = failed()
    run["spec"]["cancel"] = True
    serve(api, run)
    assert main(["rerun", "brief", "--dry-run"]) == Exit.FAILED
    first, *why = printed(capsys)
    assert first == "round 2 of brief would be rejected:"
    assert "the run was cancelled, which is final; create a new run" in why[0]


def test_the_latest_template_needs_a_template(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["rerun", "brief", "--dry-run", "--latest"]) == Exit.USAGE
    assert "the run has no template" in capsys.readouterr().err


def test_a_format_needs_the_preview(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["rerun", "brief", "-o", "json"]) == Exit.USAGE
    assert api.patched == []


IO = """\
draft  agent  Failed  Refused: I will not

inputs
  {
    "news": {
      "title": "News"
    }
  }
output
  the node is Failed and has no output
end of its log
  thinking
      refused
"""


def test_inputs_and_output(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["io", "brief", "draft"]) == 0
    assert printed(capsys) == IO.splitlines()
    assert main(["io", "brief", "fetch", "-o", "jsonpath={.output.title}"]) == 0
    assert capsys.readouterr().out == "News"


def test_s633_two_attempts(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["io", "brief", "draft", "--compare"]) == 0
    assert printed(capsys) == [
        "ATTEMPT  ROUND  RESULT   TIME  USED                                        MESSAGE",
        "1        1      Refused  3.0s  2 model calls · 1,200 in, 90 out · $0.001",
        "2        1      Refused  3.0s  2 model calls · 1,200 in, 90 out · $0.0042",
        "inputs: no difference",
        "output: not compared: attempt 1 failed (Refused) and has no output; attempt 2 failed "
        "(Refused) and has no output",
    ]
    assert main(["io", "brief", "draft", "--attempts", "2,1", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["number"] for one in document["attempts"]] == [1, 2]


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("1", Exit.USAGE, "expected two numbers, such as 1,3"),
        ("1,x", Exit.USAGE, "expected two numbers"),
        ("1,7", Exit.FAILED, "the status has 1, 2"),
    ],
)
def test_s633_attempts_that_cannot_be_compared(
    api: Api, capsys: Captured, given: str, code: Exit, words: str
) -> None:
    serve(api, failed())
    assert main(["io", "brief", "draft", "--attempts", given]) == code
    assert words in capsys.readouterr().err


def test_a_node_that_was_mistyped(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["io", "brief", "drfat"]) == Exit.NOT_FOUND
    assert "no node 'drfat' in brief; its nodes are: " in capsys.readouterr().err


MERMAID = """\
flowchart TD
  n0["fetch<br/>python<br/>Succeeded"]
  n1["draft<br/>agent<br/>Failed (Refused)"]
  n2["pay<br/>http<br/>Skipped (DependencyFailed)"]
  n3["log<br/>python<br/>Succeeded"]
  n0 --> n1
  n1 --> n2
  classDef Succeeded fill:#c8e6c9,color:#000
  class n0,n3 Succeeded
  classDef Failed fill:#ffcdd2,color:#000
  class n1 Failed
  classDef Skipped fill:#eeeeee,color:#000
  class n2 Skipped
"""


@pytest.mark.parametrize("argv", [["graph", "brief"], ["trace", "brief", "-o", "mermaid"]])
def test_a_graph(api: Api, capsys: Captured, argv: list[str]) -> None:
    serve(api, failed())
    assert main(argv) == 0
    assert printed(capsys) == MERMAID.splitlines()


def test_a_graph_for_graphviz(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["graph", "brief", "-o", "dot"]) == 0
    assert '  "draft" -> "pay";' in printed(capsys)


DIFF = """\
brief (Failed)  other (Succeeded)
definition:
  ~ nodes[fetch].timeout: "1m" -> "5m"
inputs:
  ~ day: 1 -> 2
outputs: no difference
nodes:
NODE   PHASE                ATTEMPTS  TIME  COST     OUTPUT
draft  Failed -> Succeeded  2         8.0s  $0.0052  unknown
"""


def test_the_difference_of_two_runs(api: Api, capsys: Captured) -> None:
    first, second = failed(inputs={"day": 1}), failed("other", inputs={"day": 2})
    first["spec"]["nodes"][0]["timeout"] = "1m"
    second["spec"]["nodes"][0]["timeout"] = "5m"
    second["status"]["phase"] = "Succeeded"
    draft = second["status"]["nodes"][1]
    draft["phase"] = "Succeeded"
    serve(api, first, second)
    assert main(["diff", "brief", "other"]) == 0
    assert printed(capsys) == DIFF.splitlines()


COST = """\
brief  Failed  2 model calls · 1,200 in, 90 out · $0.0052
budget   tokens: 3710 of 5000 left

NODE   KIND   ATTEMPTS  CALLS  TOKENS  TOOLS  COST     OF IT RETRIED
draft  agent  2         2      1,290   -      $0.0052  $0.0052
"""


def test_what_a_run_used(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["cost", "brief"]) == 0
    assert printed(capsys) == COST.splitlines()


@pytest.mark.parametrize(
    "argv",
    [
        ["io", "zzz", "a"],
        ["cost", "zzz"],
        ["graph", "zzz"],
        ["diff", "brief", "zzz"],
        ["rerun", "zzz", "--dry-run"],
    ],
    ids=lambda argv: argv[0],
)
def test_a_run_that_does_not_exist(api: Api, capsys: Captured, argv: list[str]) -> None:
    serve(api, failed())
    assert main(argv) == Exit.NOT_FOUND
    assert "no AgentWorkflow 'zzz' in namespace here" in capsys.readouterr().err


def of_template(api: Api) -> dict[str, Any]:
    """The run with its nodes in a template, and the record of what it took from it."""
    run = failed()
    fields = {"nodes": run["spec"].pop("nodes")}
    owner = {"name": "brief", "uid": "uid-brief", "controller": True}
    record = node_records.definition(fields, owner=owner, namespace=NAMESPACE)
    assert record is not None
    pin = {"name": "t", "uid": "u", "generation": 1, "digest": ijson.digest(fields)}
    run["status"]["template"] = {**pin, "record": record["metadata"]["name"]}
    run["spec"]["templateRef"] = {"name": "t"}
    folder = f"{GROUP}/namespaces/{NAMESPACE}"
    api.put(f"{folder}/noderecords/{record['metadata']['name']}", record)
    changed = json.loads(json.dumps(fields))
    changed["nodes"][0]["python"]["source"] += "\n# repaired\n"
    api.put(f"{folder}/agentworkflowtemplates/t", {"spec": changed})
    return run


def actions_of(capsys: Captured) -> dict[str, str]:
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    return {node["path"]: node["action"] for node in nodes}


def test_a_run_of_a_template(api: Api, capsys: Captured) -> None:
    serve(api, of_template(api))
    assert main(["rerun", "brief", "--dry-run", "-o", "json"]) == 0
    assert actions_of(capsys) == {"fetch": "keep", "draft": "run", "pay": "run", "log": "keep"}
    assert main(["rerun", "brief", "--dry-run", "--latest", "-o", "json"]) == 0
    assert actions_of(capsys)["fetch"] == "run", "the template has changed it"
    assert main(["io", "brief", "draft"]) == 0
    assert printed(capsys) == IO.splitlines()


def test_a_definition_that_may_not_be_read(api: Api, capsys: Captured) -> None:
    run = of_template(api)
    name = run["status"]["template"]["record"]
    path = f"{GROUP}/namespaces/{NAMESPACE}/noderecords/{name}"
    api.refuse(path, status=403, message="ann cannot get noderecords")
    serve(api, run)
    assert main(["rerun", "brief", "--dry-run"]) == Exit.FAILED
    assert "the definition of brief cannot be read" in capsys.readouterr().err
    assert main(["graph", "brief"]) == 0, "without edges"
    shown = capsys.readouterr()
    assert "no edges" in shown.err
    assert "n0" in shown.out
