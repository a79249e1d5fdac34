"""What the trace of a pod has of the arguments and results of tool calls (S791, S792), and how long
answers took (S793)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol import ijson
from waypost_agent.journal.entries import Result
from waypost_agent.tool_content import ToolContent
from waypost_agent.tools.result_pages import NAME

from tests.agent.pods import KEY, Pod, entries, model_server

SCRIPTS = """
scripts:
  looks:
    byAnswers: true
    turns:
    - call: [{tool: sign_in, arguments: {password: hunter2, user: ann}}]
    - call: [{tool: sign_in, arguments: {user: ann}}]
    - call: [{tool: nothing, arguments: {user: ann}}]
    - say: done
"""
SOURCE = """
from typing import Annotated
from pydantic import Field

def sign_in(
    user: str, password: Annotated[str, Field(json_schema_extra={"x-waypost-sensitive": True})]
) -> dict:
    "Sign in."
    return {"hello": user}
"""
SCHEMA = {"properties": {"password": {"x-waypost-sensitive": True}}}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with model_server(SCRIPTS) as address:
        yield address


@pytest.fixture
def pod(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    (tmp_path / "content_desk.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Pod(tmp_path, url)


def calls(pod: Pod, **agent: Any) -> list[dict[str, Any]]:
    tools = [{"module": "content_desk", "functions": ["sign_in"]}]
    return entries(pod.perform("looks", tools=tools, **agent), "tool")


def test_s791_nothing_by_default(pod: Pod) -> None:
    known = {"type", "start", "end", "name", "callId", "outcome", "error"}
    assert {key for call in calls(pod) for key in call} <= known


def test_s791_digests(pod: Pod) -> None:
    first, wrong, refused = calls(pod, content="Digests")
    assert first["argumentsDigest"] == ijson.digest({"user": "ann", "password": "hunter2"})
    assert first["resultDigest"] == ijson.digest({"hello": "ann"})
    assert (wrong["outcome"], refused["outcome"]) == ("error", "refused")
    assert wrong["argumentsDigest"] == refused["argumentsDigest"] == ijson.digest({"user": "ann"})
    assert "resultDigest" not in wrong
    assert not any({"arguments", "result"} & call.keys() for call in (first, wrong, refused))


def test_s792_texts_without_what_is_marked(pod: Pod) -> None:
    first, _, refused = calls(pod, content="Redacted")
    assert json.loads(first["arguments"]) == {"user": "ann", "password": "[redacted]"}
    assert json.loads(first["result"]) == {"hello": "ann"}
    assert json.loads(refused["arguments"]) == {"user": "ann"}


def test_s793_the_first_byte(pod: Pod) -> None:
    found = entries(pod.perform("looks", tools=[]), "model")
    assert all(one["firstByteSeconds"] >= 0 for one in found)
    assert len(found) == 4


def test_s792_keys_are_left_out_of_texts() -> None:
    content = ToolContent("Redacted", lambda text: text.replace(KEY, "[key]"))
    found = content.arguments({"query": f"with {KEY}", KEY: 1}, None)
    assert KEY not in found["arguments"]
    assert found["arguments"].count("[key]") == 2


@pytest.mark.parametrize(
    ("result", "tool"),
    [
        pytest.param(Result("ok", '{"password": "hun', cut=True), "sign_in", id="cut"),
        pytest.param(Result("ok", 'ter2"}'), NAME, id="page-of-one-that-was-cut"),
    ],
)
def test_s792_of_a_part_there_is_the_digest(result: Result, tool: str) -> None:
    found = ToolContent("Redacted", str).result(result, tool=tool, schema=SCHEMA)
    assert found == {"resultDigest": ijson.digest(result.value)}


def test_s791_texts_of_an_attempt_have_a_limit() -> None:
    content = ToolContent("Redacted", str)
    found = [content.arguments({"text": f"{n}" * 5000}, None) for n in range(50)]
    texts = [one["arguments"] for one in found if "arguments" in one]
    assert max(map(len, texts)) == 1000
    assert len(texts) == 32
    assert all("argumentsDigest" in one for one in found)


def test_arguments_that_are_no_json_have_no_text() -> None:
    found = ToolContent("Redacted", str).arguments('{"password": "hunter2', SCHEMA)
    assert found.keys() == {"argumentsDigest"}
