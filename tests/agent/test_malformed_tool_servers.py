"""MCP servers that misbehave: a call is made once, what it gave reaches the model, and it counts as
unknown where it is, and only there."""

from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed
from waypost_agent.tools import mcp_session, mcp_tools

from tests.agent import mcp_server
from tests.agent.malformed_server import EVENTS, NOTE, OK, SENT, asks, body, call, events, wire
from tests.agent.mcp_server import Body, Error, Http, text
from tests.agent.pods import KEY, entries
from tests.runner.servers import Reply, serving


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_session, "FIRST_WAIT", 0.01)


PICTURE = {"type": "image", "mimeType": "image/png"}
RESULTS = [
    # Answers in another form than the protocol's.
    pytest.param(body('"ID"'), "sent", id="id-as-text"),
    pytest.param(body("999"), "sent", id="id-of-another"),
    pytest.param(body("null"), "sent", id="id-null"),
    pytest.param(body("", '"id":ID,'), "sent", id="no-id"),
    pytest.param(body("", '"jsonrpc":"2.0",'), "sent", id="no-version"),
    pytest.param(Body(f"[{OK}]"), "sent", id="batch"),
    pytest.param(Body(f'[{NOTE},{OK.replace("sent", "x").replace("ID", "7")},{OK}]'), "sent",
                 id="batch-of-three"),
    pytest.param(events(OK.replace("ID", "999")), "sent", id="event-of-another-id"),
    pytest.param(events(NOTE, NOTE, OK), "sent", id="list-changed-on-the-way"),
    pytest.param(events(OK, OK.replace("sent", "again")), "sent", id="answer-twice"),
    # Questions of the server are answered at once.
    *[pytest.param(asks(method), "sent", id=f"asks-{method}") for method in (
        "sampling/createMessage", "elicitation/create", "roots/list", "ping", "nonsense")],
    # Content that is not of the protocol.
    pytest.param({}, "(no content)", id="no-content"),
    pytest.param({"content": None}, "(no content)", id="content-null"),
    pytest.param({"content": "sent"}, "sent", id="content-text"),
    pytest.param({"content": SENT}, "sent", id="content-object"),
    pytest.param({"content": [{"text": "sent"}]}, "sent", id="block-without-type"),
    pytest.param({"content": [{"type": "text", "text": 5}]}, "5", id="text-is-a-number"),
    pytest.param({"content": [SENT, "bare"]}, '["sent","bare"]', id="block-is-text"),
    pytest.param({"content": [SENT, {"type": "text", "text": None}]},
                 '["sent","[content of type text, not shown]"]', id="text-null"),
    pytest.param({"content": [SENT, {"type": "hologram", "data": "x"}]},
                 '["sent","[content of type hologram, not shown]"]', id="unknown-type"),
    pytest.param({"content": [SENT, {"type": "image", "data": "AAAA"}]},
                 '["sent","[content of type image, not shown]"]', id="image-without-type"),
    pytest.param({"content": [SENT, {"type": "resource", "resource": {"uri": "x:y"}}]},
                 "x:y", id="resource-without-content"),
    pytest.param({"content": [SENT, {"type": "resource_link", "uri": "x:y"}]}, "x:y",
                 id="link-without-name"),
    pytest.param({"content": [SENT, {"type": "resource", "resource": {
        "uri": "no uri", "mimeType": "no mime", "blob": "AAAA"}}]}, "[no mime, 3 bytes, not shown]",
        id="wrong-media-type"),
    # Base64 in other forms.
    pytest.param({"content": [{**PICTURE, "data": "data:image/png;base64,AAAA"}]},
                 "[image/png, 3 bytes, not shown]", id="data-url"),
    pytest.param({"content": [{**PICTURE, "data": "AAAA\nAAAA\n"}]},
                 "[image/png, 6 bytes, not shown]", id="lines"),
    pytest.param({"content": [{**PICTURE, "data": "_-A"}]}, "[image/png, 2 bytes, not shown]",
                 id="alphabet-of-urls-without-padding"),
    # Under another name.
    *[pytest.param(body("ID", type=name), "sent", id=f"content-type-{name}")
      for name in ("text/plain", "text/html; charset=utf-8", "application/octet-stream")],
    pytest.param(Body(f"[{NOTE},{OK}]", "text/plain"), "sent", id="batch-as-text"),
    # Results of other protocols.
    pytest.param({"toolResult": "sent"}, '{"toolResult":"sent"}', id="tool-result"),
    pytest.param({"content": [], "task": {"taskId": "t1", "status": "working"}},
                 '"status":"working"', id="task"),
    pytest.param({"content": [SENT], "task": {"taskId": "t1"}}, "sent", id="task-beside-content"),
    # Structure, and text that says something else.
    pytest.param({"content": [SENT], "structuredContent": [1, 2]}, '[[1,2],"sent"]', id="list"),
    pytest.param({"content": [SENT], "structuredContent": None}, "sent", id="structure-null"),
    pytest.param({"content": [{"type": "text", "text": "only a dry run"}],
                  "structuredContent": {"n": 1}}, '[{"n":1},"only a dry run"]', id="text-differs"),
    pytest.param({"content": [{"type": "text", "text": '{ "n": 1 }'}],
                  "structuredContent": {"n": 1}}, '{"n":1}', id="text-repeats"),
    pytest.param({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                  "structuredContent": {"result": ["a", "b"]}}, '["a","b"]', id="texts-of-a-list"),
    pytest.param(wire('"result":{"content":[],"structuredContent":{"n":12345678901234567890123}}'),
                 '{"n":12345678901234567890123}', id="digits"),
    pytest.param(wire('"result":{"content":[],"structuredContent":{"n":NaN}}'), '{"n":"nan"}',
                 id="nan"),
    pytest.param({"content": [SENT], "_meta": "x", "isError": False}, "sent", id="meta"),
    pytest.param({"content": [SENT], "isError": "no"}, "sent", id="no-error-as-text"),
    pytest.param(text("a\0b"), "a\0b", id="nul"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "words"), RESULTS)
