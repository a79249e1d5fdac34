"""The http node against a real server: what is sent, what comes of an answer, what is repeated."""

import base64
import gzip
import json
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_node.http import node

from tests.runner.servers import Reply, serving
from tests.support.certificates import self_signed

CANARY = 'canary-5e1f/+="s3cret'
JSON = (("Content-Type", "application/json"),)
TEXT = (("Content-Type", "text/plain; charset=utf-8"),)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "FIRST_WAIT", 0.01)


def asking(url: str, **http: Any) -> Request:
    return Request(
        run_name="run",
        namespace="default",
        run_uid="u",
        path="fetch",
        kind="http",
        round=1,
        attempt=1,
        fingerprint="f",
        idempotency_key="stable-key",
        timeout_seconds=60,
        traceparent=None,
        inputs={},
        input_schema=None,
        output_schema=None,
        http={"url": url, **http},
    )


def perform(url: str, *, seconds: float = 60, **http: Any) -> WorkResult:
    return node.perform(asking(url, **http), deadline=time.monotonic() + seconds)


def fail(url: str, *, seconds: float = 60, **http: Any) -> WorkFailed:
    with pytest.raises(WorkFailed) as caught:
        perform(url, seconds=seconds, **http)
    return caught.value


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(CANARY + "\n")
    return str(path)


@pytest.fixture
def user(tmp_path: Path) -> str:
    path = tmp_path / "user"
    path.write_text("ann")
    return str(path)


@pytest.mark.parametrize(
    ("http", "target", "headers", "body", "reason"),
    [
        pytest.param(
            {"query": {"q": "a&b=c d/ü", "n": "1"}},
            "/v1?q=a%26b%3Dc+d%2F%C3%BC&n=1",
            {"accept": "*/*", "user-agent": "waypost"},
            b"",
            "query values are percent-encoded",
            id="query",
        ),
        pytest.param(
            {"method": "POST", "body": {"b": 1, "a": ["ü", None]}},
            "/v1",
            {"content-type": "application/json", "idempotency-key": "stable-key"},
            '{"a":["ü",null],"b":1}'.encode(),
            "anything but text is sent as JSON, and a repetition can be recognised",
            id="json",
        ),
        pytest.param(
            {"method": "PUT", "body": "plain ü"},
            "/v1",
            {"content-type": "text/plain; charset=utf-8"},
            "plain ü".encode(),
            "text is sent as it is",
            id="text",
        ),
        pytest.param(
            {
                "method": "POST",
                "body": "<a/>",
                "headers": [
                    {"name": "content-type", "value": "application/xml"},
                    {"name": "Idempotency-Key", "value": "mine"},
                    {"name": "User-Agent", "value": "me"},
                ],
            },
            "/v1",
            {"content-type": "application/xml", "idempotency-key": "mine", "user-agent": "me"},
            b"<a/>",
            "what the user says stands",
            id="own-headers",
        ),
        pytest.param(
            {"method": "POST", "body": None},
            "/v1",
            {"content-type": "application/json"},
            b"null",
            "null is a JSON value",
            id="null",
        ),
    ],
)
def test_what_is_sent(
    http: dict[str, Any], target: str, headers: dict[str, str], body: bytes, reason: str
) -> None:
    with serving(Reply()) as server:
        perform(f"{server.url}/v1", **http)
    [asked] = server.asked
    assert (asked.target, asked.body) == (target, body), reason
    assert asked.headers.items() >= headers.items(), reason


def test_a_get_needs_no_idempotency_key() -> None:
    with serving(Reply()) as server:
        perform(server.url)
    assert "idempotency-key" not in server.asked[0].headers


def test_query_joins_what_the_url_has() -> None:
    with serving(Reply()) as server:
        perform(f"{server.url}/a b?x=1", query={"y": "2"})
    assert server.asked[0].target == "/a%20b?x=1&y=2"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("bearer", f"Bearer {CANARY}", id="bearer"),
        pytest.param(
            "basic", "Basic " + base64.b64encode(f"ann:{CANARY}".encode()).decode(), id="basic"
        ),
        pytest.param("header", CANARY, id="header"),
    ],
)
def test_secrets_come_from_files(kind: str, expected: str, secret: str, user: str) -> None:
    forms: dict[str, dict[str, Any]] = {
        "bearer": {"auth": {"bearerFile": secret}},
        "basic": {"auth": {"usernameFile": user, "passwordFile": secret}},
        "header": {"headers": [{"name": "Authorization", "file": secret}]},
    }
    with serving(Reply()) as server:
        perform(server.url, **forms[kind])
    assert server.asked[0].headers["authorization"] == expected


