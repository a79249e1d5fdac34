"""What a model of type OpenAI is shown is the schema that its answer is judged by."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agent import mcp_server
from tests.agent.mcp_server import tool
from tests.agent.pods import BRIEF, Pod
from tests.agent.replies import Call, answer
from tests.runner.servers import serving

MAP = {"type": "object", "properties": {"filter": {"type": "object"}}, "required": ["filter"]}
LABELS = {
    "type": "object",
    "required": ["labels"],
    "properties": {"labels": {"type": "object", "additionalProperties": {"type": "string"}},
                   "more": {"type": "object", "description": "anything"}},
}  # fmt: skip


def parameters(body: bytes, name: str) -> Any:
    tools = {each["function"]["name"]: each["function"] for each in json.loads(body)["tools"]}
    return tools[name]["parameters"]


@pytest.mark.parametrize("path", [["properties", "filter"], []], ids=["inside", "root"])
def test_a_map_of_a_tool_may_hold_anything(path: list[str], tmp_path: Path) -> None:
    with (
        mcp_server.serving(tools=[tool("find", inputSchema=MAP)]) as script,
        serving(answer("OpenAI", "done")) as server,
    ):
        tools = [{"server": "desk", "url": script.url, "allow": ["find"]}]
        Pod(tmp_path, server.url).perform("any", tools=tools)
    part = parameters(server.asked[0].body, "find")
    for key in path:
        part = part[key]
    assert part.get("additionalProperties", True) is True


def test_a_map_of_the_output_may_hold_anything(tmp_path: Path) -> None:
    given = {"labels": {"a": "b"}, "more": {"c": 1}}
    with serving(answer("OpenAI", "", Call("final_result", json.dumps(given)))) as server:
        result = Pod(tmp_path, server.url).perform("any", output_schema=LABELS)
    assert result.output == given
    shown = parameters(server.asked[0].body, "final_result")["properties"]
    assert shown["labels"]["additionalProperties"] == {"type": "string"}
    assert shown["more"].get("additionalProperties", True) is True


def test_a_closed_object_stays_closed(tmp_path: Path) -> None:
    given = Call("final_result", '{"cause": "x", "confidence": 1}')
    with serving(answer("OpenAI", "", given)) as server:
        Pod(tmp_path, server.url).perform("any", output_schema=BRIEF)
    assert parameters(server.asked[0].body, "final_result")["additionalProperties"] is False
