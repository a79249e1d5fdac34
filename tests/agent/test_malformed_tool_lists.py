"""What MCP servers list and how they begin: one odd tool takes no other away, and a file that no
model takes stops no conversation."""

import base64
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed
from waypost_agent.tools import mcp_session, media, tool_schemas

from tests.agent import mcp_server
from tests.agent.malformed_server import SENT, call
from tests.agent.mcp_server import Body, Error, Http, tool


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_session, "FIRST_WAIT", 0.01)


INSIDE: list[dict[str, Any]] = [
    {"properties": {"a": {"type": "object", "required": None, "properties": None}}},
    {"additionalProperties": {"properties": None}},
    {"$defs": {"a": {"items": [{"required": {}}]}}},
    {"anyOf": [{"items": {"required": None}}]},
]
LISTS = [
    pytest.param({"description": 5, "title": []}, id="description"),
    pytest.param({"annotations": "x", "icons": "x", "_meta": 1}, id="annotations"),
    pytest.param({"outputSchema": True}, id="output-schema-true"),
    pytest.param({"outputSchema": "x"}, id="output-schema-text"),
    pytest.param({"description": "a \ud800 b"}, id="surrogate"),
    pytest.param({"description": "x" * 1_000_000}, id="1-MB"),
    pytest.param({"inputSchema": {"type": "object", "$ref": "#"}}, id="refers-to-itself"),
    pytest.param({"inputSchema": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}},
                                  "$defs": {"a": {"$ref": "#/$defs/a"}}}}, id="circle"),
    pytest.param({"inputSchema": {"type": "object", "properties": {"a": {"$ref": "http://x/s"}}}},
                 id="refers-elsewhere"),
    pytest.param({"inputSchema": {"type": "object", "properties": {
        "a": {"type": "array", "items": [{"type": "string"}], "minimum": "x"}}}}, id="older-draft"),
    pytest.param({"inputSchema": {"type": "object", "properties": {
        f"p{n}": {"description": "x" * 1000} for n in range(1000)}}}, id="schema-of-1-MB"),
    # As Go and PHP write what is empty.
    pytest.param({"inputSchema": {"type": "object", "required": None}}, id="required-null"),
    pytest.param({"inputSchema": {"type": "object", "required": {}}}, id="required-object"),
    pytest.param({"inputSchema": {"type": "object", "properties": None}}, id="properties-null"),
    *[pytest.param({"inputSchema": {"type": "object", **part}}, id=f"inside-{next(iter(part))}")
      for part in INSIDE],
]  # fmt: skip


