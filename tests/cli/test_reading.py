"""`waypost get`, `trace` and `runs`, from the API server to the terminal."""

import base64
import gzip
import json
from typing import Any

import pytest
import yaml
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.kube import node_records
from waypost.protocol import ijson

from tests.cli.conftest import Api
from tests.cli.runs import (
    GROUP,
    NAMESPACE,
    RUN_PATH,
    TRACE,
    at,
    attempt,
    ref,
    run,
    serve,
)

Captured = pytest.CaptureFixture[str]
TREE = """\
├── draft  agent  Succeeded  15.0s · 2 model calls · 1,200 in (400 cached), 90 out · 1 tool call \
· 1 re-ask · 1 wait · $0.0042
│   ├── attempt 1  ProviderError  7.0s  503: overloaded
│   └── attempt 2  Succeeded  6.0s · 2 model calls · 1,200 in (400 cached), 90 out · 1 tool call \
· 1 re-ask · 1 wait · $0.0042 · from earlier attempts: 3 model calls
│       ├── +0.1s  chat gpt  0.0s  tool_call · replayed
│       ├── +0.5s  chat gpt  1.0s  500 in (400 cached), 40 out · tool_calls
│       ├── +1.5s  tool search (books)  0.2s  ok
│       ├── +2.0s  wait  2.0s  RateLimited
│       └── +5.0s  re-ask  $.title:  [31mtoo long
"""


def test_the_tree(api: Api, capsys: Captured) -> None:
    serve(api, run())
    keep(api, number=2)
    assert main(["trace", "notes"]) == 0
    printed = capsys.readouterr().out
    lines = [line.rstrip() for line in printed.splitlines()]
    assert lines[0].startswith("notes  Waiting  1/3  ")
    assert "\n".join(lines[1:9]) + "\n" == TREE
    assert lines[9].startswith("├── review  approval  Waiting  ")
    assert lines[10] == "└── publish  python  Pending"
    assert "waiting  approval/notes-review" in printed
    wanted = (
        "stuck    review: it waits for an answer by ann, group sre  (waypost approve notes-review)"
    )
    assert wanted in printed
    assert "\x1b" not in printed, "neither our colours nor a model's own escapes"


def test_nodes_as_a_table(api: Api, capsys: Captured) -> None:
    serve(api, run())
    assert main(["get", "notes"]) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line for line in printed.splitlines() if line}
    assert rows["draft"].split() == [
        *("draft", "agent", "Succeeded", "2", "15.0s", "1,290", "1", "$0.0042")
    ]
    assert "asked ann, group sre" in rows["review"]
    assert rows["publish"].split()[2] == "Pending"
    assert "budget   tokens 5000" in printed


def test_wide(api: Api, capsys: Captured) -> None:
    serve(api, run())
    assert main(["get", "notes", "-o", "wide"]) == 0
    assert "notes-draft-2" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_documents(api: Api, capsys: Captured, form: str) -> None:
    serve(api, run())
    assert main(["get", "notes", "-o", form]) == 0
    document = yaml.safe_load(capsys.readouterr().out)
    assert document["v"] == 1
    assert document["usage"]["inputTokens"] == 1200
    draft, review, publish = document["nodes"]
    assert [item["reason"] for item in draft["attempts"]] == ["ProviderError", "Succeeded"]
    assert draft["attempts"][1]["queueSeconds"] == 0.5
    assert review["approval"]["state"] == "Open"
    assert publish == {
        "path": "publish",
        "kind": "python",
        "phase": "Pending",
        "attempt": 0,
        "attempts": [],
    }


def load(api: Api, capsys: Captured) -> list[Any]:
    """The traces of draft's attempts, as `waypost trace -o json` gives them."""
    assert main(["trace", "notes", "-o", "json"]) == 0
    draft = json.loads(capsys.readouterr().out)["nodes"][0]
    return [item.get("trace") for item in draft["attempts"]]


