"""Requests to the ingress: the event that each becomes, or the problem document."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from waypost.api.meta import ANNOTATION_TRACEPARENT
from waypost.ingress.app import build_app
from waypost.ports.cluster import (
    Busy,
    ClusterError,
    Kind,
    Obj,
    QuotaExceeded,
    Rejected,
    Unavailable,
)

from tests.dev.serving import listening
from tests.ingress.place import BEARER, PATH, PUSH, RULE, SECRET, Place, github, hmac_auth, place
from tests.ingress.test_signatures import STANDARD, slack, standard

TOKEN = {"authorization": "Bearer It's a Secret to Everybody"}


def problem(answer: httpx2.Response, status: int, why: str) -> Obj:
    """The problem document of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: Obj = answer.json()
    assert (found["type"], found["status"]) == (f"urn:waypost:problem:{why}", status)
    assert found["title"]
    assert found["detail"]
    return found


async def test_a_signed_request_becomes_an_event() -> None:
    """S670: 202 once the object exists, with its place."""
    async with place() as p:
        p.source()
        answer = await p.post()
        assert answer.status_code == 202
        [event] = p.events()
        name = event["metadata"]["name"]
        assert name.startswith("github-")
        assert answer.json() == {"id": name}
        assert answer.headers["location"] == f"{PATH}/{name}"
        id_ = event["spec"]["source"].pop("id")
        assert id_.startswith("sha256:")
        assert event["spec"] == {
            "name": "push",
            "key": "octo/hello",
            "payload": PUSH,
            "source": {"name": "github"},
        }


@pytest.mark.parametrize("valid", [True, False])
async def test_s752_an_event_names_the_span_of_its_sender(valid: bool) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" if valid else "00-nothing"
    async with place() as p:
        p.source()
        body = json.dumps(PUSH).encode()
        answer = await p.post(body, {**github(body), "traceparent": given})
        assert answer.status_code == 202
        [event] = p.events()
        notes = event["metadata"].get("annotations", {})
        assert notes == ({ANNOTATION_TRACEPARENT: given} if valid else {})


async def test_over_the_network() -> None:
    """S670: a real client, a real socket, GitHub's headers."""
    async with place() as p, listening(build_app(p.ingress)) as url:
        p.source(headers=["x-github-event"], rules=[{**RULE, "when": EVENT_IS_PUSH}])
        body = json.dumps(PUSH).encode()
        headers = {
            **github(body),
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "X-GitHub-Event": "push",
        }
        async with httpx2.AsyncClient(base_url=url) as client:
            answer = await client.post(PATH, content=body, headers=headers)
            assert answer.status_code == 202
            shown = await client.get(answer.headers["location"], headers=github(b""))
            assert shown.json() == {"id": answer.json()["id"], "phase": "Pending"}
            other = {**headers, "X-GitHub-Event": "ping"}
            assert (await client.post(PATH, content=body, headers=other)).json() == {
                "result": "NoRule"
            }
        assert len(p.events()) == 1


EVENT_IS_PUSH = "${headers['x-github-event'] == 'push'}"


async def test_the_same_request_five_times_is_one_event() -> None:
    """S673: at once, and one after another."""
    async with place() as p:
        p.source()
        first = await asyncio.gather(*(p.post() for _ in range(5)))
        assert sorted(answer.status_code for answer in first) == [200, 200, 200, 200, 202]
        assert {answer.text for answer in first} == {first[0].text}
        assert (await p.post()).status_code == 200
        assert len(p.events()) == 1
        assert (await p.post({**PUSH, "after": "other"})).status_code == 202
        assert (p.counted("Created"), p.counted("Known")) == (2, 5)


async def test_another_delivery_id_does_not_make_another_event() -> None:
    """S673: GitHub does not sign its headers, so a replay may have any."""
    async with place() as p:
        p.source(headers=["x-github-delivery"])
        for number in range(3):
            signed = {**github(json.dumps(PUSH).encode()), "x-github-delivery": str(number)}
            await p.post(headers=signed)
        assert len(p.events()) == 1


