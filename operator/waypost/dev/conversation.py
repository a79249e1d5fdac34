"""A request to a model and its answer, independent of the API of any provider."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Json = Any
_STEP: Final = re.compile(r"\.?([A-Za-z0-9_-]+)|\[(-?[0-9]+)\]")


@dataclass(frozen=True)
class Message:
    """One message. `tool`: the tool that returned it as its result."""

    role: Literal["user", "assistant", "tool"]
    text: str
    tool: str = ""


@dataclass(frozen=True)
class Ask:
    """A request. `json_text`: the answer must be JSON text; `body`: the request as received."""

    provider: str
    model: str
    stream: bool
    system: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...]
    json_text: bool
    body: Json

    @property
    def is_opening(self) -> bool:
        """Whether the request contains no answer yet."""
        return all(message.role == "user" for message in self.messages)

    @property
    def answers(self) -> int:
        """Number of answers in the request."""
        roles = [message.role for message in self.messages]
        before = ["user", *roles]
        return sum(role == "assistant" != last for last, role in zip(before, roles, strict=False))

    @property
    def opening(self) -> str:
        """Identifies the conversation: a digest of everything before the first answer."""
        texts = [self.system]
        for message in self.messages:
            if message.role != "user":
                break
            texts.append(message.text)
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()

    def results(self) -> dict[str, Json]:
        """The last result of each tool: parsed if it is JSON, else text."""
        return {m.tool: _loose(m.text) for m in self.messages if m.role == "tool"}

    def document(self) -> dict[str, Json]:
        """The document that expectations are checked against."""
        users = [message.text for message in self.messages if message.role == "user"]
        return {
            "model": self.model,
            "system": self.system,
            "prompt": users[-1] if users else "",
            "last": self.messages[-1].text if self.messages else "",
            "tools": list(self.tools),
            "results": self.results(),
            "messages": [vars(message) for message in self.messages],
            "body": self.body,
        }


@dataclass(frozen=True)
class ToolCall:
    """A tool call; `arguments` should be JSON text, but a script may break it."""

    id: str
    name: str
    arguments: str

    def argument_object(self) -> dict[str, Json]:
        """The arguments as an object, for providers that send one; broken JSON becomes a field."""
        value = _loose(self.arguments)
        return value if isinstance(value, dict) else {"malformed": self.arguments}


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; `input` includes the cached tokens."""

    input: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True)
class Answer:
    """An answer of the model: text and calls, or a refusal."""

    id: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    usage: Usage = field(default_factory=Usage)
    tokens_per_second: float | None = None


@dataclass(frozen=True)
class Failure:
    """The request fails, after `hang` seconds."""

    status: int
    message: str
    code: str = "scripted"
    retry_after: float | None = None
    hang: float = 0.0


class NoValue(LookupError):
    """No value at a path. The message names the step that failed."""


def look(document: Json, path: str) -> Json:
    """The value at a path such as `results.search.items[0]`. Raises NoValue."""
    value, position = document, 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise NoValue(f"{path!r} is not a path: see character {position + 1}")
        name, index = step.groups()
        try:
            value = value[int(index)] if index is not None else _member(value, name)
        except (KeyError, IndexError, TypeError, ValueError):
            raise NoValue(f"{path!r}: nothing at {path[: step.end()]!r}") from None
        position = step.end()
    return value


def _member(value: Json, name: str) -> Json:
    return value[int(name)] if isinstance(value, list) else value[name]


def plain(value: Json) -> str:
    """A string unchanged, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def tokens_of(value: Json) -> int:
    """One token for every 4 bytes, rounded up: reproducible without a tokenizer."""
    return -(-len(plain(value).encode()) // 4)


def filled(value: Json, results: Mapping[str, Json]) -> Json:
    """`value` with every ${results.TOOL.path} in its strings replaced. A string that is only a
    reference becomes the referenced value, whatever its type. Raises NoValue."""
    if isinstance(value, dict):
        return {key: filled(item, results) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, results) for item in value]
    if not isinstance(value, str):
        return value
    document = {"results": results}
    whole = _SLOT.fullmatch(value)
    if whole:
        return look(document, whole[1])
    return _SLOT.sub(lambda slot: plain(look(document, slot[1])), value)


_SLOT: Final = re.compile(r"\$\{(results\.[^${}]+)\}")


def _loose(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return text