def keep(api: Api, *, number: int, form: dict[str, Any] | None = None, **changes: Any) -> None:
    """A NodeRecord with the trace of an attempt of draft."""
    canonical = ijson.canonical(TRACE)
    body = node_records.manifest(
        "Trace",
        ref(number),
        digest=ijson.digest(TRACE),
        size=len(canonical),
        form=form or {"data": TRACE},
        owner={"kind": "AgentWorkflow", "uid": "uid-1", "controller": True},
        namespace=NAMESPACE,
    )
    body["spec"] |= changes
    name = ref(number).record_name("Trace")
    api.put(f"{GROUP}/namespaces/{NAMESPACE}/noderecords/{name}", body)


def packed() -> dict[str, Any]:
    squeezed = base64.b64encode(gzip.compress(ijson.canonical(TRACE))).decode()
    return {"compressed": squeezed}


@pytest.mark.parametrize("form", [{"data": TRACE}, packed()], ids=["data", "compressed"])
def test_traces_in_records(api: Api, capsys: Captured, form: dict[str, Any]) -> None:
    serve(api, run())
    keep(api, number=2, form=form)
    first, second = load(api, capsys)
    assert first is None, "status names no record of it"
    assert [used["calls"] for used in second.pop("models")] == [1]
    assert second == {"entries": TRACE["entries"], "dropped": 0}
    lists = [path for path, _ in api.asked if path.endswith("/noderecords")]
    assert lists == [], "a list would bring every result as well"


@pytest.mark.parametrize(
    ("changes", "printed"),
    [
        pytest.param({"data": None, "object": "k"}, "object store", id="elsewhere"),
        pytest.param({"data": {"v": 1}}, "does not match its digest", id="forged"),
        pytest.param({"attempt": 1}, "belongs to another attempt", id="of-another-attempt"),
        pytest.param(None, "does not exist any more", id="gone"),
    ],
)
def test_traces_that_cannot_be_shown(
    api: Api, capsys: Captured, changes: dict[str, Any] | None, printed: str
) -> None:
    serve(api, run())
    if changes is not None:
        keep(api, number=2, **changes)
    assert printed in load(api, capsys)[1]["note"]
    assert main(["trace", "notes"]) == 0
    assert printed in capsys.readouterr().out


