"""The ingress of the chart: signed requests become events and runs, strangers get nothing."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from e2e.suite.build import Obj, workflow
from e2e.suite.forwarding import forwarded
from e2e.suite.kube import ApiError, Kube
from e2e.suite.operators import NAMESPACE, RELEASE, Operator
from e2e.suite.people import Person
from e2e.suite.space import Run, Space, condition
from e2e.suite.waiting import until

SECRET = "It's a Secret to Everybody"
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def address(kube: Kube, operator: Operator) -> Iterator[str]:
    with forwarded(kube, f"{RELEASE}-ingress") as found:
        yield found


@pytest.fixture(scope="module")
def granted(space: Space) -> None:
    """The secret of the sender, which the ingress may read, as docs/webhooks.md says."""
    given = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "github-webhook"}}
    space.create("secrets", {**given, "stringData": {"secret": SECRET}})
    space.kubectl(
        *("create", "role", "waypost-ingress-keys"),
        *("--verb=get", "--resource=secrets", "--resource-name=github-webhook"),
    )
    account = f"{NAMESPACE}:{RELEASE}-ingress"
    space.kubectl(
        *("create", "rolebinding", "waypost-ingress-keys"),
        *("--role=waypost-ingress-keys", f"--serviceaccount={account}"),
    )


def source(space: Space, name: str, *rules: Obj) -> None:
    """An EventSource of GitHub, once the operator has accepted it."""
    secrets = [{"name": "github-webhook", "key": "secret"}]
    fields = {
        "auth": {"hmac": {"preset": "GitHub", "secrets": secrets}},
        "headers": ["x-github-event"],
        "schema": {"type": "object", "required": ["number"]},
        "rules": list(rules),
    }
    manifest = {"apiVersion": "waypost.dev/v1alpha1", "kind": "EventSource"}
    space.create("eventsources", {**manifest, "metadata": {"name": name}, "spec": fields})

    def accepted() -> bool:
        seen = space.get("eventsources", name) or {}
        return condition(seen, "Accepted").get("status") == "True"

    until(accepted, within=30, what=f"EventSource {name} is accepted")


def ask(address: str, space: Space, name: str, body: Obj, *, secret: str = SECRET) -> Any:
    """Status and answer of a request that is signed with a secret."""
    content = json.dumps(body).encode()
    signature = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "pull_request",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    request = Request(f"{address}/v1/events/{space.name}/{name}", content, headers)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def known(address: str, space: Space, name: str) -> None:
    """Wait until the ingress has the source and its secret. The request is not valid, so that it
    makes no event."""
    until(
        lambda: ask(address, space, name, {})[0] == 422,
        within=30,
        what=f"the ingress knows {name}",
        seen=lambda: ask(address, space, name, {}),
        poll=0.5,
    )


def test_s670_a_signed_request_is_the_event_that_a_run_waits_for(
    space: Space, address: str, granted: None
) -> None:
    event = {"name": "closed", "key": "${string(body.number)}", "payload": {"n": "${body.number}"}}
    source(
        space, "pulls", {"when": "${headers['x-github-event'] == 'pull_request'}", "event": event}
    )
    block = {"names": ["closed"], "key": "7"}
    run = space.start(
        workflow("review")
        .node("closed", event=block)
        .having(outputs={"got": "${nodes.closed.output}"})
    )
    run.reaches("closed", "Waiting")
    known(address, space, "pulls")
    assert ask(address, space, "pulls", {"number": 7}, secret="of a stranger")[0] == 401
    assert not space.all("workflowevents")
    assert ask(address, space, "pulls", {"number": 7})[0] == 202
    assert ask(address, space, "pulls", {"number": 7})[0] == 200, "the same request once more"
    assert run.succeeded()["status"]["outputs"]["got"]["payload"] == {"n": 7}
    assert len(space.all("workflowevents")) == 1


def test_s597_a_request_starts_one_run_of_a_template_that_lists_the_source(
    space: Space, address: str, granted: None, people: dict[str, Person]
) -> None:
    shape = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    nodes = workflow("triage").python("work", "return n + 1", inputs={"n": "${inputs.n}"})
    for name, triggers in (("triage", [{"eventSource": "issues"}]), ("closed-to-all", [])):
        template = nodes.manifest()
        template["kind"], template["metadata"] = "AgentWorkflowTemplate", {"name": name}
        template["spec"] |= {"inputSchema": shape} | ({"triggers": triggers} if triggers else {})
        space.create("agentworkflowtemplates", template)

    def start(name: str) -> Obj:
        return {"templateRef": {"name": name}, "inputs": {"n": "${body.number}"}}

    source(
        space,
        "issues",
        {"when": "${body.number == 8}", "start": start("closed-to-all")},
        {"start": start("triage")},
    )
    known(address, space, "issues")
    assert [ask(address, space, "issues", {"number": 7})[0] for _ in range(3)] == [202, 200, 200]
    label = "waypost.dev/event-source=issues"
    (made,) = until(
        lambda: space.all("agentworkflows", label), within=30, what="the run is created"
    )
    run = Run(space, made["metadata"]["name"], made["metadata"]["uid"])
    run.succeeded()
    assert run.node("work")["output"] == 8
    assert ask(address, space, "issues", {"number": 8})[0] == 202

    def refused() -> list[str]:
        events = space.all("workflowevents")
        states = [event.get("status", {}) for event in events]
        return [state["message"] for state in states if state.get("phase") == "Refused"]

    (message,) = until(refused, within=30, what="the event is refused")
    assert "closed-to-all" in message
    assert "spec.triggers" in message
    assert len(space.all("agentworkflows", label)) == 1
    replays(space, people["dana"], run)


def replays(space: Space, person: Person, run: Run) -> None:
    """A person sees what was delivered, and starts the run again."""
    where = ("-n", space.name)
    listed = person.reads("deliveries", "--source", "issues", *where, "-o", "json")
    rows = {row["phase"]: row for row in json.loads(listed)["items"]}
    assert rows.keys() == {"Consumed", "Refused"}
    assert rows["Consumed"]["run"] == run.name
    name = person.reads("deliveries", "replay", rows["Consumed"]["name"], *where, "-o", "name")
    again = name.strip().partition("/")[2]
    uid = (space.get("agentworkflows", again) or {})["metadata"]["uid"]
    second = Run(space, again, uid)
    second.succeeded()
    assert second.node("work")["output"] == 8


def test_s674_a_person_cannot_send_an_event_in_the_name_of_a_source(space: Space) -> None:
    body = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "WorkflowEvent",
        "metadata": {"name": "forged"},
        "spec": {"name": "closed", "key": "7", "source": {"name": "pulls", "id": "1"}},
    }
    with pytest.raises(ApiError, match="only the ingress of Waypost sets it"):
        space.create("workflowevents", body)