@pytest.mark.parametrize("fields", LISTS)
def test_a_tool_is_usable_whatever_else_is_odd_about_it(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    with mcp_server.serving(tools=[tool("send", **fields)]) as script:
        result, results = call(tmp_path, script)
    assert (result.output, results) == ("done", ["sent"])


def deep(levels: int) -> Any:
    schema: Any = {}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


BROKEN = [
    pytest.param(True, "inputSchema: input should be a valid dictionary", id="true"),
    pytest.param({"type": "OBJECT"}, "inputSchema.type: expected 'object'", id="upper-case"),
    pytest.param({"type": "object", "required": "a"}, "inputSchema.required: expected a list",
                 id="required"),
    pytest.param({"type": "object", "$defs": []}, "inputSchema.$defs: expected an object",
                 id="defs"),
    pytest.param({"type": "object", "additionalProperties": "yes"},
                 "inputSchema.additionalProperties: expected a schema", id="additional"),
    pytest.param({"type": "object", "properties": {"a": {"anyOf": "x"}}},
                 "inputSchema.properties.a.anyOf: expected a list of schemas", id="any-of"),
    pytest.param({"type": "object", "properties": {"a": {"items": [{"type": 5}]}}},
                 "inputSchema.properties.a.items[0].type: expected text", id="type-of-an-item"),
    pytest.param(deep(150), "inputSchema.properties.a.properties.a.", id="deep"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "words"), BROKEN)
def test_a_schema_that_stops_every_request_is_left_out(
    schema: Any, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with mcp_server.serving(tools=[tool("send"), tool("bad", inputSchema=schema)]) as script:
        result, results = call(tmp_path, script)
    assert (result.output, results) == ("done", ["sent"])
    assert f"bad is left out: {words}" in capfd.readouterr().err


def test_a_schema_in_form_keeps_what_it_says() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["required"],
        "enum": [None, {}, []],
        "properties": {
            "required": {"default": None, "examples": {"properties": None}},
            "b": True,
        },
    }
    assert tool_schemas.in_form(schema) == schema
    assert tool_schemas.in_form({**schema, "required": None}).keys() == schema.keys() - {"required"}


def test_the_depth_of_a_schema_is_bounded() -> None:
    assert tool_schemas.problem_of(deep(90)) is None
    assert "nested deeper than 100 levels" in str(tool_schemas.problem_of(deep(5000)))


def test_pages_that_go_in_a_circle_are_read_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def page(params: Any) -> Any:
        asked.append(params.get("cursor"))
        return {"tools": [tool("send")], "nextCursor": "b" if params.get("cursor") == "a" else "a"}

    with mcp_server.serving(methods={"tools/list": page}) as script:
        result, results = call(tmp_path, script)
    assert (result.output, results) == ("done", ["sent"])
    assert asked == [None, "a", "b"]
    assert "left out" not in capfd.readouterr().err, "the same tool on two pages is one tool"


def test_a_list_without_end_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def page(params: Any) -> Any:
        number = int(params.get("cursor") or 0)
        return {
            "tools": [tool("send" if not number else f"t{number}")],
            "nextCursor": f"{number + 1}",
        }

    with mcp_server.serving(methods={"tools/list": page}) as script:
        result, _ = call(tmp_path, script)
    assert result.output == "done"
    shown = capfd.readouterr().err
    assert "what comes after page 50 is left out: no more pages are read" in shown


@pytest.mark.parametrize("method", ["initialize", "tools/list"])
def test_a_server_that_refuses_one_client_at_a_time_is_asked_again(
    method: str, tmp_path: Path
) -> None:
    answers: list[Any] = [Error(-32603, "another client uses this session")]

    def once(params: Any) -> Any:
        return answers.pop() if answers else GOOD[method]

    with mcp_server.serving(methods={method: once}) as script:
        result, results = call(tmp_path, script)
    assert (result.output, results) == ("done", ["sent"])
    assert not answers


INFO = {"serverInfo": {"name": "r", "version": "1"}, "capabilities": {"tools": {}}}
GOOD: dict[str, Any] = {
    "initialize": {**INFO, "protocolVersion": "2025-06-18"},
    "tools/list": {"tools": [tool("send")]},
}
STARTS = [
    pytest.param("initialize", {**INFO, "protocolVersion": "2024-11-05"}, None, id="old-version"),
    pytest.param("initialize", {**INFO, "protocolVersion": "2099-01-01"},
                 "Unsupported protocol version from the server: 2099-01-01", id="future-version"),
    pytest.param("initialize", {}, "its answer has capabilities: field required", id="empty"),
    pytest.param("initialize", Error(-32602, "too old"), "answered with an error: too old",
                 id="error"),
    pytest.param("initialize", Body("<html>log in", "text/html"), "answered 200: <html>log in",
                 id="html"),
    pytest.param("initialize", Http(202), "answered 202", id="202"),
    pytest.param("tools/list", {"tools": None}, "has no list of tools", id="list-null"),
    pytest.param("tools/list", {"tools": {"send": {}}}, "has no list of tools", id="list-object"),
    pytest.param("tools/list", Error(-32601, "Method not found"), "Method not found",
                 id="list-unknown"),
    pytest.param("tools/list", Http(500, "boom"), "answered 500: boom", id="list-500"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "reply", "words"), STARTS)
def test_a_server_that_cannot_be_used_is_named_with_its_words(
    method: str, reply: Any, words: str | None, tmp_path: Path
) -> None:
    with mcp_server.serving(methods={method: reply}) as script:
        result, results = call(tmp_path, script)
    if words is None:
        assert results == ["sent"]
        return
    assert isinstance(result, WorkFailed)
    assert result.reason is Reason.PROVIDER_ERROR
    assert words in result.message
    assert "tool server desk" in result.message
    assert "pydantic" not in result.message
    assert "Error: " not in result.message


FILES = [
    (b"\x89PNG\r\n\x1a\n", "image/png", False),
    (b"\xff\xd8\xff\xe0", "image/jpeg", False),
    (b"GIF89a", "image/gif", False),
    (b"RIFF\0\0\0\0WEBP", "image/webp", False),
    (b"RIFF\0\0\0\0WAVE", "audio/wav", False),
    (b"RIFF\0\0\0\0AVI ", None, False),
    (b"ID3\4", "audio/mpeg", False),
    (b"OggS", None, False),
    (b"OggS", "audio/ogg", True),
    (b"%PDF-1.7", "application/pdf", False),
    (b"II*\0", None, True),
    (b"<svg>", None, True),
    (b"", None, True),
]


@pytest.mark.parametrize(("start", "type_", "gemini"), FILES, ids=[str(f[:2]) for f in FILES])
def test_the_first_bytes_of_a_file_say_what_it_is(
    start: bytes, type_: str | None, gemini: bool
) -> None:
    data = base64.b64encode(start + bytes(100) if start else b"").decode()
    assert media.media_type(data, gemini=gemini) == type_


@pytest.mark.parametrize("claimed", ["image/png", "image/tiff", "audio/zork", "image/x; evil\n"])
def test_a_file_that_no_model_takes_does_not_stop_the_conversation(
    claimed: str, tmp_path: Path
) -> None:
    file = {"type": claimed[:5], "mimeType": claimed, "data": "AAAA"}
    with mcp_server.serving({"content": [SENT, file]}) as script:
        result, results = call(tmp_path, script, model={"inputs": ["Image", "Audio"]})
    assert result.output == "done"
    assert "3 bytes, not shown: no model takes this format]" in results[0]