def test_attempts_that_are_not_kept_are_counted(api: Api, capsys: Captured) -> None:
    kept = [attempt(n, n, n + 1, reason="NodeError") for n in (1, 16, 17, 18, 19, 20)]
    draft = {"path": "draft", "phase": "Failed", "attempt": 20, "attempts": kept}
    serve(api, run(nodes=[draft]))
    assert main(["trace", "notes"]) == 0
    lines = [line.split("─ ")[-1].split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines[2:5] == ["attempt 1", "14 attempts not kept in status", "attempt 16"]


def test_why_a_run_failed(api: Api, capsys: Captured) -> None:
    condition = {
        "type": "Succeeded",
        "status": "False",
        "lastTransitionTime": at(0),
        "reason": "Refused",
        "message": "draft failed: Refused: I will not",
    }
    serve(api, run(phase="Failed", conditions=[condition]))
    assert main(["get", "notes"]) == 0, "the question was answered"
    assert "why      Refused: draft failed: Refused: I will not" in capsys.readouterr().out


def test_runs(api: Api, capsys: Captured) -> None:
    serve(api, run())
    assert main(["runs", "-A", "-l", "team=a"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "NAMESPACE NAME PHASE PROGRESS WAITING TOKENS COST AGE"
    assert row.split()[:7] == [
        *("here", "notes", "Waiting", "1/3", "approval/notes-review", "1,290", "$0.0042")
    ]
    assert api.asked[0][1]["labelSelector"] == ["team=a"]


def test_no_runs(api: Api, capsys: Captured) -> None:
    api.items(f"{GROUP}/namespaces/other/agentworkflows")
    assert main(["runs", "-n", "other"]) == 0
    assert capsys.readouterr().err == "no runs in namespace other\n"


def test_a_run_in_another_namespace_is_named(api: Api, capsys: Captured) -> None:
    serve(api, run())
    assert main(["get", "notes", "-n", "there"]) == Exit.NOT_FOUND
    assert "found in namespace here: use -n" in capsys.readouterr().err
    assert api.asked[-1][1]["fieldSelector"] == ["metadata.name=notes"]


@pytest.mark.parametrize(
    ("status", "message", "code", "printed"),
    [
        pytest.param(
            404,
            "the server could not find the requested resource",
            Exit.NOT_FOUND,
            "no AgentWorkflow CRD",
            id="no-crd",
        ),
        pytest.param(
            403, "ann cannot get", Exit.CLUSTER, "access denied: ann cannot get", id="403"
        ),
        pytest.param(401, "Unauthorized", Exit.CLUSTER, "log in again", id="401"),
        pytest.param(500, "etcd is gone", Exit.CLUSTER, "etcd is gone", id="500"),
    ],
)
def test_refusals(
    api: Api, capsys: Captured, status: int, message: str, code: Exit, printed: str
) -> None:
    api.refuse(RUN_PATH, status=status, message=message)
    assert main(["get", "notes"]) == code
    err = capsys.readouterr().err
    assert printed in err
    assert err.count("\n") == 1


def test_a_cluster_that_is_not_there(
    api: Api, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.kubeconfig.write_text(api.kubeconfig.read_text().replace("127.0.0.1", "127.0.0.1:1/x?"))
    assert main(["get", "notes"]) == Exit.CLUSTER
    assert "cannot reach the cluster" in capsys.readouterr().err


def test_a_status_that_is_none(api: Api, capsys: Captured) -> None:
    serve(api, run(phase="Dancing"))
    assert main(["get", "notes"]) == Exit.FAILED
    assert "the status of notes cannot be read" in capsys.readouterr().err


def test_watching_prints_what_changed(
    api: Api, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(api, run())

    async def pause(seconds: float) -> None:
        if len(api.asked) == 3:
            raise KeyboardInterrupt
        if len(api.asked) == 2:
            changed = run(phase="Succeeded")
            changed["metadata"]["resourceVersion"] = "6"
            serve(api, changed)

    monkeypatch.setattr("waypost.cli.commands.list.asyncio.sleep", pause)
    assert main(["runs", "--watch"]) == Exit.INTERRUPTED
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["PHASE", "Waiting", "Succeeded"]


def test_a_later_round_says_what_became_of_each_node(api: Api, capsys: Captured) -> None:
    found = run(round=2)
    draft, review = found["status"]["nodes"]
    draft |= {"disposition": "Reused", "dispositionMessage": "as in round 1"}
    review |= {"disposition": "Rerun", "dispositionMessage": "draft was given a result"}
    serve(api, found)
    keep(api, number=2)
    assert main(["get", "notes"]) == 0
    head, *rows = [
        line for line in capsys.readouterr().out.splitlines() if "draft" in line or "NODE" in line
    ]
    assert "ROUND 2" in head
    assert "Reused" in rows[0]
    assert main(["trace", "notes"]) == 0
    printed = capsys.readouterr().out
    assert "Rerun: draft was given a result" in printed
    assert "chat gpt" in printed, "the trace of an attempt of round 1 is found in round 2"
    assert main(["get", "notes", "-o", "json"]) == 0
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    assert [node.get("disposition") for node in nodes] == ["Reused", "Rerun", None]
    assert {attempt["round"] for attempt in nodes[0]["attempts"]} == {1}


def test_nodes_of_finally_stand_apart(api: Api, capsys: Captured) -> None:
    verdict = {"phase": "Failed", "reason": "NodeError", "message": "draft failed", "at": at(20)}
    found = run(stage="Finalizing", verdict=verdict)
    found["spec"]["finally"] = [{"name": "clean", "python": {"source": "..."}}]
    clean = {"path": "clean", "phase": "Running", "stage": "Finalizing"}
    found["status"]["nodes"].append(clean)
    serve(api, found)
    keep(api, number=2)
    assert main(["get", "notes"]) == 0
    printed = capsys.readouterr().out
    assert "finally  runs after Failed (NodeError)" in printed
    lines = [line.split()[0] for line in printed.splitlines() if line][-3:]
    assert lines == ["publish", "finally:", "clean"]
    assert main(["trace", "notes"]) == 0
    *_, group, node = [
        line.rstrip() for line in capsys.readouterr().out.splitlines() if "──" in line
    ]
    assert (group, node) == ("└── finally", "    └── clean  python  Running")
    assert main(["get", "notes", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["stage"], document["verdict"]) == ("Finalizing", verdict)
    assert [node.get("stage") for node in document["nodes"]] == [None] * 3 + ["Finalizing"]


def test_compensations_stand_apart(api: Api, capsys: Captured) -> None:
    verdict = {"phase": "Failed", "reason": "NodeError", "message": "draft failed", "at": at(20)}
    found = run(stage="Compensating", verdict=verdict)
    name = found["spec"]["nodes"][0]["name"]
    found["spec"]["nodes"][0]["compensate"] = {"http": {"url": "https://x.example"}}
    found["spec"]["nodes"][1]["compensate"] = {"python": {"source": "..."}}  # not needed
    undo = {"path": f"{name}/compensate", "phase": "Running", "stage": "Compensating"}
    found["status"]["nodes"].append(undo)
    text = "not undone: draft"
    failed = {"type": "CompensationSucceeded", "status": "False", "reason": "CompensationFailed"}
    failed |= {"message": text, "lastTransitionTime": at(20)}
    found["status"].setdefault("conditions", []).append(failed)
    serve(api, found)
    keep(api, number=2)
    assert main(["get", "notes"]) == 0
    printed = capsys.readouterr().out
    assert "undo     runs after Failed (NodeError)" in printed
    assert f"undo     {text}" in printed
    lines = [line.split()[0] for line in printed.splitlines() if line][-3:]
    assert lines == ["publish", "compensation:", f"{name}/compensate"]
    assert main(["get", "notes", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["nodes"][-1]["stage"] == "Compensating"
    assert document["nodes"][-1]["kind"] == "http"
    assert document["compensation"] == text


def test_traces_without_the_right_to_read_them(api: Api, capsys: Captured) -> None:
    serve(api, run())
    name = ref(2).record_name("Trace")
    path = f"{GROUP}/namespaces/{NAMESPACE}/noderecords/{name}"
    api.refuse(path, status=403, message="ann cannot get noderecords")
    assert "role waypost-view-payloads grants it" in load(api, capsys)[1]["note"]


def test_where_the_time_before_an_attempt_went(api: Api, capsys: Captured) -> None:
    found = run()
    found["status"]["nodes"][0]["attempts"][1]["launchedAt"] = at(5)
    serve(api, found)
    pod = {
        "metadata": {
            "name": "p",
            "uid": "p",
            "creationTimestamp": at(6),
            "labels": {"waypost.dev/run": "uid-1", "waypost.dev/attempt": "2"},
            "annotations": {"waypost.dev/path": "draft"},
        },
    }
    pull = {"reason": "Pulling", "firstTimestamp": at(7), "involvedObject": {"uid": "p"}}
    pulled = {**pull, "reason": "Pulled", "firstTimestamp": at(9)}
    api.items(f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    api.items(f"/api/v1/namespaces/{NAMESPACE}/events", pull, pulled)
    assert main(["trace", "notes"]) == 0
    expected = "queued 5.0s (queue 1.0s, startup 1.0s, pull 2.0s, startup 1.0s)"
    assert expected in capsys.readouterr().out
