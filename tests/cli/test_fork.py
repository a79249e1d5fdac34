"""`waypost fork`: golden outputs, what is created, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.kube import node_records

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE
from tests.cli.test_preview import RUNS, Captured, failed, printed, serve
from tests.support.builders import python

DRY_RUN = """\
a new run from brief: 2 taken over, 2 run, 0 skipped
ACTION  NODE   KIND    NOW        EFFECT      WHY
keep    fetch  python  Succeeded  idempotent  as in brief
run     draft  agent   Failed     idempotent  it failed: Refused
run     pay    http    Skipped    once        draft runs again
keep    log    python  Succeeded  idempotent  as in brief
cost to come, as the last time: 2 model calls · 1,290 tokens · $0.0042
nothing was changed; the same command without --dry-run starts the run
"""


def test_a_dry_run_changes_nothing(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["fork", "brief", "--dry-run"]) == 0
    assert printed(capsys) == DRY_RUN.splitlines()
    assert (api.patched, api.created) == ([], [])


def test_s667_the_run_that_is_created(api: Api, capsys: Captured) -> None:
    serve(api, failed(requestedBy="bob"))
    assert main(["fork", "brief", "--name", "second", "-o", "name"]) == 0
    assert capsys.readouterr().out == "agentworkflow.waypost.dev/second\n"
    path, body = api.created[0]
    assert path == RUNS
    assert body["metadata"]["annotations"] == {"waypost.dev/forked-from": "brief uid-brief"}
    spec = body["spec"]
    assert spec["nodes"] == failed()["spec"]["nodes"]
    assert spec["rerun"] == {"round": 2, "outputs": {"fetch": {"title": "News"}, "log": 1}}
    assert spec["requestedBy"] == "ann", "who forks it, not who started the old run"
    assert api.patched == [], "the old run stays as it is"


def test_changed_inputs_and_nodes(api: Api, tmp_path: Path, capsys: Captured) -> None:
    serve(api, failed())
    nodes = failed()["spec"]["nodes"]
    nodes[3] = python("log", source="def run():\n    return 2\n")
    manifest: Any = {"kind": "AgentWorkflow", "metadata": {"name": "brief"}}
    manifest["spec"] = {"nodes": nodes, "inputs": {"topic": "news"}}
    file = tmp_path / "brief.yaml"
    file.write_text(yaml.safe_dump(manifest))
    argv = ["fork", "brief", "-f", str(file), "--input", "topic=sport", "--dry-run", "-o", "json"]
    assert main(argv) == 0
    shown = json.loads(capsys.readouterr().out)
    actions = {node["path"]: node["action"] for node in shown["nodes"]}
    assert actions == {"fetch": "keep", "draft": "run", "pay": "run", "log": "run"}
    assert main(argv[:-3]) == 0
    assert api.created[0][1]["spec"]["inputs"] == {"topic": "sport"}


def test_s668_what_cannot_be_taken_over_is_refused(api: Api, capsys: Captured) -> None:
    run = failed()
    pay = run["status"]["nodes"][2]
    pay |= {"phase": "Running", "attempt": 1, "reason": None}
    pay["attempts"] = [
        {"number": 1, "job": "j", "launchedAt": pay["startedAt"], "startedAt": pay["startedAt"]}
    ]
    run["status"]["nodes"][1] |= {"phase": "Succeeded", "output": "text"}
    serve(api, run)
    assert main(["fork", "brief"]) == Exit.FAILED
    out = capsys.readouterr().out
    assert "no run can be made from brief:" in out
    assert "node pay has effect: once and has run in brief" in out
    assert api.created == []


@pytest.mark.parametrize(
    ("change", "argv", "words"),
    [
        ({"parent": {"artifacts": [{"name": "a"}]}}, [], "takes artifacts of its parent run"),
        ({}, ["--wait", "--dry-run"], "exclude each other"),
        ({}, ["--dry-run", "-o", "name"], "--output name: expected one of"),
        ({}, ["--input", "topic"], "expected KEY=VALUE"),
    ],
)
def test_wrong_arguments(
    api: Api, capsys: Captured, change: dict[str, Any], argv: list[str], words: str
) -> None:
    run = failed()
    run["spec"] |= change
    serve(api, run)
    assert main(["fork", "brief", *argv]) == Exit.USAGE
    assert words in capsys.readouterr().err
    assert api.created == []


def test_s667_a_run_of_a_template_keeps_its_version(api: Api, capsys: Captured) -> None:
    run = failed()
    nodes = run["spec"].pop("nodes")
    run["spec"] |= {"templateRef": {"name": "briefs"}}
    owner = {"name": "brief", "uid": "uid-brief"}
    fields = {"nodes": nodes, "budget": {"tokens": 9000}}
    record = node_records.definition(fields, owner=owner, namespace=NAMESPACE)
    assert record is not None
    name = record["metadata"]["name"]
    run["status"]["template"] = {
        "name": "briefs",
        "uid": "t",
        "generation": 1,
        "digest": record["spec"]["digest"],
        "record": name,
    }
    serve(api, run)
    api.put(f"{GROUP}/namespaces/{NAMESPACE}/noderecords/{name}", record)
    assert main(["fork", "brief"]) == 0
    spec = api.created[0][1]["spec"]
    assert "templateRef" not in spec
    assert (spec["nodes"], spec["budget"]) == (nodes, {"tokens": 5000})
    assert set(spec["rerun"]["outputs"]) == {"fetch", "log"}
