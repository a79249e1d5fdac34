"""What stands in a journal: entries, packed into segments and read again. No I/O.

A segment is `{v, by, text, more?}`: the text is JSON, because an API server would turn 1.0 into 1;
`by` is the program that wrote it, of which a pod may have had two.
Batches of entries that are longer than a segment go on in the next ones, with `more` in all but the
last; one that was never completed counts as not written (docs/adr/0011-agent-journal.md).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pydantic
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse
from waypost.protocol.ijson import Json

from waypost_agent.tools.tool_results import Media

FORMAT: Final = 1
# Characters: at most 4 bytes each, so far below what a segment may have.
_LONGEST: Final = 200_000
# Where names are not ours: arguments as some providers give them, results of tools.
_FOREIGN: Final = frozenset({"args", "value"})

Entry = dict[str, Any]


class Unreadable(Exception):
    """A journal that this release cannot go on with; the message says why."""


@dataclass(frozen=True)
class Mark:
    """A tool call that was begun. `arguments` is their digest. `gated`: it begins only after a
    person approved it."""

    call_id: str
    tool: str
    arguments: str
    effect: str
    gated: bool = False

    def to_json(self) -> Entry:
        """The entry in the journal."""
        entry: Entry = {
            "call": self.call_id,
            "tool": self.tool,
            "arguments": self.arguments,
            "effect": self.effect,
        }
        return entry | ({"gated": True} if self.gated else {})


@dataclass(frozen=True)
class Result:
    """What a tool call gave: a value, or an error that the model is shown."""

    outcome: str  # ok, failed or retry
    value: Any = None
    message: str = ""
    media: tuple[Media, ...] = ()
    cut: bool = False  # the value is a part of the result

    def to_json(self, call_id: str, *, turn: int) -> Entry:
        """The entry of a call that the answer number `turn` asked for."""
        entry: Entry = {"k": "result", "turn": turn, "call": call_id, "outcome": self.outcome}
        content: Entry = (
            {"value": self.value} if self.outcome == "ok" else {"message": self.message}
        )
        if self.media:
            content["media"] = [{"type": each.type, "data": each.data} for each in self.media]
        return entry | content | ({"cut": True} if self.cut else {})


@dataclass
class Turn:
    """An answer of the model, and what became of the calls that it asked for. `asked`: names of
    tools as they are counted, `by`: who was given the answer, `topic`: of which conversation it is,
    `void`: it counts for usage only."""

    response: ModelResponse
    asked: tuple[str, ...]
    marks: dict[str, Mark]
    by: str
    attempt: int
    topic: Json
    model: str | None = None  # key of the model that answered; earlier releases kept none
    number: int = 0  # among all answers of the journal
    results: dict[str, Result] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)
    not_made: set[str] = field(default_factory=set)
    void: bool = False

    def unfinished(self) -> Iterator[Mark]:
        """The calls that began, and whose end is not known."""
        for mark in self.marks.values():
            if not any(
                mark.call_id in ended for ended in (self.results, self.rejected, self.not_made)
            ):
                yield mark


@dataclass
class Past:
    """What a journal says. `openings`: the usage that the operator knew of when a program began.
    `tools`: digests of what servers said of their tools when a conversation began, by its topic."""

    turns: list[Turn] = field(default_factory=list)
    openings: dict[str, Json] = field(default_factory=dict)
    library: str = ""
    topic: Json = None  # of the latest conversation
    tools: dict[Json, dict[str, str]] = field(default_factory=dict)


def opened(*, library: str, topic: Json, accounted: Json) -> Entry:
    """The writer of this entry continues the journal from here.

    `topic`: digest of what the model is asked, without which its answers mean nothing."""
    return {"k": "opened", "library": library, "topic": topic, "accounted": accounted}


def asking(tools: Mapping[str, str] | None = None) -> Entry:
    """A model call begins. `tools`: with the first call of a conversation, digests of what servers
    say of their tools, by name."""
    return {"k": "asking"} | ({"tools": dict(tools)} if tools else {})


def answer(
    response: ModelResponse, *, asked: Sequence[str], marks: Sequence[Mark], model: str
) -> Entry:
    """A call of `model` has ended, and the calls of tools that it asks for begin."""
    [message] = json.loads(ModelMessagesTypeAdapter.dump_json([response]))
    return {
        "k": "answer",
        "message": message,
        "model": model,
        "asked": list(asked),
        "started": [mark.to_json() for mark in marks],
    }


def rejected(call_id: str, *, turn: int) -> Entry:
    """The arguments of a call reached no tool."""
    return {"k": "rejected", "turn": turn, "call": call_id}


def not_made(call_id: str, *, turn: int) -> Entry:
    """A call was refused before the tool did anything: it is to be made."""
    return {"k": "notMade", "turn": turn, "call": call_id}


def begun(call_id: str, *, turn: int) -> Entry:
    """A call that was not made begins again."""
    return {"k": "begun", "turn": turn, "call": call_id}


def void(*, turn: int) -> Entry:
    """That answer was of no use: it is to be asked for again."""
    return {"k": "void", "turn": turn}


def packed(entries: Sequence[Entry], redact: Callable[[str], str], *, by: str) -> list[Json]:
    """The documents of the segments that hold these entries, without a secret."""
    text = json.dumps(redacted(list(entries), redact), ensure_ascii=False, separators=(",", ":"))
    pieces = [text[at : at + _LONGEST] for at in range(0, len(text), _LONGEST)]
    head: dict[str, Json] = {"v": FORMAT, "by": by}
    documents: list[Json] = [{**head, "text": piece, "more": True} for piece in pieces]
    del documents[-1]["more"]
    return documents


def redacted(value: Any, redact: Callable[[str], str], *, foreign: bool = False) -> Any:
    """The value without a secret. `foreign`: its keys are somebody's words as well."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(item, redact, foreign=foreign) for item in value]
    if isinstance(value, dict):
        return {
            redact(key) if foreign else key: redacted(
                item, redact, foreign=foreign or key in _FOREIGN
            )
            for key, item in value.items()
        }
    return value


