"""`waypost deliveries`: what webhooks have delivered, what a request would become, and replay."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE

Captured = pytest.CaptureFixture[str]
FOLDER = f"{GROUP}/namespaces/{NAMESPACE}"
EVENTS = f"{FOLDER}/workflowevents"
RUNS = f"{FOLDER}/agentworkflows"

SOURCE: dict[str, Any] = {
    "apiVersion": "waypost.dev/v1alpha1",
    "kind": "EventSource",
    "metadata": {"name": "github", "namespace": NAMESPACE},
    "spec": {
        "auth": {"hmac": {"preset": "GitHub", "secrets": [{"name": "hook", "key": "secret"}]}},
        "headers": ["x-github-event"],
        "schema": {"type": "object", "required": ["number"]},
        "rules": [
            {
                "when": "${headers['x-github-event'] == 'issues'}",
                "start": {
                    "templateRef": {"name": "triage"},
                    "inputs": {"issue": "${body.number}"},
                },
            },
            {
                "when": "${body.number > 0}",
                "event": {
                    "name": "pull-request",
                    "key": "#${body.number}",
                    "payload": {"by": "${body.sender}"},
                },
            },
        ],
    },
}


def event(name: str, created: str, **fields: Any) -> dict[str, Any]:
    origin = {"name": "github", "id": f"id-of-{name}"}
    metadata = {"name": name, "namespace": NAMESPACE, "creationTimestamp": created}
    spec = {"name": "pull-request", "key": "#7", "source": origin, **fields.pop("spec", {})}
    return {"metadata": metadata, "spec": spec, **fields}


TAKEN = event(
    "github-1",
    "2026-11-01T00:00:00Z",
    spec={"payload": {"by": "ann"}},
    status={"phase": "Consumed", "claim": {"run": "merge-1", "path": "reviewed", "wait": 1}},
)
STARTED = event(
    "github-2",
    "2026-11-02T00:00:00Z",
    spec={
        "name": "github",
        "key": None,
        "start": {"templateRef": {"name": "triage"}, "inputs": {"issue": 3}},
    },
    status={"phase": "Consumed", "start": {"run": "triage-9"}},
)
REFUSED = event(
    "stripe-1",
    "2026-11-03T00:00:00Z",
    spec={"source": {"name": "stripe", "id": "evt_1"}},
    status={"phase": "Refused", "message": "template x does not list the source\x1b[31m"},
)
SENT = {"metadata": {"name": "by-hand"}, "spec": {"name": "paid", "key": "1"}}


def test_the_list_has_the_newest_first(api: Api, capsys: Captured) -> None:
    api.items(EVENTS, TAKEN, SENT, STARTED, REFUSED)
    assert main(["deliveries"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["NAME", "SOURCE", "WHAT", "KEY"]
    assert [row.split()[0] for row in rows] == ["stripe-1", "github-2", "github-1"]
    assert "starts triage" in rows[1]
    assert "triage-9" in rows[1]
    assert rows[2].split()[3:7] == ["#7", "Consumed", "merge-1", "reviewed"]
    assert "\x1b" not in rows[0]


def test_the_list_of_a_source(api: Api, capsys: Captured) -> None:
    api.items(EVENTS, TAKEN, STARTED, REFUSED)
    assert main(["deliveries", "--source", "github", "--limit", "1", "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["items"]
    assert (row["name"], row["template"], row["id"]) == ("github-2", "triage", "id-of-github-2")
    assert main(["deliveries", "--source", "none"]) == 0
    assert capsys.readouterr().err == "no deliveries\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "source.yaml").write_text(yaml.safe_dump(SOURCE))
    (tmp_path / "body.json").write_text('{"number": 7, "sender": "ann"}')
    return tmp_path


@pytest.mark.parametrize(
    ("headers", "body", "code", "says"),
    [
        pytest.param(
            ["X-GitHub-Event: issues"],
            None,
            0,
            ["rule     rules[0]", "starts   a run of template triage", 'inputs   {"issue": 7}'],
            id="start",
        ),
        pytest.param(
            ["x-github-event: push"],
            None,
            0,
            ["rules[1]", "event    pull-request", "key      #7", 'payload  {"by": "ann"}'],
            id="event",
        ),
        pytest.param(
            [], '{"number": 0}', 1, ["no rule applies: the sender gets 200"], id="no-rule"
        ),
        pytest.param([], "{}", 1, ["refused with 422", "field    schema", "$"], id="schema"),
        pytest.param(
            [], '{"number": 7}', 1, ["refused with 422", "rules[1].event.payload.by"], id="rule"
        ),
        pytest.param([], "{", 1, ["refused with 400: the body is not I-JSON"], id="not-json"),
        pytest.param(
            ["Content-Type: text/plain"], None, 1, ["refused with 415"], id="content-type"
        ),
    ],
)
def test_what_a_request_would_become(
    files: Path, capsys: Captured, headers: list[str], body: str | None, code: int, says: list[str]
) -> None:
    """It needs no cluster."""
    if body is not None:
        (files / "body.json").write_text(body)
    given = [part for header in headers for part in ("-H", header)]
    command = ["deliveries", "test", f"{files}/body.json", "-f", f"{files}/source.yaml", *given]
    assert main(command) == code
    printed = capsys.readouterr().out
    assert [text for text in says if text not in printed] == []


def test_a_source_of_the_cluster(
    api: Api, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(f"{FOLDER}/eventsources/github", SOURCE)

    class Given:
        buffer = io.BytesIO(b'{"number": 7, "sender": "ann"}')

    monkeypatch.setattr("sys.stdin", Given())
    assert main(["deliveries", "test", "-", "--source", "github", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["result"] == "Event"
    assert found["event"]["spec"]["source"] == {"name": "github", "id": found["id"]}
    assert api.created == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["BODY"], Exit.USAGE, "--source or --filename", id="no-source"),
        pytest.param(["gone", "-f", "SOURCE"], Exit.USAGE, "No such file", id="no-body"),
        pytest.param(["BODY", "-f", "gone"], Exit.USAGE, "No such file", id="no-manifest"),
        pytest.param(["BODY", "-f", "BODY"], Exit.USAGE, "found 0", id="no-source-in-it"),
        pytest.param(
            ["BODY", "-f", "SOURCE", "--source", "x"], Exit.USAGE, "EventSource x", id="other-name"
        ),
        pytest.param(
            ["BODY", "-f", "SOURCE", "-H", "x"], Exit.USAGE, "expected NAME: VALUE", id="header"
        ),
        pytest.param(["BODY", "-f", "BROKEN"], 1, "github is not valid", id="invalid"),
    ],
)
def test_usage(files: Path, capsys: Captured, arguments: list[str], code: int, says: str) -> None:
    broken = {**SOURCE, "spec": {**SOURCE["spec"], "rules": [{"when": "${body.}"}]}}
    (files / "broken.yaml").write_text(yaml.safe_dump(broken))
    named = {"BODY": "body.json", "SOURCE": "source.yaml", "BROKEN": "broken.yaml"}
    given = [f"{files}/{named[one]}" if one in named else one for one in arguments]
    assert main(["deliveries", "test", *given]) == code
    assert says in capsys.readouterr().err


def test_an_event_is_sent_again(api: Api, capsys: Captured) -> None:
    """It is an event of the person: only the ingress sets its source."""
    api.put(f"{EVENTS}/github-1", TAKEN)
    assert main(["deliveries", "replay", "github-1"]) == 0
    (created,) = [body for path, body in api.created if path == EVENTS]
    assert created["spec"] == {"name": "pull-request", "key": "#7", "payload": {"by": "ann"}}
    assert created["metadata"] == {"generateName": "github-1-replay-"}
    assert "is created in namespace here" in capsys.readouterr().out


def test_a_run_is_started_again(api: Api, capsys: Captured) -> None:
    api.put(f"{EVENTS}/github-2", STARTED)
    api.put(f"{FOLDER}/agentworkflowtemplates/triage", {"metadata": {"name": "triage"}})
    assert main(["deliveries", "replay", "github-2", "-o", "name"]) == 0
    (created,) = [body for path, body in api.created if path == RUNS]
    assert created["metadata"] == {"generateName": "triage-"}
    assert created["spec"]["templateRef"] == {"name": "triage"}
    assert created["spec"]["inputs"] == {"issue": 3}
    assert capsys.readouterr().out.startswith("agentworkflow.waypost.dev/")


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        pytest.param("gone", Exit.NOT_FOUND, "no WorkflowEvent 'gone'", id="deleted"),
        pytest.param("by-hand", 1, "use `waypost send`", id="not-of-a-source"),
    ],
)
def test_what_is_not_replayed(api: Api, capsys: Captured, name: str, code: int, says: str) -> None:
    api.put(f"{EVENTS}/by-hand", SENT)
    assert main(["deliveries", "replay", name]) == code
    assert says in capsys.readouterr().err
    assert api.created == []
