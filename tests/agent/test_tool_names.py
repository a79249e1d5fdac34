"""Tool names that providers refuse: the model is given an alias, everything else has the name."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_agent.tool_names import ToolNames

from tests.agent import mcp_server
from tests.agent.attempts import Node
from tests.agent.mcp_server import Script, text, tool
from tests.agent.pods import Pod, entries
from tests.agent.replies import Call, answer
from tests.runner.servers import Reply, serving

LONG = "read_" + "x" * 95


@pytest.mark.parametrize(
    ("names", "aliases"),
    [
        pytest.param(["search", "get-issue", "_x9"], {}, id="fit"),
        pytest.param(["repo.read"], {"repo_read": "repo.read"}, id="dot"),
        pytest.param(["a/b"], {"a_b": "a/b"}, id="slash"),
        pytest.param(["2fa"], {"_2fa": "2fa"}, id="digit-first"),
        pytest.param(["höhe"], {"h_he": "höhe"}, id="letters"),
    ],
)
def test_aliases(names: list[str], aliases: dict[str, str]) -> None:
    assert ToolNames(names).aliases == aliases


def test_aliases_are_unique_short_and_always_the_same() -> None:
    names = ["a.b", "a_b", "a/b", "a b", LONG, f"{LONG}y"]
    first, again = ToolNames(names), ToolNames(names)
    assert first.aliases == again.aliases
    assert len(first.aliases) == len(names) - 1
    assert not set(first.aliases) & set(names)
    assert max(map(len, first.aliases)) <= 64
    assert [first.own(first.given(name)) for name in names] == names


def tools_of(script: Script, effect: str = "none") -> list[Any]:
    server = {"server": "desk", "url": script.url, "allow": ["mail.send"]}
    return [{**server, "effects": {"mail.send": effect}}]


@pytest.mark.parametrize("said", ["mail_send", "mail.send"], ids=["alias", "own-name"])
def test_a_tool_is_called_by_its_alias_and_known_by_its_name(said: str, tmp_path: Path) -> None:
    replies = [answer("OpenAI", "", Call(said, '{"to": "ann"}')), answer("OpenAI", "done")]
    with mcp_server.serving(tools=[tool("mail.send")]) as script, serving(*replies) as server:
        result = Pod(tmp_path, server.url).perform("any", tools=tools_of(script))
    assert result.output == "done"
    assert script.calls == [{"to": "ann"}]
    assert [(e["name"], e["server"], e["outcome"]) for e in entries(result, "tool")] == [
        ("mail.send", "desk", "ok")
    ]
    assert result.usage is not None
    assert result.usage.tools == {"mail.send": 1}
    body = json.loads(server.asked[1].body)
    assert [each["function"]["name"] for each in body["tools"]] == ["mail_send"]
    assert "mail.send" not in json.dumps(body["messages"])


def test_the_effect_of_a_tool_with_an_alias_holds(node: Node) -> None:
    call = answer("OpenAI", "", Call("mail_send", '{"to": "ann"}'))
    with mcp_server.serving(text("sent"), tools=[tool("mail.send")]) as script:
        first = node.play([call, Reply(status=401)], tools=tools_of(script, "once"))
        assert isinstance(first, WorkFailed)
        again = node.play([answer("OpenAI", "done")], tools=tools_of(script, "once"))
    assert isinstance(again, WorkResult), again
    assert len(script.calls) == 1
    marks = [m for t in node.texts() for e in json.loads(t) for m in e.get("started", ())]
    assert [(mark["tool"], mark["effect"]) for mark in marks] == [("mail.send", "once")]