@pytest.mark.parametrize(
    ("reply", "http", "output", "reason"),
    [
        pytest.param(Reply(body=b'{"n": 1}'), {}, {"n": 1}, "JSON is parsed", id="json"),
        pytest.param(
            Reply(body=b"[1]", headers=(("Content-Type", "application/problem+json"),)),
            {},
            [1],
            "so is what is called JSON in other words",
            id="plus-json",
        ),
        pytest.param(Reply(body="ü".encode(), headers=TEXT), {}, "ü", "text is text", id="text"),
        pytest.param(Reply(body=b'"a\\u0000b"'), {}, "a\0b", "NUL is JSON", id="nul-in-json"),
        pytest.param(Reply(body=b"a\0b", headers=TEXT), {}, "a\0b", "and text", id="nul-in-text"),
        pytest.param(
            Reply(body=b"\xfc", headers=(("Content-Type", "text/plain; charset=latin-1"),)),
            {},
            "ü",
            "in the server's own encoding",
            id="latin-1",
        ),
        *(
            pytest.param(
                Reply(
                    body="ü".encode(), headers=(("Content-Type", f"text/plain; charset={name}"),)
                ),
                {},
                "ü",
                "an encoding that cannot be used is UTF-8",
                id=f"charset-{name}",
            )
            for name in ("no-such", "idna", "hex", "punycode", "undefined", "unicode_escape")
        ),
        pytest.param(Reply(204, b""), {}, None, "nothing is null", id="nothing"),
        pytest.param(Reply(body=b'{"n": 1}'), {"method": "HEAD"}, None, "as for HEAD", id="head"),
        pytest.param(
            Reply(404, b'{"gone": true}'),
            {"successCodes": [200, 404]},
            {"gone": True},
            "a code that is named is a success",
            id="success-code",
        ),
        pytest.param(
            Reply(302, b'"there"', (*JSON, ("Location", "http://elsewhere.test/"))),
            {"successCodes": [302]},
            "there",
            "a redirect too",
            id="redirect-as-success",
        ),
        pytest.param(
            Reply(body=gzip.compress(b'{"z": 1}'), headers=(*JSON, ("Content-Encoding", "gzip"))),
            {},
            {"z": 1},
            "compression is the connection's business",
            id="gzip",
        ),
        pytest.param(
            Reply(body=b'{"id": "a"}'),
            {"responseSchema": {"type": "object", "required": ["id"]}},
            {"id": "a"},
            "responseSchema types the body",
            id="schema",
        ),
        *(
            pytest.param(
                Reply(body=b'{"id": "a"}', headers=(("Content-Type", name),) if name else ()),
                {"responseSchema": {"type": "object", "required": ["id"]}},
                {"id": "a"},
                "the schema says that it is JSON",
                id=f"S665-schema-{name or 'no-type'}",
            )
            for name in ("text/plain", "text/html", "text/javascript", "json", "")
        ),
        pytest.param(
            Reply(body=b'{"n": 1}', headers=TEXT), {}, '{"n": 1}', "else it is text", id="no-schema"
        ),
        pytest.param(
            Reply(body=b'{"n": 1}', headers=TEXT),
            {"responseSchema": {"type": "string"}},
            '{"n": 1}',
            "so it is if the schema says text",
            id="S665-schema-of-text",
        ),
        pytest.param(
            Reply(body=b"[1]", headers=(("Content-Type", "text/json"),)),
            {},
            [1],
            "an old name",
            id="S665-text-json",
        ),
        pytest.param(
            Reply(
                body=b'{"a": "\xe9"}',
                headers=(("Content-Type", "application/json; charset=iso-8859-1"),),
            ),
            {},
            {"a": "é"},
            "the service says how it is written",
            id="S665-json-in-another-charset",
        ),
        pytest.param(Reply(body=b" \n"), {}, None, "nothing but blanks is null", id="blank-json"),
        pytest.param(
            Reply(body=b"\xef\xbb\xbfa,b\n1,2", headers=(("Content-Type", "text/csv"),)),
            {},
            "a,b\n1,2",
            "a mark is no part of the first name of a table",
            id="S665-mark-before-text",
        ),
    ],
)
def test_the_body_of_an_answer(
    reply: Reply, http: dict[str, Any], output: Any, reason: str
) -> None:
    with serving(reply) as server:
        result = perform(server.url, **http)
    assert result.output["body"] == output, reason
    assert result.output["status"] == reply.status, reason