def test_a_result_reaches_the_model(reply: Any, words: str, tmp_path: Path) -> None:
    with mcp_server.serving(reply) as script:
        result, results = call(tmp_path, script)
    assert len(script.calls) == 1
    assert words in results[0]
    assert [each["outcome"] for each in entries(result, "tool")] == ["ok"]


ERRORS = [
    pytest.param(Error(-32000, "no luck"), "no luck", id="-32000"),
    pytest.param(Error(-32001, "too late today"), "too late today", id="-32001"),
    pytest.param(wire('"error":{"code":-32602,"message":"Invalid","data":{"to":"empty"}}'),
                 'Invalid ({\\"to\\":\\"empty\\"})', id="data"),
    pytest.param(wire('"error":{"code":1,"message":"bad: to","data":"to"}'), '"bad: to"',
                 id="data-twice"),
    pytest.param(wire('"error":{"code":1,"message":"bad","data":"' + "x" * 501 + '"}'), '"bad"',
                 id="data-too-long"),
    pytest.param(Error(-32700, "broken pipe"), "broken pipe", id="-32700"),
    pytest.param(Error(-32602, "no login session for user ann"), "no login session", id="session"),
    pytest.param(Error(-32600, "the session of ann was closed by her"), "by her", id="sessions"),
    pytest.param(Http(400, "no such meeting session"), "400: no such meeting", id="400-session"),
    pytest.param(wire('"error":"boom"'), "boom", id="error-as-text"),
    pytest.param(wire('"error":{"code":"E1","message":"boom"}'), "E1: boom", id="code-as-text"),
    pytest.param(wire('"error":{"reason":"boom"}'), "boom", id="no-message"),
    pytest.param(wire('"result":{},"error":{"code":1,"message":"bad"}'), "bad", id="both"),
    pytest.param(Body('{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"boom"}}'),
                 "boom", id="error-without-id"),
    pytest.param({"content": [], "isError": True, "structuredContent": {"code": 7}}, "code",
                 id="structure"),
    pytest.param({"content": [{"type": "image", "mimeType": "image/png", "data": "AAAA"}],
                  "isError": True}, "[image/png, 3 bytes, not shown]", id="picture"),
    pytest.param({"content": [SENT], "isError": "yes"}, "sent", id="error-flag-as-text"),
    pytest.param({"resultType": "input_required", "inputRequests": {}}, "asks its client for more",
                 id="input-required"),
    pytest.param(wire('"result":null'), "the call was made, but the answer", id="result-null"),
    pytest.param(wire('"result":"sent"'), "the call was made, but the answer", id="result-text"),
    pytest.param(Body(OK[:40]), "the call was made, but the answer", id="cut-json"),
    pytest.param(Body("null"), "the call was made, but the answer", id="null"),
    pytest.param(events("{nonsense", OK), "the call was made, but the answer", id="bad-event"),
    pytest.param(wire('"result":{"content":[],"structuredContent":{"n":' + "[" * 5000 + "]" * 5000
                      + "}}"), "the call was made, but the answer", id="deep"),
    pytest.param(Body("", status=302, headers=(("Location", "/else?key=k"),)),
                 "answered 302: a redirect to http", id="302"),
    pytest.param(Body("", status=307, headers=(("Location", "http://127.0.0.1:1/mcp"),)),
                 "answered 307: a redirect to http://127.0.0.1:1/mcp", id="307-to-another-host"),
    pytest.param(Body("no", status=403, headers=(
        ("WWW-Authenticate", 'Bearer error="insufficient_scope"'),)), "answered 403: no", id="403"),
    pytest.param(Body("busy", status=429, headers=(("Retry-After", "99999999"),)),
                 "answered 429: busy", id="429"),
    pytest.param(Http(410, "gone"), "answered 410: gone", id="410"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "words"), ERRORS)