async def test_two_sources_with_one_id_are_two_events() -> None:
    """S673"""
    async with place() as p:
        p.source()
        p.source("second")
        assert (await p.post()).status_code == 202
        assert (await p.post(path="/v1/events/default/second")).status_code == 202
        assert len(p.events()) == 2


async def test_an_event_of_others_with_this_name_is_not_taken_for_it() -> None:
    """S673: 200 only for an event that is from this source and this id."""
    async with place() as p:
        p.source()
        name = (await p.post()).json()["id"]
        await p.cluster.as_user("test").delete(Kind.WORKFLOW_EVENT, namespace="default", name=name)
        p.put(Kind.WORKFLOW_EVENT, name, spec={"name": "push", "key": "other"})
        problem(await p.post(), 409, "IdTaken")


async def strangers(p: Place) -> AsyncIterator[tuple[str, httpx2.Response]]:
    """Requests whose sender is not known, for one reason each."""
    p.source()
    p.source("unread", auth=hmac_auth("GitHub", "missing"))
    p.source("token", auth=BEARER)
    wrong = github(json.dumps(PUSH).encode(), "another secret")
    yield "wrong signature", await p.post(headers=wrong)
    yield "no signature", await p.post(headers={})
    yield "changed body", await p.post({**PUSH, "a": 1}, github(json.dumps(PUSH).encode()))
    yield "unknown source", await p.post(path="/v1/events/default/none")
    yield "unknown namespace", await p.post(path="/v1/events/none/github")
    yield "odd names", await p.post(path="/v1/events/A%20B/%2e%2e")
    yield "no secret", await p.post(path="/v1/events/default/unread")
    yield "no token", await p.post(path="/v1/events/default/token", headers={})
    yield "state", await p.client.get(f"{PATH}/github-1")


async def test_strangers_learn_nothing() -> None:
    """S674: an unknown source, an unreadable Secret and a wrong signature look the same."""
    async with place() as p:
        texts = set()
        async for cause, answer in strangers(p):
            problem(answer, 401, "UnknownSender")
            assert "event" not in answer.headers, cause
            texts.add(answer.text)
        assert len(texts) == 1
        assert p.events() == []


