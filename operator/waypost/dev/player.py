"""Plays scripts: chooses the turn for a request and builds its answer. No I/O, no clock."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from waypost.api.base import parse_duration
from waypost.dev.conversation import (
    Answer,
    Ask,
    Failure,
    Json,
    NoValue,
    ToolCall,
    Usage,
    filled,
    look,
    plain,
    tokens_of,
)
from waypost.dev.script import ANSWERS, FOREVER, Expectation, Script, Turn

PREFIX = "scripted/"


@dataclass(frozen=True)
class Played:
    """The result of a request. `turn` counts from 1; None: no turn was used."""

    script: str
    turn: int | None
    result: Answer | Failure


@dataclass
class Progress:
    """The progress of one conversation."""

    turn: int = 0
    times: int = 0  # how often this turn was played
    requests: int = 0
    answered: bool = False
    failed: dict[int, int] = field(default_factory=dict)  # plays by turn


@dataclass
class Player:
    """Scripts by name, and the conversations that use them."""

    scripts: dict[str, Script]
    _progress: dict[tuple[str, str], Progress] = field(default_factory=dict)

    def load(self, scripts: Mapping[str, Script]) -> None:
        """Add scripts. One with the name of an existing script replaces it and starts over."""
        self.scripts.update(scripts)
        for key in [key for key in self._progress if key[0] in scripts]:
            del self._progress[key]

    def play(self, ask: Ask) -> Played:
        """Play the next turn of the script that the model name selects."""
        name = self._chosen(ask)
        script = self.scripts.get(name)
        if script is None:
            known = ", ".join(sorted(self.scripts))
            text = (
                f"no script {name!r}, and no script whose match fits; a model scripted/NAME "
                f"selects one of: {known}"
            )
            return Played(name, None, Failure(404, text, code="model_not_found"))
        progress = self._progress.setdefault((name, ask.opening), Progress())
        if script.restart and progress.answered and ask.is_opening:
            progress = self._progress[name, ask.opening] = Progress()
        if script.by_answers:
            progress.turn = _turn_of(script, ask.answers, progress.failed)
        if progress.turn >= len(script.turns):
            text = (
                f"script {name!r} has ended: this conversation has used all {len(script.turns)} "
                "turns; add a turn, or set repeat or restart"
            )
            return Played(name, None, Failure(410, text, code="script_over"))
        turn, number = script.turns[progress.turn], progress.turn + 1
        problem = _broken(turn.expect, ask.document())
        if problem:
            text = f"script {name!r}, turn {number}: {problem}"
            return Played(name, None, Failure(422, text, code="expectation_failed"))
        try:
            result = _result(script, turn, ask, serial=progress.requests)
        except NoValue as error:
            text = f"script {name!r}, turn {number}: {error}"
            return Played(name, None, Failure(422, text, code="no_such_result"))
        _advance(progress, turn)
        return Played(name, number, result)

    def _chosen(self, ask: Ask) -> str:
        """Name of the script: from the model name, else the first script whose match fits."""
        name = ask.model.removeprefix(PREFIX)
        if name in self.scripts:
            return name
        document = ask.document()
        for other, script in self.scripts.items():
            if script.match and not _broken(script.match, document):
                return other
        return name


def _turn_of(script: Script, answers: int, failed: dict[int, int]) -> int:
    """Index of the turn for a request that contains this many answers. Turns that fail are played
    before the answer that follows them, as often as they repeat."""
    seen = 0
    for index, turn in enumerate(script.turns):
        times = math.inf if turn.repeat == FOREVER else turn.repeat
        if turn.action not in ANSWERS:
            if seen == answers and failed.get(index, 0) < times:
                return index
            continue
        if answers < seen + times:
            return index
        seen += turn.repeat if isinstance(turn.repeat, int) else 0
    return len(script.turns)


def _advance(progress: Progress, turn: Turn) -> None:
    if turn.action not in ANSWERS:
        progress.failed[progress.turn] = progress.failed.get(progress.turn, 0) + 1
    progress.requests += 1
    progress.times += 1
    progress.answered = progress.answered or turn.action in ANSWERS
    if turn.repeat != FOREVER and progress.times >= turn.repeat:
        progress.turn, progress.times = progress.turn + 1, 0


def _broken(expectations: list[Expectation], document: Json) -> str:
    """Describes the first expectation that fails; empty if all hold."""
    for wanted in expectations:
        try:
            found = look(document, wanted.at)
        except NoValue as error:
            return f"expect: {error}"
        if "equals" in wanted.model_fields_set:
            holds, text = found == wanted.equals, f"to equal {plain(wanted.equals)}"
        elif "contains" in wanted.model_fields_set:
            holds, text = _holds(found, wanted.contains), f"to contain {plain(wanted.contains)}"
        else:
            holds, text = not _holds(found, wanted.lacks), f"not to contain {plain(wanted.lacks)}"
        if not holds:
            return f"expected {wanted.at} {text}, found {plain(found):.200}"
    return ""


def _holds(found: Json, part: Json) -> bool:
    if isinstance(found, str):
        return plain(part) in found
    return isinstance(found, list | dict) and part in found


def _result(script: Script, turn: Turn, ask: Ask, *, serial: int) -> Answer | Failure:
    if turn.status is not None:
        text = turn.message or f"scripted failure with status {turn.status}"
        return Failure(turn.status, text, retry_after=turn.retry_after)
    if turn.hang is not None:
        text = f"scripted hang of {turn.hang} has ended"
        return Failure(504, text, hang=parse_duration(turn.hang))
    mark = f"{ask.opening[:8]}_{serial}"
    text, calls = _spoken(script, turn, ask, mark=mark)
    refusal = turn.refuse or ""
    written = tokens_of(text or refusal) + sum(tokens_of(c.name + c.arguments) for c in calls)
    tokens = turn.tokens
    return Answer(
        id=f"scripted_{mark}",
        text=text,
        calls=calls,
        refusal=refusal,
        usage=Usage(
            input=tokens_of(ask.body) if tokens.input is None else tokens.input,
            cached=tokens.cached,
            output=written if tokens.output is None else tokens.output,
        ),
        tokens_per_second=turn.slow.tokens_per_second if turn.slow else None,
    )


def _spoken(script: Script, turn: Turn, ask: Ask, *, mark: str) -> tuple[str, tuple[ToolCall, ...]]:
    """The text and the tool calls of a turn."""
    results = ask.results()
    text = filled(turn.say or "", results)
    wanted = [(call.tool, _written(filled(call.arguments, results))) for call in turn.call or ()]
    if turn.action in ("output", "malformed"):
        raw = turn.malformed
        text = raw if raw is not None else json.dumps(filled(turn.output, results))
        tool = next((name for name in ask.tools if name.startswith(script.output_tool)), None)
        if tool is not None and not ask.json_text:
            text, wanted = "", [(tool, text)]
    calls = [
        ToolCall(id=f"call_{mark}_{index}", name=name, arguments=arguments)
        for index, (name, arguments) in enumerate(wanted)
    ]
    return plain(text), tuple(calls)


def _written(arguments: Json) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