def test_a_failure_is_shown_with_its_words_and_is_not_unknown(
    reply: Any, words: str, tmp_path: Path
) -> None:
    with mcp_server.serving(reply) as script:
        result, results = call(tmp_path, script)
    assert len(script.calls) == 1, "effect once"
    assert result.output == "done"
    assert words in results[0]
    assert "pydantic" not in results[0]
    assert "key=k" not in results[0]
    assert [each["outcome"] for each in entries(result, "tool")] == ["error"]


UNKNOWN = [
    pytest.param(Http(202), "answered 202: nothing", id="202"),
    pytest.param(Body(OK, status=202), "answered 202", id="202-with-a-body"),
    pytest.param(Http(204), "answered 204", id="204"),
    pytest.param(Body("<html>log in</html>", "text/html"), "answered 200: <html>log in", id="html"),
    pytest.param(Body("sent", "text/plain"), "answered 200: sent", id="text"),
    pytest.param(Body('{"ok": true}', "text/plain"), "answered 200", id="json-that-is-no-answer"),
    pytest.param(Body(OK, short=True), "the connection to tool server desk was lost", id="short"),
    pytest.param(Body(OK, headers=(("Content-Encoding", "gzip"),)), "was lost", id="no-gzip"),
    pytest.param(events(NOTE), "SSE stream ended without a response", id="events-without-answer"),
    pytest.param(Body(f"data: {OK}", EVENTS), "SSE stream ended", id="event-without-end"),
    pytest.param(Body("", EVENTS), "SSE stream ended", id="no-events"),
    pytest.param(Body("<html>", "text/html", status=502), "answered 502: <html>", id="502"),
    pytest.param(Body('{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"db down"}}',
                      status=500), "answered 500: db down", id="500-json"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "words"), UNKNOWN)
def test_an_outcome_that_is_unknown_is_for_a_person(reply: Any, words: str, tmp_path: Path) -> None:
    with mcp_server.serving(reply) as script:
        failed, _ = call(tmp_path, script)
    assert len(script.calls) == 1
    assert isinstance(failed, WorkFailed)
    assert failed.reason is Reason.UNKNOWN_EFFECT
    assert words in failed.message


MOVED = Body("gone", status=307, headers=(("Location", "/mcp?key=k"),))
AFTER_MOVE = [
    pytest.param(Body(OK), "ok", "sent", id="success"),
    pytest.param(body('"ID"'), "ok", "sent", id="id-as-text"),
    pytest.param(Body(f"[{OK}]"), "ok", "sent", id="batch"),
    pytest.param(Error(-32000, "no luck"), "error", "no luck", id="error"),
    pytest.param(Http(403, "no"), "error", "answered 403: no", id="403"),
    pytest.param(Http(500, "boom"), "unknown", "answered 500: boom", id="500"),
    pytest.param(Http(0), "unknown", "was lost", id="no-answer"),
    pytest.param(Body(OK, short=True), "unknown", "was lost", id="cut"),
    pytest.param(Body(OK, status=202), "unknown", "answered 202", id="202"),
]


