"""Journals that an earlier release wrote are read as that release meant them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.ijson import Json
from waypost_agent.journal import entries
from waypost_agent.journal.entries import Result
from waypost_agent.journal.journal import Journal
from waypost_agent.provider import answers
from waypost_agent.tools.tool_results import Media

# As the release before ids of our own, media and cut results wrote it.
GOLDEN = Path(__file__).parent / "golden" / "journal-v1.json"


class Kept:
    """A store in memory, with what is in a file."""

    def __init__(self, segments: list[Json]) -> None:
        self.segments = segments
        self.appended: list[Any] = []

    async def read(self, *, after: int) -> list[Json]:
        return self.segments[after:]

    async def append(self, number: int, document: Json) -> None:
        assert isinstance(document, dict)
        self.appended += json.loads(str(document["text"]))


def test_a_golden_journal_is_read() -> None:
    past = entries.read(json.loads(GOLDEN.read_text()))
    assert [turn.void for turn in past.turns] == [False, False, True, True]
    first, second, *_ = past.turns
    assert first.results == {
        "c1": Result("ok", {"found": [1, 2.5, None, "é"]}),
        "c2": Result("failed", message="the printer is empty"),
    }
    assert second.rejected == {"c3"}
    assert [list(turn.unfinished()) for turn in past.turns[:2]] == [[], []]
    assert answers.call_ids(first.response) == ["c1", "c2"]
    assert first.response.usage.input_tokens == 100


def test_an_attempt_goes_on_with_a_golden_journal() -> None:
    store = Kept(json.loads(GOLDEN.read_text()))
    journal = Journal(store, str)

    async def go_on() -> list[str | None]:
        await journal.open(library="x", topic="sha256:topic", accounted="sha256:new")
        journal.resume({})
        replayed = []
        while (turn := journal.next_answer()) is not None:
            replayed.append(turn.response.text)
        return replayed

    assert asyncio.run(go_on()) == ["I look.", None], "no effect is unknown: nothing began"
    assert [each["k"] for each in store.appended] == ["opened"]


ROUND = [
    pytest.param(Result("ok", "x"), id="text"),
    pytest.param(Result("ok", "x", media=(Media("image/png", "AAAA"),)), id="media"),
    pytest.param(Result("ok", "x", cut=True), id="cut"),
    pytest.param(Result("failed", message="no"), id="failed"),
]


@pytest.mark.parametrize("result", ROUND)
def test_a_result_is_read_as_it_was_written(result: Result) -> None:
    segments = json.loads(GOLDEN.read_text())[:3]
    [document] = entries.packed([result.to_json("c1", turn=0)], str, by="0123456789ab")
    late = {"number": 4, "attempt": 1, "podUID": "p", "document": document}
    assert entries.read([*segments, late]).turns[0].results == {"c1": result}


@pytest.mark.parametrize(
    ("more", "unfinished"),
    [
        pytest.param([], ["c1", "c2"], id="began"),
        pytest.param(["notMade"], ["c1"], id="not-made"),
        pytest.param(["notMade", "begun"], ["c1", "c2"], id="begun-again"),
    ],
)
def test_a_call_that_was_not_made_is_not_unknown(more: list[str], unfinished: list[str]) -> None:
    make = {"notMade": entries.not_made, "begun": entries.begun}
    segments = json.loads(GOLDEN.read_text())[:3]
    batch = [make[name]("c2", turn=0) for name in more]
    for document in entries.packed(batch, str, by="0123456789ab") if batch else ():
        segments.append({"number": 4, "attempt": 1, "podUID": "p", "document": document})
    [turn] = entries.read(segments).turns
    assert [mark.call_id for mark in turn.unfinished()] == unfinished
