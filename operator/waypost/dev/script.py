"""The format of scripts: the answers of the model server, turn by turn.

docs/testing-agents.md documents it for users, with examples.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from waypost.api.base import Duration, JsonValue, Model
from waypost.api.validation import words

ACTIONS: Final = ("say", "output", "call", "malformed", "refuse", "status", "hang")
ANSWERS: Final = frozenset({"say", "output", "call", "malformed", "refuse"})
FOREVER: Final = "forever"
Text = Annotated[str, StringConstraints(min_length=1)]


class ScriptError(Exception):
    """An invalid script. The message lists every problem with its place, one per line."""


class Expectation(Model):
    """A condition on the request; if it fails, the request gets 422. Exactly one of equals,
    contains, lacks."""

    at: Text = Field(
        description="Where to look: model, system, prompt (the last user message), last (the last "
        "message), tools (names), results.TOOL, messages[-1].text, body.<path>."
    )
    equals: JsonValue = Field(default=None, description="The expected value.")
    contains: JsonValue = Field(
        default=None, description="Expected part of the text or item of the list."
    )
    lacks: JsonValue = Field(default=None, description="Part or item that must be absent.")

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if len(self.model_fields_set & {"equals", "contains", "lacks"}) != 1:
            raise ValueError("expected exactly one of equals, contains, lacks")
        return self


class Call(Model):
    """One tool call."""

    tool: Text = Field(description="Name of the tool, as the request offers it.")
    arguments: JsonValue = Field(
        default_factory=dict,
        description="An object. A string is sent unchanged, even if it is not valid JSON.",
    )


class Tokens(Model):
    """Tokens of the answer. Missing values are computed: one token for every 4 bytes."""

    input: int | None = Field(
        default=None, ge=0, description="Input tokens, including cached tokens."
    )
    output: int | None = Field(default=None, ge=0, description="Output tokens.")
    cached: int = Field(default=0, ge=0, description="How many of the input tokens are cached.")

    @model_validator(mode="after")
    def _cached_is_part_of_input(self) -> Self:
        if self.cached and (self.input is None or self.cached > self.input):
            raise ValueError("cached is part of input: set input, and cached to at most input")
        return self


class Slow(Model):
    """Speed of the answer."""

    tokens_per_second: float = Field(gt=0, description="Output tokens per second.")


class Turn(Model):
    """One answer. Exactly one of say, output, call, malformed, refuse, status, hang; or say
    together with call."""

    say: str | None = Field(default=None, description="Plain text.")
    output: JsonValue = Field(
        default=None,
        description="The final output: a call of the output tool if the request offers one, else "
        "JSON text.",
    )
    call: list[Call] | None = Field(default=None, min_length=1, description="Parallel tool calls.")
    malformed: str | None = Field(
        default=None, description="The final output as raw text, for example truncated JSON."
    )
    refuse: Text | None = Field(default=None, description="The model refuses, with this text.")
    status: int | None = Field(
        default=None, ge=400, le=599, description="The request fails with this HTTP status."
    )
    retry_after: float | None = Field(
        default=None, ge=0, description="Seconds in the header Retry-After; with status only."
    )
    message: Text | None = Field(
        default=None, description="The provider's error message; with status only."
    )
    hang: Duration | None = Field(default=None, description="No response for this long, then 504.")
    slow: Slow | None = Field(default=None, description=Slow.__doc__)
    tokens: Tokens = Field(default_factory=Tokens, description=Tokens.__doc__)
    expect: list[Expectation] = Field(
        default_factory=list,
        description="Conditions on the request. If one fails, the turn is not used.",
    )
    repeat: Annotated[int, Field(ge=1)] | Literal["forever"] = Field(
        default=1, description='How often the turn is played: a number, or "forever".'
    )

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        given = [name for name in ACTIONS if name in self.model_fields_set]
        if len(given) != 1 and given != ["say", "call"]:
            found = ", ".join(given) or "none"
            raise ValueError(
                f"expected one of {', '.join(ACTIONS)} (or say with call), found {found}"
            )
        if self.status is None and (self.retry_after is not None or self.message):
            raise ValueError("retryAfter and message require status")
        if not ANSWERS.intersection(given) and self.model_fields_set & {"slow", "tokens"}:
            raise ValueError(f"slow and tokens require an answer; {given[0]} is not an answer")
        return self

    @property
    def action(self) -> str:
        """The field that defines the action; `call` for say together with call."""
        return [name for name in ACTIONS if name in self.model_fields_set][-1]


class Script(Model):
    """The answers of one conversation, in order."""

    turns: list[Turn] = Field(min_length=1, description="The answers, in order.")
    match: list[Expectation] = Field(
        default_factory=list,
        description="Use this script for requests of other models that meet all conditions: for "
        "workflows that name a real model.",
    )
    restart: bool = Field(
        default=False,
        description="true: a request that contains no answer starts the script again, once an "
        "answer was given. For servers that outlive a run.",
    )
    by_answers: bool = Field(
        default=False,
        description="true: the number of answers in a request selects the turn, so a client that "
        "was killed and asks again gets the same answer. Turns with status or hang are played "
        "once, before the answer that follows them.",
    )
    output_tool: Text = Field(
        default="final_result",
        description="Name, or start of the name, of the tool that returns the output.",
    )

    @model_validator(mode="after")
    def _one_way_to_begin_again(self) -> Self:
        if self.restart and self.by_answers:
            raise ValueError("restart has no effect together with byAnswers")
        return self


class ScriptFile(Model):
    """A file of scripts, by name: model scripted/NAME (or just NAME) plays the script NAME."""

    api_key: Text | None = Field(
        default=None, description="Answer 401 to requests without this key. Never use a real key."
    )
    scripts: dict[Text, Script] = Field(min_length=1, description="The scripts by name.")


def load(path: Path) -> ScriptFile:
    """The scripts of a file. Raises ScriptError."""
    try:
        return parse(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: {error}") from error


def parse(text: str, *, source: str) -> ScriptFile:
    """The scripts in a YAML or JSON text; `source`: its name in messages. Raises ScriptError."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}" if mark else source
        raise ScriptError(f"{place}: not YAML: {getattr(error, 'problem', error)}") from error
    try:
        return ScriptFile.model_validate(document)
    except ValidationError as error:
        lines = [_problem(source, tree, dict(detail)) for detail in error.errors()]
        raise ScriptError("\n".join(lines)) from error


def _problem(source: str, tree: yaml.Node | None, detail: dict[str, Any]) -> str:
    """`script.yaml:12: scripts.draft.turns[1].status: expected ... (found 200)`."""
    path = [part for part in detail["loc"] if part not in ("int", "literal['forever']")]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    message = words.words_of(detail)
    found = detail["input"]
    shown = "" if isinstance(found, dict | list) else f" (found {found!r:.60})"
    return f"{source}:{_line(tree, path)}: {name.lstrip('.') or 'the file'}: {message}{shown}"


def _line(tree: yaml.Node | None, path: list[Any]) -> int:
    """Line (from 1) of the value at `path`, or of its nearest parent."""
    if tree is None:
        return 1
    line = tree.start_mark.line
    for part in path:
        if isinstance(tree, yaml.MappingNode):
            pair = next((pair for pair in tree.value if pair[0].value == str(part)), None)
            if pair is None:
                break
            line, tree = pair[0].start_mark.line, pair[1]
        elif isinstance(tree, yaml.SequenceNode) and isinstance(part, int):
            tree = tree.value[part]
            line = tree.start_mark.line
        else:
            break
    return int(line) + 1