@pytest.mark.parametrize(("reply", "outcome", "words"), AFTER_MOVE)
@pytest.mark.parametrize("moves", [1, 2])
def test_behind_a_redirect_to_the_same_host_the_last_answer_counts(
    moves: int, reply: Any, outcome: str, words: str, tmp_path: Path
) -> None:
    with mcp_server.serving(*[MOVED] * moves, reply) as script:
        result, results = call(tmp_path, script)
    assert len(script.calls) == moves + 1
    if outcome == "unknown":
        assert isinstance(result, WorkFailed)
        assert result.reason is Reason.UNKNOWN_EFFECT
        assert words in result.message
        return
    assert words in results[0]
    assert [each["outcome"] for each in entries(result, "tool")] == [outcome]


def test_a_redirect_that_was_followed_explains_no_later_failure(tmp_path: Path) -> None:
    starts = iter([MOVED])

    def listed(_: Any) -> Any:
        return next(starts, {"tools": None})

    with mcp_server.serving(methods={"tools/list": listed}) as script:
        result, _ = call(tmp_path, script)
    assert isinstance(result, WorkFailed)
    assert "has no list of tools" in result.message


LONG = f"{'x' * 289} {KEY}"
ECHOES = [
    pytest.param(Error(-32000, LONG), id="error"),
    pytest.param(Body(LONG, "text/plain", status=403), id="403"),
    pytest.param(Body(LONG, "text/plain", status=500), id="500"),
]


@pytest.mark.parametrize("reply", ECHOES)
def test_no_part_of_a_key_is_shown_where_an_error_is_cut(reply: Any, tmp_path: Path) -> None:
    with mcp_server.serving(reply) as script:
        result, results = call(tmp_path, script)
    shown = f"{results} {result.trace} {result}"
    assert "xxx" in shown
    assert KEY[:6] not in shown


@pytest.mark.parametrize("reply", ECHOES)
def test_no_part_of_a_key_is_shown_of_a_server_that_cannot_be_used(
    reply: Any, tmp_path: Path
) -> None:
    with mcp_server.serving(methods={"tools/list": reply}) as script:
        result, _ = call(tmp_path, script)
    assert isinstance(result, WorkFailed)
    assert "xxx" in result.message
    assert KEY[:6] not in result.message


DAMAGED = [
    pytest.param(Body("no", status=401, headers=(("Content-Encoding", "gzip"),)), id="no-gzip"),
    pytest.param(Body("no", status=401, short=True), id="cut"),
]


@pytest.mark.parametrize("reply", DAMAGED)
def test_an_error_counts_though_its_body_is_damaged(reply: Body, tmp_path: Path) -> None:
    with mcp_server.serving(reply) as script:
        result, _ = call(tmp_path, script)
    assert isinstance(result, WorkFailed)
    assert result.reason is Reason.PROVIDER_ERROR
    assert "answered 401" in result.message


def test_keys_do_not_follow_a_redirect_to_another_host(tmp_path: Path) -> None:
    with serving(Reply()) as other:
        moved = Body("", status=308, headers=(("Location", f"{other.url}/mcp"),))
        with mcp_server.serving(moved) as script:
            call(tmp_path, script)
        assert other.asked == []


SESSIONS = [
    ("Session not found", True),
    ("Session 12ab-34 not found", True),
    ("Bad Request: No valid session ID provided", True),
    ("Mcp-Session-Id header is required", True),
    ("Invalid session ID", True),
    ("Session has expired", True),
    ("Server not initialized", True),
    ("Received request before initialization was complete", True),
    ("No transport found for sessionId", True),
    ("No active transport for this session", True),
    ("Transport not initialized", True),
    ("No active session", True),
    ("Session is not active", True),
    ("session 4f-1 is no longer valid", True),
    ("Session timed out", True),
    ("could not find session", True),
    ("session notes deleted", False),
    ("no transport to the moon", False),
    ("no connection for print jobs", False),
    ("the session of ann has ended", False),
    ("no login session for user ann", False),
    ("the session on databases is full", False),
    ("the printer is not initialized", False),
    ("could not join session 7", False),
]


@pytest.mark.parametrize(("words", "over"), SESSIONS, ids=[words for words, _ in SESSIONS])
def test_only_words_about_the_protocols_session_begin_a_new_one(words: str, over: bool) -> None:
    assert (mcp_tools._NO_SESSION.search(words) is not None) is over
