"""What MCP servers do to a conversation: sessions that end, refusals, results of every kind."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_agent.tools import mcp_session

from tests.agent import mcp_server
from tests.agent.attempts import Node
from tests.agent.mcp_server import Error, Http, Script, text, tool
from tests.agent.pods import Pod, entries
from tests.agent.replies import Call, answer
from tests.runner.servers import Asked, Reply, serving

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(90)).decode()
DONE = answer("OpenAI", "done")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_session, "FIRST_WAIT", 0.01)


def sends(count: int) -> list[Reply]:
    """Answers of a model that calls `send` one call after the other, then says done."""
    calls = [answer("OpenAI", "", Call("send", f'{{"to": "{n}"}}', f"c{n}")) for n in range(count)]
    return [*calls, DONE]


def tools_of(script: Script, *, effect: str | None = None, **more: Any) -> list[Any]:
    effects = {"effects": {"send": effect}} if effect else {}
    return [{"server": "desk", "url": script.url, "allow": ["send"], **effects, **more}]


def shown(asked: list[Asked]) -> list[Any]:
    """The results that the model was shown."""
    messages = json.loads(asked[-1].body)["messages"]
    return [each["content"] for each in messages if each["role"] == "tool"]


def play(folder: Path, script: Script, replies: list[Reply], **more: Any) -> tuple[Any, list[Any]]:
    """The result of a node, and the results of tools as its model was shown them."""
    tools = more.pop("tools", None) or tools_of(script)
    with serving(*replies) as server:
        result = Pod(folder, server.url).perform("any", tools=tools, **more)
    return result, shown(server.asked)


GONE = [
    pytest.param(Http(404, "Session not found"), id="404"),
    pytest.param(Http(404, ""), id="404-without-words"),
    pytest.param(Http(400, "Bad Request: No valid session ID provided"), id="400"),
    pytest.param(Http(400, "Server not initialized"), id="not-initialized"),
    pytest.param(Http(400, "No transport found for sessionId"), id="no-transport"),
]


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("effect", ["none", "once"])
def test_a_session_that_ended_is_begun_again_and_the_call_is_made_once(
    gone: Http, effect: str, tmp_path: Path
) -> None:
    with mcp_server.serving("end-sessions-after", text("two"), gone=gone) as script:
        result, results = play(tmp_path, script, sends(2), tools=tools_of(script, effect=effect))
    assert result.output == "done"
    assert results == ["done", "two"]
    assert [call["to"] for call in script.calls] == ["0", "1"]
    assert len(script.sessions) == 2
    assert [e["outcome"] for e in entries(result, "tool")] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("effect", "calls", "words"),
    [
        pytest.param("none", 2, "second", id="none"),
        pytest.param("idempotent", 2, "second", id="idempotent"),
        pytest.param(None, 1, "it is not known whether the call was carried out", id="unknown"),
    ],
)
def test_a_call_whose_connection_is_lost_is_repeated_where_its_effect_allows_it(
    effect: str | None, calls: int, words: str, tmp_path: Path
) -> None:
    with mcp_server.serving(Http(0), text("second")) as script:
        tools = tools_of(script, effect=effect)
        result, results = play(tmp_path, script, sends(1), tools=tools)
    assert result.output == "done"
    assert words in results[0]
    assert len(script.calls) == calls


def test_a_session_is_usable_after_a_lost_call(tmp_path: Path) -> None:
    with mcp_server.serving(Http(0), text("second")) as script:
        _, results = play(tmp_path, script, sends(2))
    assert results[1] == "second"


UNKNOWN = [
    pytest.param(Http(0), {}, "the connection to tool server desk was lost", id="lost"),
    pytest.param(Http(500, "boom"), {}, "answered 500: boom", id="500"),
    pytest.param(text("late"), {"timeoutSeconds": 4}, "no answer within 4 s", id="timeout"),
]


@pytest.mark.parametrize(("reply", "more", "words"), UNKNOWN)
def test_an_unknown_outcome_of_a_tool_declared_once_is_for_a_person(
    reply: Any, more: Any, words: str, node: Node
) -> None:
    waits = 20.0 if more else 0.0
    with mcp_server.serving(reply, waits=waits) as script:
        tools = tools_of(script, effect="once", **more)
        first = node.play(sends(1), tools=tools)
        second = node.play(sends(1), tools=tools)
    for outcome in (first, second):
        assert isinstance(outcome, WorkFailed), outcome
        assert outcome.reason is Reason.UNKNOWN_EFFECT
    assert isinstance(first, WorkFailed)
    assert words in first.message
    assert "rerun.outputs" in first.message
    assert len(script.calls) == 1


@pytest.mark.parametrize(("reply", "more", "words"), UNKNOWN)
def test_an_unknown_outcome_is_told_as_unknown(
    reply: Any, more: Any, words: str, tmp_path: Path
) -> None:
    waits = 20.0 if more else 0.0
    with mcp_server.serving(reply, waits=waits) as script:
        result, results = play(tmp_path, script, sends(1), tools=tools_of(script, **more))
    assert "it is not known whether the call was carried out" in results[0]
    assert words in results[0]
    assert words in entries(result, "tool")[0]["error"]


REFUSED = [
    pytest.param(Http(403, '{"error": "not your desk"}'), "answered 403: not your desk", id="403"),
    pytest.param(Http(422, "no such arm"), "answered 422: no such arm", id="422"),
    pytest.param(Http(429, "slowly"), "answered 429: slowly", id="429"),
    pytest.param(Error(-32602, "to: must be a person"), "to: must be a person", id="json-rpc"),
    pytest.param({"isError": True, **text("the printer is empty")}, "printer is empty", id="tool"),
]


@pytest.mark.parametrize(("reply", "words"), REFUSED)
def test_the_words_of_a_refusal_reach_model_and_trace(
    reply: Any, words: str, tmp_path: Path
) -> None:
    with mcp_server.serving(reply) as script:
        result, results = play(tmp_path, script, sends(1), tools=tools_of(script, effect="once"))
    assert result.output == "done"
    assert words in results[0]
    assert words in entries(result, "tool")[0]["error"]
    assert "not known" not in results[0]


def test_a_401_ends_the_attempt_and_the_call_is_made_by_the_next(node: Node) -> None:
    refused = Http(401, '{"error": "token expired"}')
    with mcp_server.serving(text("one"), refused, text("two")) as script:
        tools = tools_of(script, effect="once")
        first = node.play(sends(2), tools=tools)
        assert isinstance(first, WorkFailed), first
        assert first.reason is Reason.PROVIDER_ERROR
        assert "tool server desk" in first.message
        assert "401: token expired" in first.message
        second = node.play([DONE], tools=tools)
    assert isinstance(second, WorkResult), second
    assert second.output == "done"
    assert [call["to"] for call in script.calls] == ["0", "1", "1"]
    assert shown(node.asked) == ["one", "two"]


def test_a_call_that_begins_again_is_unknown_again_until_it_ends(node: Node) -> None:
    with mcp_server.serving(Http(401, "expired"), Http(0), text("late")) as script:
        tools = tools_of(script, effect="once")
        outcomes = [node.play(sends(1), tools=tools) for _ in range(3)]
    reasons = [each.reason for each in outcomes if isinstance(each, WorkFailed)]
    assert reasons == [Reason.PROVIDER_ERROR, Reason.UNKNOWN_EFFECT, Reason.UNKNOWN_EFFECT]
    assert len(script.calls) == 2


IMAGE = {"type": "image", "mimeType": "image/png", "data": PIXEL}
AUDIO = {"type": "audio", "mimeType": "audio/wav", "data": PIXEL}
SENT = {"type": "text", "text": "sent, message 4711"}
LINK = {"type": "resource_link", "uri": "file:///log", "name": "log", "mimeType": "text/plain"}
EMBEDDED = {"type": "resource", "resource": {"uri": "file:///note", "text": "a note"}}
BLOB = {"type": "resource", "resource": {"uri": "file:///a.pdf", "mimeType": "application/pdf",
                                         "blob": PIXEL}}  # fmt: skip


def blob(media_type: str, content: str | bytes) -> Any:
    """A resource whose content is sent as binary data."""
    data = base64.b64encode(content.encode() if isinstance(content, str) else content).decode()
    resource = {"uri": "file:///b", "mimeType": media_type, "blob": data}
    return {"type": "resource", "resource": resource}


CONTENTS = [
    pytest.param({"content": [SENT, IMAGE]}, ["sent, message 4711", "[image/png, 98 bytes, not"],
                 id="text-and-picture"),
    pytest.param({"content": [IMAGE]}, ["[image/png, 98 bytes, not shown]"], id="picture"),
    pytest.param({"content": [SENT, {**IMAGE, "data": "iVBORw0KGgo="}]},
                 ["4711", "[image/png, 8 bytes"], id="text-and-the-head-of-a-picture"),
    pytest.param({"content": [AUDIO, SENT]}, ["4711", "[audio/wav, 98 bytes"], id="sound"),
    pytest.param({"content": [LINK]}, ["[link: file:///log (log, text/plain)]"], id="link"),
    pytest.param({"content": [EMBEDDED]}, ["a note"], id="embedded-text"),
    pytest.param({"content": [BLOB]}, ["[application/pdf, 98 bytes, not shown]"], id="document"),
    pytest.param({"content": [blob("text/csv; charset=utf-8", "name;mail\nÄnne;a@b")]},
                 ["name;mail\nÄnne;a@b"], id="text-as-binary-data"),
    pytest.param({"content": [blob("application/vnd.api+JSON", '{"n":4711}')]}, ['{"n":4711}'],
                 id="json-as-binary-data"),
    pytest.param({"content": [blob("text/plain", b"\xff\xfe")]}, ["[text/plain, 2 bytes, not"],
                 id="text-that-is-none"),
    pytest.param({"content": [{**IMAGE, "mimeType": "IMAGE/PNG"}]}, ["[IMAGE/PNG, 98 bytes, not"],
                 id="picture-in-capitals"),
    pytest.param({"content": [{"type": "resource_link", "uri": "file:///x", "name": "x",
                               "title": "A\0b", "_meta": {"n": 1}}]}, ["[link: file:///x (A"],
                 id="link-with-a-nul"),
    pytest.param({"content": [{**SENT, "annotations": {"audience": ["user"], "priority": 1}}]},
                 ["4711"], id="text-for-the-user-alone"),
    pytest.param({"content": [{"type": "text", "text": ""}, SENT]}, ["4711"], id="empty-text"),
    pytest.param({"content": [{**IMAGE, "data": "?"}]}, ["cannot be decoded"], id="broken-picture"),
    pytest.param({"content": []}, ["(no content)"], id="nothing"),
    pytest.param({"content": [], "structuredContent": {"n": 4711}}, ['{"n":4711}'],
                 id="structure-alone"),
    pytest.param({"content": [IMAGE], "structuredContent": {"n": 4711}}, ['"n":4711', "image/png"],
                 id="structure-and-picture"),
    pytest.param(text('{"id": 12345678901234567890}'), ['{"id": 12345678901234567890}'],
                 id="digits"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "words"), CONTENTS)
@pytest.mark.parametrize("event_stream", [False, True], ids=["json", "events"])
def test_a_result_of_any_kind_is_told_as_a_result(
    content: Any, words: list[str], event_stream: bool, tmp_path: Path
) -> None:
    with mcp_server.serving(content, event_stream=event_stream) as script:
        result, results = play(tmp_path, script, sends(1))
    for each in words:
        assert each in results[0]
    assert [e["outcome"] for e in entries(result, "tool")] == ["ok"]


def test_a_lone_surrogate_is_replaced(tmp_path: Path) -> None:
    with mcp_server.serving(text("half a character: \ud800")) as script:
        _, results = play(tmp_path, script, sends(1))
    assert results == ["half a character: \ufffd"]


def test_an_answer_that_cannot_be_read_is_not_told_as_a_failure(tmp_path: Path) -> None:
    """A stream is read by the library alone."""
    with mcp_server.serving(text("half a character: \ud800"), event_stream=True) as script:
        _, results = play(tmp_path, script, sends(1))
    assert "the call was made, but the answer of tool server desk cannot be read" in results[0]
    assert "pydantic" not in results[0]


# What libraries declare for a tool that does not return an object.
WRAPPER = {"type": "object", "title": "sendOutput", "required": ["result"],
           "properties": {"result": {"type": "array", "title": "Result"}}}  # fmt: skip
MARKED = {"type": "object", "properties": {"result": {}}, "x-fastmcp-wrap-result": True}
WRAPPED = [
    pytest.param(WRAPPER, {"result": [1, 2]}, "[1,2]", id="wrapper-of-a-list"),
    pytest.param(MARKED, {"result": [1, 2]}, "[1,2]", id="marked-as-wrapper"),
    pytest.param({**WRAPPER, "$defs": {"n": {}}}, {"result": 7}, 7, id="wrapper-with-definitions"),
    pytest.param(None, {"result": [1, 2]}, '{"result":[1,2]}', id="nothing-declared"),
    pytest.param({"type": "object"}, {"result": 1}, '{"result":1}', id="any-object"),
    pytest.param({**WRAPPER, "required": []}, {"result": 1}, '{"result":1}', id="may-be-absent"),
    pytest.param({**WRAPPER, "properties": {"result": {}, "note": {}}}, {"result": 1},
                 '{"result":1}', id="one-of-two-properties"),
    pytest.param({**WRAPPER, "description": "The ticket."}, {"result": 1}, '{"result":1}',
                 id="described-by-its-author"),
    pytest.param({**WRAPPER, "additionalProperties": False}, {"result": 1}, '{"result":1}',
                 id="closed-by-its-author"),
    pytest.param(WRAPPER, {"result": 1, "more": 2}, '{"result":1,"more":2}', id="breaks-it"),
    pytest.param(WRAPPER, {"result": {"result": 1}}, '{"result":1}', id="one-of-two-layers"),
    pytest.param(None, {"output": 1}, '{"output":1}', id="another-key"),
    pytest.param(None, [1, 2], "[1,2]", id="bare-list"),
    pytest.param(None, 0, 0, id="bare-number"),
    pytest.param(WRAPPER, [{"result": 1}], '[{"result":1}]', id="bare-although-declared"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "structured", "seen"), WRAPPED)
def test_s525_a_result_is_unwrapped_only_where_a_library_wrapped_it(
    declared: Any, structured: Any, seen: Any, tmp_path: Path
) -> None:
    """The model sees what the tool returned: an object with the key `result` is kept."""
    tools = [tool("send", **({"outputSchema": declared} if declared else {}))]
    content = {"content": [], "structuredContent": structured}
    with mcp_server.serving(content, tools=tools) as script:
        _, results = play(tmp_path, script, sends(1))
    assert results == [seen if isinstance(seen, str) else str(seen)]


PROMISED = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(text("sent"), id="missing"),
        pytest.param({**text("sent"), "structuredContent": {"n": "sent"}}, id="misfit"),
    ],
)
def test_a_result_that_breaks_its_promise_is_a_result(content: Any, tmp_path: Path) -> None:
    tools = [tool("send", outputSchema=PROMISED)]
    with mcp_server.serving(content, tools=tools) as script:
        result, results = play(tmp_path, script, sends(1))
    assert "sent" in results[0]
    assert [e["outcome"] for e in entries(result, "tool")] == ["ok"]


@pytest.mark.parametrize("type_", ["OpenAI", "Anthropic", "Google"])
def test_a_picture_is_shown_to_a_model_that_takes_pictures(type_: str, node: Node) -> None:
    node.type = type_
    calls = [answer(type_, "", Call("send", '{"to": "0"}')), answer(type_, "done")]
    with mcp_server.serving({"content": [SENT, IMAGE]}) as script:
        more: dict[str, Any] = {"tools": tools_of(script), "model": {"inputs": ["Image"]}}
        first = node.play([calls[0], Reply(status=401)], **more)
        assert isinstance(first, WorkFailed)
        second = node.play([calls[1]], **more)
    assert isinstance(second, WorkResult), second
    body = json.dumps(json.loads(node.asked[0].body))
    assert "4711" in body
    assert PIXEL.rstrip("=")[:40] in body.replace("-", "+").replace("_", "/"), "after a replay too"


def test_a_picture_beyond_the_limit_is_described(tmp_path: Path) -> None:
    large = {**IMAGE, "data": base64.b64encode(bytes(9000)).decode()}
    with mcp_server.serving({"content": [SENT, large]}) as script:
        tools = tools_of(script, maxResultBytes=5000)
        model = {"inputs": ["Image"]}
        _, results = play(tmp_path, script, sends(1), tools=tools, model=model)
    assert "[image/png, 9 KiB, not shown: maxResultBytes is 5000]" in results[0]


BAD_TOOLS = [
    pytest.param({"name": "merge", "inputSchema": {}}, "merge", id="no-type"),
    pytest.param({"name": "merge", "inputSchema": {"type": "array"}}, "merge", id="array"),
    pytest.param({"name": "merge"}, "merge", id="no-schema"),
    pytest.param({"name": "merge", "inputSchema": None}, "merge", id="null"),
    pytest.param({"inputSchema": {"type": "object"}}, "tools[1]", id="no-name"),
    pytest.param("merge", "tools[1]", id="text"),
    pytest.param({"name": "merge", "inputSchema": {"type": "object", "properties": []}}, "merge",
                 id="list-of-properties"),
    pytest.param(tool("send"), "send", id="twice"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "name"), BAD_TOOLS)
def test_a_bad_tool_is_left_out_and_named_and_the_others_work(
    bad: Any, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with mcp_server.serving(tools=[tool("send"), bad]) as script:
        result, results = play(tmp_path, script, sends(1))
    assert (result.output, results) == ("done", ["sent"])
    assert f"tool server desk: {name} is left out: " in capfd.readouterr().err


def test_a_bad_tool_that_the_node_allows_is_named(tmp_path: Path) -> None:
    with mcp_server.serving(tools=[tool("send"), {"name": "merge", "inputSchema": {}}]) as script:
        tools = tools_of(script, allow=["send", "merge"])
        with serving(DONE) as server:
            failed = Pod(tmp_path, server.url).fail("any", tools=tools)
    assert failed.reason is Reason.MISSING_REFERENCE
    assert "merge, which agent.tools allows, is left out: inputSchema" in failed.message
    assert "pydantic" not in failed.message
