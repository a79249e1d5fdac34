"""Outputs with a schema from models that call no tools: by response_format, or by instructions."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason

from tests.agent.pods import BRIEF, Pod
from tests.agent.replies import answer
from tests.runner.servers import serving

GOOD = {"cause": "disk full", "confidence": 0.5}
LIST = {"type": "array", "items": {"type": "integer"}}


def play(folder: Path, mode: str | None, *texts: str, schema: Any = BRIEF) -> tuple[Any, list[Any]]:
    """The output, and the bodies of the requests."""
    replies = [answer("OpenAI", text) for text in texts]
    model = {"structuredOutput": mode} if mode else {}
    with serving(*replies) as server:
        output = Pod(folder, server.url).perform("any", model=model, output_schema=schema).output
    return output, [json.loads(each.body) for each in server.asked]


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        pytest.param("JsonSchema", "json_schema", id="JsonSchema"),
        pytest.param("JsonObject", "json_object", id="JsonObject"),
    ],
)
def test_the_output_is_asked_for_without_a_tool(mode: str, format_: str, tmp_path: Path) -> None:
    output, [sent] = play(tmp_path, mode, json.dumps(GOOD))
    assert output == GOOD
    assert "tools" not in sent
    assert sent["response_format"]["type"] == format_
    shown = json.dumps(sent if format_ == "json_schema" else sent["messages"])
    assert "confidence" in shown, "the model is shown the schema"


@pytest.mark.parametrize("mode", ["JsonSchema", "JsonObject"])
def test_an_output_that_is_no_object_is_asked_for_in_one(mode: str, tmp_path: Path) -> None:
    output, _ = play(tmp_path, mode, '{"value": [1, 2]}', schema=LIST)
    assert output == [1, 2]


@pytest.mark.parametrize("mode", ["JsonSchema", "JsonObject"])
@pytest.mark.parametrize("bad", ["no JSON at all", '{"cause": "x", "confidence": 7}'])
def test_an_output_that_does_not_fit_is_asked_for_again(
    mode: str, bad: str, tmp_path: Path
) -> None:
    output, sent = play(tmp_path, mode, bad, json.dumps(GOOD))
    assert output == GOOD
    assert len(sent) == 2


def test_a_map_of_anything_stays_one(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"m": {"type": "object"}}}
    _, [sent] = play(tmp_path, "JsonSchema", '{"m": {"a": 1}}', schema=schema)
    asked = sent["response_format"]["json_schema"]["schema"]
    assert asked["properties"]["m"]["additionalProperties"] is True


def test_an_output_that_never_fits_is_invalid(tmp_path: Path) -> None:
    with serving(answer("OpenAI", '{"cause": "x", "confidence": 7}')) as server:
        failed = Pod(tmp_path, server.url).fail(
            "any", model={"structuredOutput": "JsonObject"}, output_schema=BRIEF
        )
    assert failed.reason is Reason.OUTPUT_INVALID
    assert "$.confidence" in failed.message
    assert len(server.asked) == 3


def test_models_that_differ_are_asked_by_instructions(tmp_path: Path) -> None:
    with serving(answer("OpenAI", json.dumps(GOOD))) as server:
        second = {"type": "Anthropic", "name": "b", "baseUrl": server.url, "provider": "p"}
        result = Pod(tmp_path, server.url).perform(
            "any",
            model={"structuredOutput": "JsonSchema"},
            fallbacks=[second],
            output_schema=BRIEF,
        )
    assert result.output == GOOD
    assert json.loads(server.asked[0].body)["response_format"] == {"type": "json_object"}
