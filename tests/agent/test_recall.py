"""The tool `recall`: it searches the notes that the request carries, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.ijson import Json
from waypost_agent.tools.memory.recall import MOST, NAME, search

from tests.agent.pods import Pod, entries
from tests.agent.replies import Call, answer
from tests.runner.servers import Asked, serving

NOTES: tuple[Json, ...] = (
    {"date": "2026-11-28", "run": "triage-31", "fact": "Ships only to LEIPZIG"},
    {"date": "2026-11-27", "run": "triage-30", "fact": "Prefers Straße over mail"},
    {"date": "2026-11-26", "run": "triage-29", "episode": {"cause": "disk in Leipzig"}},
)
DONE = answer("OpenAI", "done")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("leipzig", [0, 2], id="S746-newest-first"),
        pytest.param("Leipzig ships", [0], id="S746-all-words"),
        pytest.param("STRASSE", [1], id="S746-case-folded"),
        pytest.param("triage-29", [2], id="S746-run"),
        pytest.param("nothing", [], id="S746-none"),
    ],
)
def test_all_words_must_be_there(query: str, found: list[int]) -> None:
    assert search(NOTES, query) == [NOTES[at] for at in found]


def test_no_more_than_the_limit_is_found() -> None:
    """S746: at most ten, whatever is asked."""
    many: tuple[Json, ...] = tuple({"fact": f"a {at}"} for at in range(30))
    assert search(many, "a", 3) == list(many[:3])
    assert search(many, "a", 99) == list(many[:MOST])


def asks(**arguments: Any) -> Any:
    return answer("OpenAI", "", Call(NAME, json.dumps(arguments), "c1"))


def shown(asked: Asked) -> list[str]:
    messages = json.loads(asked.body)["messages"]
    return [each["content"] for each in messages if each["role"] == "tool"]


def test_the_model_searches_what_the_run_has_read(tmp_path: Path) -> None:
    """S746: a call as any other: it is counted and traced."""
    with serving(asks(query="leipzig ships"), DONE) as server:
        result = Pod(tmp_path, server.url).perform("any", notes=list(NOTES))
    assert result.output == "done"
    (found,) = shown(server.asked[-1])
    assert json.loads(found) == [NOTES[0]]
    (entry,) = entries(result, "tool")
    assert entry["outcome"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param({"query": " "}, "query: expected words, found ' '", id="empty"),
        pytest.param({}, "query: expected words, found None", id="absent"),
        pytest.param(
            {"query": "a", "limit": 11},
            "limit: expected an integer from 1 to 10, found 11",
            id="11",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_answered(
    arguments: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with serving(asks(**arguments), DONE) as server:
        Pod(tmp_path, server.url).perform("any", notes=list(NOTES))
    assert says in shown(server.asked[-1])[0]


def test_without_notes_there_is_no_such_tool(tmp_path: Path) -> None:
    """S746: the node asks for it."""
    with serving(DONE) as server:
        Pod(tmp_path, server.url).perform("any")
    assert "tools" not in json.loads(server.asked[0].body)