def read(segments: Sequence[Json]) -> Past:
    """What the segments say, as the gateway gives them out. Raises Unreadable."""
    past = Past()
    try:
        for entry, attempt, by in _entries(segments):
            _take(past, entry, attempt=attempt, by=by)
    except (LookupError, TypeError, ValueError, pydantic.ValidationError) as error:
        by = f" by {past.library}" if past.library else ""
        raise Unreadable(f"written{by}: {_problem(error)}") from None
    return past


def _problem(error: Exception) -> str:
    """What is wrong, without anything that was said in the conversation."""
    if isinstance(error, pydantic.ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def _entries(segments: Sequence[Json]) -> Iterator[tuple[Entry, int, str]]:
    """The entries of all complete batches, with the attempt and the program that wrote them."""
    text, writer = "", ""
    for segment in segments:
        document = segment["document"]
        if document["v"] != FORMAT:
            raise ValueError(f"format {document['v']!r:.20}, known is {FORMAT}")
        by = document["by"]
        # What another began and did not complete was never written.
        text = text + document["text"] if by == writer else document["text"]
        writer = by if document.get("more") else ""
        if not document.get("more"):
            for entry in json.loads(text):
                yield entry, segment["attempt"], by


def _take(past: Past, entry: Entry, *, attempt: int, by: str) -> None:
    match entry["k"]:
        case "opened":
            past.openings[by] = entry["accounted"]
            past.library, past.topic = entry["library"], entry["topic"]
        case "answer":
            turn = _turn(entry, attempt=attempt, by=by, topic=past.topic)
            past.turns.append(replace(turn, number=len(past.turns)))
        case "result":
            result = _result(entry)
            turn = past.turns[entry["turn"]]
            turn.results[entry["call"]] = result
            turn.void = False  # it was acted on
        case "rejected":
            past.turns[entry["turn"]].rejected.add(entry["call"])
        case "notMade":
            past.turns[entry["turn"]].not_made.add(entry["call"])
        case "begun":
            past.turns[entry["turn"]].not_made.discard(entry["call"])
        case "void":
            past.turns[entry["turn"]].void = True
        case "asking":
            if "tools" in entry:
                past.tools.setdefault(past.topic, dict(entry["tools"]))
        case other:
            raise ValueError(f"entry {other!r:.40} is not known")


def _result(entry: Entry) -> Result:
    media = tuple(Media(each["type"], each["data"]) for each in entry.get("media", ()))
    return Result(
        entry["outcome"],
        entry.get("value"),
        entry.get("message", ""),
        media=media,
        cut=bool(entry.get("cut")),
    )


def _turn(entry: Entry, *, attempt: int, by: str, topic: Json) -> Turn:
    [response] = ModelMessagesTypeAdapter.validate_json(json.dumps([entry["message"]]))
    if not isinstance(response, ModelResponse):
        raise TypeError("an answer that is no response of a model")
    marks = [
        Mark(
            mark["call"],
            mark["tool"],
            mark["arguments"],
            mark["effect"],
            mark.get("gated") is True,
        )
        for mark in entry["started"]
    ]
    by_id = {mark.call_id: mark for mark in marks}
    asked = tuple(entry["asked"])
    # Earlier releases kept answers with two calls of one id, which the loop refused: without a
    # result, none began.
    void = len(by_id) < len(marks)
    return Turn(
        response,
        asked,
        by_id,
        by=by,
        attempt=attempt,
        topic=topic,
        model=entry.get("model"),
        not_made={mark.call_id for mark in marks if mark.gated},
        void=void,
    )