@pytest.mark.parametrize("known", [True, False], ids=["known", "stranger"])
async def test_the_log_has_the_digest_of_a_body_and_nothing_of_it(
    known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """S674: one line a request, also of one that is refused."""
    caplog.set_level("DEBUG")
    async with place() as p:
        p.source()
        body = json.dumps({**PUSH, "token": "canary-4711"}).encode()
        answer = await p.post(body, github(body) if known else {"authorization": "canary-4712"})
        assert answer.status_code == (202 if known else 401)
    [line] = [one for one in caplog.records if one.getMessage().startswith("request ended")]
    assert line.__dict__["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    said = [f"{one.getMessage()} {one.__dict__}" for one in caplog.records]
    assert not [one for one in said if "canary" in one or SECRET in one]


async def test_an_old_request_is_refused() -> None:
    """S672"""
    async with place() as p:
        p.source(auth=hmac_auth("StandardWebhooks", "whsec"))
        p.cluster.server.update(
            Kind.SECRET, namespace="default", name="hook", change=_with_whsec, by="test"
        )
        body = json.dumps(PUSH).encode()
        now = int(p.clock.now().timestamp())
        problem(await p.post(headers=standard(now - 301, body=body)), 401, "UnknownSender")
        assert (await p.post(headers=standard(now, body=body))).status_code == 202
        [event] = p.events()
        assert event["spec"]["source"]["id"] == "msg_1"


def _with_whsec(secret: Obj) -> None:
    secret["data"]["whsec"] = base64.b64encode(STANDARD.encode()).decode()


async def test_a_large_body() -> None:
    """S675: announced or not."""
    async with place(largest=2048) as p:
        p.source()
        found = problem(await p.post({"repository": "x" * 3000}), 413, "TooLarge")
        assert "2048" in found["detail"]

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1024

        headers = {"content-type": "application/json"}
        answer = await p.client.post(PATH, content=pieces(), headers=headers)
        problem(answer, 413, "TooLarge")
        assert answer.headers["connection"] == "close"


async def test_a_hundred_mebibytes_over_the_network() -> None:
    """S675: the sender announces them, and the ingress holds none of them."""
    async with place() as p, listening(build_app(p.ingress)) as url:
        p.source()

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1024 * 1024

        headers = {"content-type": "application/json", "content-length": str(100 * 1024 * 1024)}
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            answer = await client.post(PATH, content=pieces(), headers=headers)
        problem(answer, 413, "TooLarge")
        assert p.ingress.bodies.in_flight == 0


async def test_a_slow_body() -> None:
    """S675"""
    async with place(seconds=0.05) as p:
        p.source()

        async def never() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        answer = await p.client.post(PATH, content=never(), headers=github(b"{"))
        assert answer.status_code in (408, 503)  # the body's limit, or that of the request
        assert answer.json()["type"].rpartition(":")[2] in ("TooSlow", "Busy")


async def test_too_many_requests() -> None:
    """S676: with the time after which the next one may come; strangers use up nothing."""
    async with place() as p:
        p.source(requestsPerMinute=3)
        for _ in range(10):
            await p.post(headers={})
        for number in range(3):
            assert (await p.post({**PUSH, "after": number})).status_code == 202
        refused = await p.post()
        assert "requestsPerMinute" in problem(refused, 429, "TooManyRequests")["detail"]
        assert refused.headers["retry-after"] == "20"
        p.clock.advance(20)
        assert (await p.post()).status_code == 202
        assert (await p.post()).status_code == 429


async def test_requests_at_the_same_time() -> None:
    """S676"""
    async with place() as p:
        p.source()
        gate = asyncio.Event()
        inner = p.ingress.deliveries.offload

        async def held(work: Any, *args: Any, **kwargs: Any) -> Any:
            await gate.wait()
            return await inner(work, *args, **kwargs)

        object.__setattr__(p.ingress.deliveries, "offload", held)
        waiting = [asyncio.ensure_future(p.post({**PUSH, "after": n})) for n in range(17)]
        refused = (await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))[0]
        [one] = [task.result() for task in refused]
        assert (one.status_code, one.headers["retry-after"]) == (429, "1")
        gate.set()
        answers = await asyncio.gather(*waiting)
        assert sorted(answer.status_code for answer in answers) == [202] * 16 + [429]


CONTENT = [
    pytest.param(b"{", {}, 400, "NotJson", "line 1", id="not-json"),
    pytest.param(b'{"a": 1, "a": 2}', {}, 400, "NotJson", "a", id="key-twice"),
    pytest.param(b"[" * 100 + b"]" * 100, {}, 400, "NotJson", "deep", id="deep"),
    pytest.param(b"[" + b"0," * 100_000 + b"0]", {}, 413, "TooLarge", "values", id="many-values"),
    pytest.param(
        b"payload=%7B%7D",
        {"content-type": "application/x-www-form-urlencoded"},
        415,
        "ContentTypeNotSupported",
        "application/json",
        id="form",
    ),
    pytest.param(
        b"{}", {"content-encoding": "gzip"}, 415, "ContentTypeNotSupported", "Encoding", id="gzip"
    ),
    pytest.param(
        b"[]",
        {"content-type": "application/cloudevents-batch+json"},
        415,
        "ContentTypeNotSupported",
        "separate request",
        id="batch",
    ),
]


@pytest.mark.parametrize(("body", "headers", "status", "why", "says"), CONTENT)
async def test_bodies_that_are_refused(
    body: bytes, headers: dict[str, str], status: int, why: str, says: str
) -> None:
    """S677"""
    async with place() as p:
        p.source()
        sent = {"content-type": "application/json", **github(body), **headers}
        answer = await p.client.post(PATH, content=body, headers=sent)
        assert says in problem(answer, status, why)["detail"]
        assert p.events() == []
        assert p.counted(why) == 1


async def test_a_body_that_does_not_match_the_schema() -> None:
    """S677: the problem document names each path."""
    async with place() as p:
        schema = {
            "type": "object",
            "required": ["repository"],
            "properties": {"commits": {"type": "array", "items": {"type": "string"}}},
        }
        p.source(schema=schema)
        answer = await p.post({"commits": ["a", 7]})
        found = problem(answer, 422, "SchemaMismatch")
        assert found["field"] == "schema"
        assert {one["path"] for one in found["errors"]} == {"$", "$.commits[1]"}
        assert p.events() == []


RULES = [
    pytest.param({"event": {"name": "push", "key": "${body.none}"}}, "rules[0].event.key", id="no"),
    pytest.param({"event": {"name": "two words", "key": "a"}}, None, id="invalid-source"),
    pytest.param({"event": {"name": "${body.after + ' x'}", "key": "a"}}, "event.name", id="name"),
    pytest.param({"event": {"name": "push", "key": "${body.empty}"}}, "event.key", id="empty-key"),
    pytest.param({"when": "${body.after}", **RULE}, "rules[0].when", id="when"),
    pytest.param(
        {"event": {"name": "p", "key": "k", "payload": {"a": "${body.text + body.text}"}}},
        "rules[0].event.payload",
        id="payload",
    ),
    pytest.param(
        {"event": {"name": "p", "key": "k", "payload": {"a": "${body.rows.map(r, body.rows)}"}}},
        "rules[0].event.payload",
        id="costly",
    ),
]


@pytest.mark.parametrize(("rule", "field"), RULES)
async def test_a_rule_that_cannot_use_the_body(rule: Obj, field: str | None) -> None:
    """S678"""
    async with place() as p:
        p.source(rules=[rule])
        rows = [{"n": n, "text": "x" * 20} for n in range(3000)]
        body = {"after": "a", "empty": "", "text": "x" * 9000, "rows": rows}
        answer = await p.post(body)
        if field is None:
            problem(answer, 503, "SourceNotValid")
            assert answer.headers["retry-after"] == "60"
        else:
            assert field in problem(answer, 422, "RuleFailed")["field"]
        assert p.events() == []


async def test_the_first_rule_that_applies() -> None:
    """S678"""
    async with place() as p:
        named = [
            {"when": f"${{body.kind == '{kind}'}}", "event": {"name": name, "key": "k"}}
            for kind, name in (("a", "first"), ("a", "second"), ("b", "third"))
        ]
        p.source(rules=named)
        for kind in ("a", "b", "c"):
            assert (await p.post({"kind": kind})).status_code in (200, 202)
        assert sorted(event["spec"]["name"] for event in p.events()) == ["first", "third"]


async def test_a_header_that_was_not_sent_is_empty() -> None:
    """S678"""
    async with place() as p:
        p.source(headers=["x-github-event"], rules=[{**RULE, "when": EVENT_IS_PUSH}])
        assert (await p.post()).json() == {"result": "NoRule"}
        assert p.counted("NoRule") == 1


CLOUD: Obj = {
    "event": {
        "name": "${headers['ce-type']}",
        "key": "${headers['ce-subject']}",
        "payload": "${body}",
    }
}


async def test_cloud_events_in_both_modes() -> None:
    """S679: the same event in binary and in structured mode has one id."""
    async with place() as p:
        p.source(auth=BEARER, rules=[CLOUD])
        binary = {
            **TOKEN,
            "ce-specversion": "1.0",
            "ce-id": "7",
            "ce-source": "/shop",
            "ce-type": "order.paid",
            "ce-subject": "order-7",
        }
        assert (await p.post({"amount": 7}, binary)).status_code == 202
        whole = {
            "specversion": "1.0",
            "id": "7",
            "source": "/shop",
            "type": "order.paid",
            "subject": "order-7",
            "data": {"amount": 7},
        }
        structured = {**TOKEN, "content-type": "application/cloudevents+json; charset=utf-8"}
        assert (await p.post(whole, structured)).status_code == 200
        [event] = p.events()
        assert event["spec"] == {
            "name": "order.paid",
            "key": "order-7",
            "payload": {"amount": 7},
            "source": {"name": "github", "id": "/shop\n7"},
        }
        problem(
            await p.post({"data_base64": "aGk=", **whole}, structured),
            415,
            "ContentTypeNotSupported",
        )
        problem(await p.post([1], structured), 400, "NotJson")


async def test_ids() -> None:
    """S673: the id of the rule decides, if it has one."""
    async with place() as p:
        p.source(auth=BEARER, rules=[{**RULE, "id": "${body.repository}"}])
        assert (await p.post({"repository": "a", "n": 1}, TOKEN)).status_code == 202
        assert (await p.post({"repository": "a", "n": 2}, TOKEN)).status_code == 200
        problem(await p.post({"repository": ""}, TOKEN), 422, "RuleFailed")
        [event] = p.events()
        assert event["spec"]["source"]["id"] == "a"


async def test_slack_s_question_is_answered() -> None:
    """S671: Slack asks each address to prove that it is the receiver's."""
    async with place() as p:
        p.source(auth=hmac_auth("Slack"))
        body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"}).encode()
        now = int(p.clock.now().timestamp())
        signed = slack(now, secret="It's a Secret to Everybody", body=body)
        answer = await p.post(body, signed)
        assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1aB"})
        problem(await p.post(body, {}), 401, "UnknownSender")
        assert p.events() == []


async def test_a_suspended_source() -> None:
    """S676: the sender tries again."""
    async with place() as p:
        p.source(suspend=True)
        answer = await p.post()
        problem(answer, 503, "SourceSuspended")
        assert answer.headers["retry-after"] == "60"
        problem(await p.post(headers={}), 401, "UnknownSender")


FAILURES = [
    pytest.param(Unavailable("lost"), 503, "Unavailable", id="unavailable"),
    pytest.param(Busy("slow down"), 503, "Unavailable", id="busy"),
    pytest.param(QuotaExceeded("exceeded quota", code=403), 503, "Busy", id="quota"),
    pytest.param(Rejected("denied", code=403), 422, "EventRefused", id="rejected"),
]


@pytest.mark.parametrize(("error", "status", "why"), FAILURES)
async def test_the_api_server_fails(error: ClusterError, status: int, why: str) -> None:
    """S670: no 202 without the object; the text of the API server stays in the log."""
    async with place() as p:
        p.source()
        p.cluster.fail_next("create", Kind.WORKFLOW_EVENT, error)
        answer = await p.post()
        assert str(error) not in problem(answer, status, why)["detail"]
        assert (await p.post()).status_code == 202


async def test_an_answer_that_was_lost() -> None:
    """S673: the object exists, its sender does not know, and sends the request again."""
    async with place() as p:
        p.source()
        lost = Unavailable("lost")
        p.cluster.fail_next("create", Kind.WORKFLOW_EVENT, lost, after_commit=True)
        problem(await p.post(), 503, "Unavailable")
        assert (await p.post()).status_code == 200
        assert len(p.events()) == 1


async def test_other_paths_and_methods() -> None:
    """S670"""
    async with place() as p:
        problem(await p.client.get("/"), 404, "NotFound")
        answer = await p.client.get(PATH)
        problem(answer, 405, "MethodNotAllowed")
        assert answer.headers["allow"] == "POST"
        p.source()
        answer = await p.client.get(f"{PATH}/github-none", headers=github(b""))
        problem(answer, 404, "NotFound")


async def test_strangers_cost_the_api_server_one_list_a_second() -> None:
    """S674"""
    async with place() as p:
        lists = 0
        inner = p.cluster.list

        async def counted(kind: Kind, **more: Any) -> Any:
            nonlocal lists
            lists += 1
            return await inner(kind, **more)

        p.cluster.list = counted  # type: ignore[method-assign]
        for number in range(50):
            await p.post(path=f"/v1/events/default/s{number}")
        assert lists == 1
        p.clock.advance(1)
        p.source()
        assert (await p.post()).status_code == 202, "a new source is found"
        assert lists == 2


async def test_only_the_namespaces_that_are_served() -> None:
    """S674"""
    async with place(namespaces=("other",)) as p:
        p.source()
        problem(await p.post(), 401, "UnknownSender")


async def test_a_source_that_is_deleted_or_changed() -> None:
    """S674: it counts after ten seconds."""
    async with place() as p:
        p.source()
        assert (await p.post()).status_code == 202
        await p.cluster.as_user("test").delete(
            Kind.EVENT_SOURCE, namespace="default", name="github"
        )
        p.clock.advance(10)
        problem(await p.post(), 401, "UnknownSender")
