"""The EventSources of docs/webhooks.md, with the bodies that their senders publish."""

import base64
import json
from collections.abc import Callable
from textwrap import dedent
from typing import Any, Final

import httpx2
import pytest
import yaml
from waypost.ingress.app import build_app
from waypost.ports.cluster import Kind, Obj

from tests.dev.serving import listening
from tests.examples.conftest import ROOT, Shown, shown
from tests.ingress.place import SECRET, Place, github, place
from tests.ingress.test_signatures import stripe

SOURCES: Final[dict[str, Obj]] = {
    example.values[0].manifest["metadata"]["name"]: example.values[0].manifest
    for example in shown()
    if isinstance(example.values[0], Shown) and example.values[0].manifest["kind"] == "EventSource"
}
TOKEN: Final = {"authorization": f"Bearer {SECRET}"}

# docs.github.com, "Webhook events and payloads", shortened.
PULL_REQUEST: Obj = {
    "action": "closed",
    "number": 2,
    "pull_request": {"url": "https://api.github.com/repos/a/b/pulls/2", "merged": True},
    "repository": {"id": 186853002, "full_name": "Codertocat/Hello-World"},
    "sender": {"login": "Codertocat", "id": 21031067},
}
ISSUE: Obj = {
    "action": "opened",
    "issue": {"number": 1, "title": "Spelling error in the README file", "state": "open"},
    "repository": {"full_name": "Codertocat/Hello-World"},
}
# docs.stripe.com/api/events/object, shortened.
PAYMENT: Obj = {
    "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
    "object": "event",
    "api_version": "2019-02-19",
    "created": 1686089970,
    "data": {"object": {"id": "pi_3NG8Du2eZvKYlo2C0", "amount": 2000, "currency": "usd"}},
    "livemode": False,
    "type": "payment_intent.succeeded",
}
# prometheus.io/docs/alerting/latest/configuration, webhook_config.
ALERT: Obj = {
    "version": "4",
    "groupKey": '{}:{alertname="HighLatency"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "waypost",
    "groupLabels": {"alertname": "HighLatency"},
    "commonLabels": {"alertname": "HighLatency", "severity": "page"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighLatency", "instance": "a"},
            "annotations": {},
            "startsAt": "2026-11-30T06:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph",
            "fingerprint": "f1d2",
        }
    ],
}
RESOLVED: Obj = {**ALERT, "status": "resolved"}
# What the payload of the Sensor on the page makes of an event.
UPLOAD: Obj = {"id": "39626", "bucket": "in", "object": "a.csv"}


def signed_by_github(place: Place, body: bytes) -> dict[str, str]:
    return {**github(body), "x-github-event": "pull_request"}


def signed_by_github_issues(place: Place, body: bytes) -> dict[str, str]:
    return {**github(body), "x-github-event": "issues"}


def signed_by_stripe(place: Place, body: bytes) -> dict[str, str]:
    return stripe(int(place.clock.now().timestamp()), secret=SECRET, body=body)


def with_token(place: Place, body: bytes) -> dict[str, str]:
    return TOKEN


CASES = [
    pytest.param(
        "github",
        signed_by_github,
        PULL_REQUEST,
        {
            "name": "pull-request.closed",
            "key": "Codertocat/Hello-World#2",
            "payload": {"merged": True, "by": "Codertocat"},
        },
        id="github",
    ),
    pytest.param(
        "issues",
        signed_by_github_issues,
        ISSUE,
        {
            "name": "issues",
            "start": {
                "templateRef": {"name": "triage"},
                "inputs": {"issue": 1, "title": "Spelling error in the README file"},
            },
        },
        id="github-start",
    ),
    pytest.param(
        "stripe",
        signed_by_stripe,
        PAYMENT,
        {
            "name": "payment_intent.succeeded",
            "key": "pi_3NG8Du2eZvKYlo2C0",
            "payload": {"amount": 2000, "currency": "usd"},
        },
        id="stripe",
    ),
    pytest.param(
        "alertmanager",
        with_token,
        ALERT,
        {
            "name": "alert.firing",
            "key": "HighLatency",
            "payload": {"labels": ALERT["commonLabels"], "count": 1},
        },
        id="alertmanager-firing",
    ),
    pytest.param(
        "alertmanager",
        with_token,
        RESOLVED,
        {"name": "alert.resolved", "key": "HighLatency"},
        id="alertmanager-resolved",
    ),
    pytest.param(
        "argo", with_token, UPLOAD, {"name": "upload", "key": "in/a.csv"}, id="argo-events"
    ),
]


@pytest.mark.parametrize(("name", "sign", "body", "event"), CASES)
async def test_a_published_body_becomes_the_event(
    name: str, sign: Callable[[Place, bytes], dict[str, str]], body: Obj, event: Obj
) -> None:
    """S670, S673: over a real socket, and again, as senders do."""
    manifest = SOURCES[name]
    refs = next(iter(manifest["spec"]["auth"].values()))
    [ref] = refs.get("secrets") or refs["tokens"]
    async with place() as p, listening(build_app(p.ingress)) as url:
        data = {ref["key"]: base64.b64encode(SECRET.encode()).decode()}
        p.put(Kind.SECRET, ref["name"], data=data)
        p.put(Kind.EVENT_SOURCE, name, spec=manifest["spec"])
        sent = json.dumps(body).encode()
        headers = {"content-type": "application/json", **sign(p, sent)}
        async with httpx2.AsyncClient(base_url=url) as client:
            for status in (202, 200, 200):
                path = f"/v1/events/default/{name}"
                answer = await client.post(path, content=sent, headers=headers)
                assert answer.status_code == status, answer.text
        [made] = p.events()
        origin = made["spec"].pop("source")
        assert origin["name"] == name
        assert made["spec"] == event


def test_the_rights_on_the_page_are_those_of_one_secret() -> None:
    """S674"""
    text = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    block = text.split("   ```yaml\n", 1)[1].split("   ```", 1)[0]
    role, binding = list(yaml.safe_load_all(dedent(block)))
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["github-webhook"],
            "verbs": ["get"],
        }
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    account: Any = binding["subjects"][0]
    assert (account["name"], account["namespace"]) == ("waypost-ingress", "waypost-system")