BIG = 7615917337495251231
AS_TEXT: dict[str, Any] = {"bigIntegers": "AsText"}
IDS = {"type": "array", "items": {"properties": {"id": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("body", "http", "output"),
    [
        pytest.param(f'{{"id": {BIG}, "n": 3}}', {}, {"id": str(BIG), "n": 3}, id="no-schema"),
        pytest.param(f"[{-BIG}]", {}, [str(-BIG)], id="negative"),
        pytest.param(str(BIG), {}, str(BIG), id="whole-body"),
        pytest.param("9007199254740991", {}, 2**53 - 1, id="largest-safe"),
        pytest.param("9007199254740992", {}, "9007199254740992", id="first-unsafe"),
        pytest.param("-9007199254740992", {}, "-9007199254740992", id="first-unsafe-negative"),
        pytest.param("9" * 5000, {}, "9" * 5000, id="more-digits-than-python-takes"),
        pytest.param(
            f'[{{"id": {BIG}}}, {{"id": 7}}]',
            {"responseSchema": IDS},
            [{"id": str(BIG)}, {"id": "7"}],
            id="a-small-id-is-text-where-the-schema-takes-a-string",
        ),
        pytest.param(
            "7",
            {"responseSchema": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "7",
            id="nullable-id",
        ),
        pytest.param(
            '[{"id": 7}, {"id": 8}]',
            {"responseSchema": {"items": {"properties": {"id": {"type": ["string", "integer"]}}}}},
            [{"id": 7}, {"id": 8}],
            id="an-integer-that-is-allowed-stays",
        ),
    ],
)
def test_integers_beyond_2_53_as_text(body: str, http: dict[str, Any], output: Any) -> None:
    with serving(Reply(body=body.encode())) as server:
        assert perform(server.url, **AS_TEXT, **http).output["body"] == output


@pytest.mark.parametrize(
    ("body", "http", "fragment"),
    [
        pytest.param(
            f'{{"id": {BIG}}}',
            {},
            "$.id: an integer beyond 2^53 loses digits in JSON; use a string; set "
            "http.bigIntegers: AsText",
            id="the-way-out-is-named",
        ),
        pytest.param(
            '{"id": 7, "n": 1}',
            {
                **AS_TEXT,
                "responseSchema": {
                    "properties": {"id": {"type": "string"}, "n": {"type": "integer", "minimum": 2}}
                },
            },
            "$.n: expected at least 2, found 1 (integer)",
            id="an-integer-that-is-wrong-is-shown-as-sent",
        ),
        pytest.param(
            str(BIG),
            {**AS_TEXT, "responseSchema": {"type": "integer"}},
            f"expected integer, found '{BIG}' (string)",
            id="an-integer-is-asked-for",
        ),
        pytest.param("7.615917337495251231e18", AS_TEXT, "a number beyond 2^53", id="no-integer"),
    ],
)
def test_big_integers_that_are_refused(body: str, http: dict[str, Any], fragment: str) -> None:
    with serving(Reply(body=body.encode())) as server:
        failed = fail(server.url, **http)
    assert failed.reason == Reason.OUTPUT_INVALID
    assert fragment in failed.message


def test_headers_of_an_answer_are_lower_case_and_joined() -> None:
    headers = (*JSON, ("X-Page", "1"), ("X-Page", "2"), ("Set-Cookie", "session=key"))
    with serving(Reply(headers=headers)) as server:
        found = perform(server.url).output["headers"]
    assert found["x-page"] == "1, 2"
    assert "set-cookie" not in found, "a session's key has no business in a status"


@pytest.mark.parametrize(
    ("reply", "http", "expected", "fragment", "reason"),
    [
        pytest.param(
            Reply(404, b"no such\ncustomer", TEXT),
            {},
            Reason.NODE_ERROR,
            "404 Not Found: no such customer",
            "other codes are the node's error, with status and first bytes",
            id="404",
        ),
        pytest.param(
            Reply(400, b"x" * 5000, TEXT),
            {},
            Reason.NODE_ERROR,
            "x" * 500,
            "the first bytes only",
            id="long-error",
        ),
        pytest.param(
            Reply(200),
            {"successCodes": [201]},
            Reason.NODE_ERROR,
            "200 OK",
            "a code that is not named is none",
            id="not-a-success-code",
        ),
        pytest.param(
            Reply(body=b'{"id": 7}'),
            {"responseSchema": {"properties": {"id": {"type": "string"}}}},
            Reason.OUTPUT_INVALID,
            "$.id: expected string, found 7",
            "the body is checked where it comes in",
            id="schema",
        ),
        pytest.param(
            Reply(body=b'{"a": 1, "a": 2}'),
            {},
            Reason.OUTPUT_INVALID,
            'the key "a" stands twice',
            "JSON is strict",
            id="twice",
        ),
        pytest.param(
            Reply(body=b"<html>"), {}, Reason.OUTPUT_INVALID, "not JSON", "not JSON", id="no-json"
        ),
        pytest.param(
            Reply(body=b"a;\xe9", headers=(("Content-Type", "text/csv"),)),
            {},
            Reason.OUTPUT_INVALID,
            "(text/csv) is not utf-8 at byte 2; the service must name its charset",
            "a text in a charset that is not named",
            id="S665-charset-not-named",
        ),
        pytest.param(
            Reply(body=b"[" * 5000 + b"]" * 5000),
            {},
            Reason.OUTPUT_INVALID,
            "it is nested too deeply",
            "no words of a library",
            id="deep",
        ),
        pytest.param(
            Reply(body=b"\x89PNG\xff", headers=(("Content-Type", "image/png"),)),
            {},
            Reason.OUTPUT_INVALID,
            "(image/png) is neither JSON nor text",
            "bytes have no JSON form",
            id="binary",
        ),
        pytest.param(
            Reply(body=b'"' + b"x" * 2000 + b'"'),
            {"maxBytes": 1000},
            Reason.OUTPUT_TOO_LARGE,
            "larger than http.maxBytes (1000)",
            "the limit holds",
            id="too-large",
        ),
        pytest.param(
            Reply(body=gzip.compress(b"0" * 10**6), headers=(*JSON, ("Content-Encoding", "gzip"))),
            {"maxBytes": 10_000},
            Reason.OUTPUT_TOO_LARGE,
            "larger than http.maxBytes (10000)",
            "of what it unpacks to",
            id="bomb",
        ),
        pytest.param(
            Reply(302, b"", (("Location", "http://elsewhere.test/x?token=1"),)),
            {},
            Reason.NODE_ERROR,
            "redirect to another host, http://elsewhere.test/,",
            "a redirect to another host is reported, not followed",
            id="other-host",
        ),
        pytest.param(
            Reply(302, b"", (("Location", "/again"),)),
            {},
            Reason.NODE_ERROR,
            "more than 5 redirects",
            "a circle ends",
            id="circle",
        ),
    ],
)
def test_answers_that_are_no_success(
    reply: Reply, http: dict[str, Any], expected: Reason, fragment: str, reason: str
) -> None:
    with serving(reply) as server:
        failed = fail(server.url, **http)
    assert failed.reason == expected, (reason, failed)
    assert fragment in failed.message, reason
    assert len(failed.message) < 1000, reason
    assert failed.message.startswith((f"GET {server.url}", f"HEAD {server.url}")), reason


def test_a_redirect_on_the_same_host_is_followed() -> None:
    with serving(Reply(307, b"", (("Location", "/moved"),)), Reply(body=b"1")) as server:
        assert perform(server.url, method="POST", body={"a": 1}).output["body"] == 1
    first, second = server.asked
    assert (second.method, second.target, second.body) == ("POST", "/moved", first.body)


OK = Reply(body=b'"done"')
LIMITED = Reply(429, b"slow down", TEXT)


@pytest.mark.parametrize(
    ("method", "effect", "replies", "asked", "reason"),
    [
        pytest.param("GET", None, [Reply(500), OK], 2, "a GET is safe", id="get-500"),
        pytest.param("GET", None, [Reply(drop=True), OK], 2, "always", id="get-drop"),
        pytest.param("PUT", None, [Reply(502), OK], 2, "a PUT is idempotent", id="put-502"),
        pytest.param("DELETE", None, [Reply(504), OK], 2, "so is DELETE", id="delete-504"),
        pytest.param("POST", None, [LIMITED, OK], 2, "429 was not acted on", id="post-429"),
        pytest.param("POST", None, [Reply(503), OK], 2, "nor was 503", id="post-503"),
        pytest.param(
            "POST", "idempotent", [Reply(500), OK], 2, "the user knows better", id="post-idempotent"
        ),
        pytest.param(
            "GET", None, [LIMITED, Reply(503), Reply(500), OK], 4, "four tries", id="four"
        ),
    ],
)
def test_what_is_tried_again(
    method: str, effect: str | None, replies: list[Reply], asked: int, reason: str
) -> None:
    http: dict[str, Any] = {"method": method} | ({"effect": effect} if effect else {})
    with serving(*replies) as server:
        result = perform(server.url, **http)
    assert (result.output["body"], len(server.asked)) == ("done", asked), reason
    assert result.usage is not None
    assert result.trace is not None
    assert result.usage.provider_waits == asked - 1
    assert [entry["type"] for entry in result.trace.entries] == ["wait"] * (asked - 1)


@pytest.mark.parametrize(
    ("method", "effect", "replies", "asked", "expected", "reason"),
    [
        pytest.param(
            "POST", None, [Reply(500), OK], 1, Reason.PROVIDER_ERROR, "it may be done", id="post"
        ),
        pytest.param(
            "PATCH", None, [Reply(502), OK], 1, Reason.PROVIDER_ERROR, "as PATCH", id="patch"
        ),
        pytest.param(
            "POST", None, [Reply(drop=True), OK], 1, Reason.PROVIDER_ERROR, "or here", id="drop"
        ),
        pytest.param(
            "PUT", "once", [Reply(500), OK], 1, Reason.PROVIDER_ERROR, "the user says", id="once"
        ),
        pytest.param(
            "GET", None, [Reply(404), OK], 1, Reason.NODE_ERROR, "it stays so", id="get-404"
        ),
        pytest.param(
            "GET", None, [Reply(500)], 4, Reason.PROVIDER_ERROR, "an end to it", id="get-500"
        ),
        pytest.param("GET", None, [LIMITED], 4, Reason.RATE_LIMITED, "to this too", id="get-429"),
    ],
)
def test_what_is_not_tried_again(
    method: str,
    effect: str | None,
    replies: list[Reply],
    asked: int,
    expected: Reason,
    reason: str,
) -> None:
    http: dict[str, Any] = {"method": method} | ({"effect": effect} if effect else {})
    with serving(*replies) as server:
        failed = fail(server.url, **http)
    assert (len(server.asked), failed.reason) == (asked, expected), (reason, failed)
    assert failed.usage is not None
    assert failed.usage.provider_waits == asked - 1, reason


def test_retry_after_is_honoured() -> None:
    limited = Reply(429, b"", (("Retry-After", "1"),))
    with serving(limited, OK) as server:
        began = time.monotonic()
        result = perform(server.url)
    assert time.monotonic() - began >= 1
    assert result.trace is not None
    [wait] = result.trace.entries
    assert (wait["reason"], wait["seconds"]) == ("RateLimited", 1.0)


@pytest.mark.parametrize(
    ("after", "low", "high"),
    [
        pytest.param("120", 120, 120, id="seconds"),
        pytest.param("Fri, 31 Dec 2199 23:59:59 GMT", 10**9, 10**10, id="date"),
        pytest.param("9" * 400, 1e9, 1e9, id="more-than-a-float"),
    ],
)
def test_a_long_wait_is_left_to_the_operator(after: str, low: float, high: float) -> None:
    with serving(Reply(429, b"", (("Retry-After", after),))) as server:
        failed = fail(server.url)
    assert (len(server.asked), failed.reason) == (1, Reason.RATE_LIMITED)
    assert low <= (failed.retry_after or 0) <= high


def test_no_wait_outlives_the_attempt() -> None:
    with serving(Reply(503, b"", (("Retry-After", "3600"),))) as server:
        failed = fail(server.url, seconds=30)
    assert (failed.reason, failed.retry_after) == (Reason.PROVIDER_ERROR, 3600)
    assert failed.usage is not None
    assert failed.usage.provider_waits == 0


def test_a_server_that_hangs_is_a_timeout() -> None:
    with serving(Reply(hang=True)) as server:
        failed = fail(server.url, seconds=1)
    assert (failed.reason, len(server.asked)) == (Reason.TIMEOUT, 1)
    assert "no response within the node's timeout" in failed.message


def test_a_failed_connect_is_tried_again_even_for_a_post() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nothing else takes the port
        failed = fail(f"http://127.0.0.1:{taken.getsockname()[1]}/", method="POST")
    assert failed.reason == Reason.PROVIDER_ERROR
    assert "no connection" in failed.message
    assert "(4 tries)" in failed.message


@pytest.mark.parametrize(
    ("url", "http", "fragment"),
    [
        pytest.param("ftp://a/b", {}, "http.url: expected http", id="scheme"),
        pytest.param("/a", {}, "http.url: expected http", id="no-host"),
        pytest.param("http://ann:pw@a/", {}, "use auth.basic instead", id="userinfo"),
        pytest.param("http://a:b/", {}, "http.url: ", id="port"),
        pytest.param(
            "http://a/",
            {"headers": [{"name": "X", "value": "a\r\nY: b"}]},
            "the value of X has characters",
            id="injected-header",
        ),
        pytest.param(
            "http://a/",
            {"auth": {"bearerFile": "/nowhere"}},
            "cannot read the secret of auth.bearer",
            id="none",
        ),
        pytest.param("http://a/", {"caFile": "/nowhere"}, "contains no certificates", id="ca"),
    ],
)
def test_a_request_that_cannot_be_made_names_the_field(
    url: str, http: dict[str, Any], fragment: str
) -> None:
    failed = fail(url, **http)
    assert failed.reason == Reason.INPUT_INVALID
    assert fragment in failed.message
    assert "pw" not in failed.message


def echo(text: str, *, status: int = 400) -> Reply:
    return Reply(status, json.dumps({"you sent": text}).encode())


@pytest.mark.parametrize(
    "echoed",
    [
        pytest.param(CANARY, id="as-it-is"),
        pytest.param("x" * 474 + CANARY, id="cut-at-the-end-of-what-is-shown"),
        pytest.param(base64.b64encode(f"ann:{CANARY}".encode()).decode(), id="basic"),
    ],
)
def test_no_message_shows_a_secret(
    echoed: str, secret: str, user: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(echo(echoed)) as server:
        failed = fail(server.url, auth={"usernameFile": user, "passwordFile": secret})
    reported = failed.message + json.dumps(failed.trace.to_json() if failed.trace else None)
    shown = reported + "".join(capfd.readouterr())
    for part in (CANARY, CANARY[:8], base64.b64encode(f"ann:{CANARY}".encode()).decode()[:16]):
        assert part not in shown


ESCAPED = "".join(f"\\u{ord(char):04x}" for char in CANARY)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(echo(f"Bearer {CANARY}", status=200), id="body"),
        pytest.param(Reply(body=f'{{"t": "{ESCAPED}"}}'.encode()), id="escaped"),
        pytest.param(Reply(body=f"you sent {CANARY}".encode(), headers=TEXT), id="text"),
        pytest.param(Reply(headers=(*JSON, ("X-Sent", f"Bearer {CANARY}"))), id="header"),
        pytest.param(Reply(body=f"<{CANARY}".encode()), id="no-json"),
    ],
)
def test_an_answer_that_repeats_a_secret_is_no_output(reply: Reply, secret: str) -> None:
    schema = {"type": "object", "maxProperties": 0}  # its violations show what was found
    with serving(reply) as server:
        failed = fail(server.url, auth={"bearerFile": secret}, responseSchema=schema)
    assert failed.reason == Reason.OUTPUT_INVALID
    assert "contains a secret" in failed.message
    assert CANARY[:8] not in failed.message


def test_an_address_shows_no_secret_either(secret: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("key-in-the-path")
    headers = [{"name": "X-Key", "file": str(tmp_path / "key")}]
    with serving(Reply(404)) as server:
        failed = fail(f"{server.url}/v1/key-in-the-path/x", headers=headers)
    assert "key-in-the-path" not in failed.message
    assert "/v1/[redacted]/x" in failed.message


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, ssl.SSLContext]:
    """The CA file of a server on 127.0.0.1, and what it shows."""
    return self_signed(tmp_path)


def test_a_ca_of_ones_own_is_trusted(certificate: tuple[str, ssl.SSLContext]) -> None:
    ca_file, context = certificate
    with serving(OK, tls=context) as server:
        assert perform(server.url, caFile=ca_file).output["body"] == "done"


def test_a_server_that_nobody_vouches_for_is_not_asked(
    certificate: tuple[str, ssl.SSLContext],
) -> None:
    _, context = certificate
    with serving(OK, tls=context) as server:
        failed = fail(server.url)
    assert failed.reason == Reason.PROVIDER_ERROR
    assert "is not trusted; for a private CA set http.tls" in failed.message
    assert "tries" not in failed.message, "it will not be trusted a second later"
    assert server.asked == []
