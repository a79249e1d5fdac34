"""Tool calls that people decide on: what a pod asks before it ends, and what the next attempt is
given.

A call is identified by its digest: place in the conversation, tool and definition of the tool,
arguments. A decision holds for the call with that digest only.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from waypost.protocol import ijson
from waypost.protocol.ijson import Json

VERSION: Final = 1
MAX_CALLS: Final = 16  # that are asked at a time
MAX_ARGUMENTS: Final = 60 * 1024  # bytes of the arguments of one call
MAX_DEFINITION: Final = 16 * 1024  # bytes of a schema that is shown to people
MAX_BYTES: Final = 512 * 1024  # of all calls that are asked at a time

Verdict: TypeAlias = Literal["Approved", "Denied"]


class GatedCall(NamedTuple):
    """A tool call that waits for a decision.

    Attributes:
        turn: Number of the answer of the model that asks for it, in the journal, from 0.
        id: Its id in that answer.
        tool: The tool's name.
        server: The ToolServer; None for a function of a module.
        arguments: As the model gave them.
        definition: Digest of the tool's name, description and schema as the model saw them.
        schema: JSON Schema of its arguments, if it is small.
    """

    turn: int
    id: str
    tool: str
    server: str | None
    arguments: dict[str, Json]
    definition: str
    schema: Json | None = None

    @property
    def digest(self) -> str:
        """What a decision on this call names."""
        return ijson.digest(
            [self.turn, self.id, self.tool, self.server, self.definition, self.arguments]
        )

    def to_json(self) -> dict[str, Json]:
        """The document."""
        given = {
            "server": self.server,
            "schema": self.schema,
        }
        return {
            "turn": self.turn,
            "id": self.id,
            "tool": self.tool,
            "arguments": self.arguments,
            "definition": self.definition,
        } | {key: value for key, value in given.items() if value is not None}


class DecidedCall(NamedTuple):
    """The decision on a call.

    Attributes:
        digest: Of the call.
        verdict: Approved or Denied.
        arguments: What the person put in the place of the model's arguments, if anything.
        reason: Why, as the person said.
        by: Name of the person; None if it is not known.
        expired: Denied because nobody answered in time.
    """

    digest: str
    verdict: Verdict
    arguments: dict[str, Json] | None = None
    reason: str | None = None
    by: str | None = None
    expired: bool = False

    def to_json(self) -> dict[str, Json]:
        """The document."""
        given = {
            "arguments": self.arguments,
            "reason": self.reason,
            "by": self.by,
            "expired": self.expired or None,
        }
        return {"digest": self.digest, "verdict": self.verdict} | {
            key: value for key, value in given.items() if value is not None
        }


def calls_to_json(calls: Iterable[GatedCall]) -> dict[str, Json]:
    """The document with which a pod asks."""
    return {"v": VERSION, "calls": [call.to_json() for call in calls]}


def calls_from_json(document: Json) -> tuple[GatedCall, ...]:
    """Read such a document.

    Raises:
        ValueError: A field is missing or wrong; the message names it.
    """
    calls = tuple(_call(each, at) for at, each in enumerate(_listed(document)))
    if not calls:
        raise ValueError("calls: expected at least one call, found none")
    if len({call.digest for call in calls}) < len(calls):
        raise ValueError("calls: the same call is listed twice")
    return calls


def decisions_to_json(decisions: Iterable[DecidedCall]) -> dict[str, Json]:
    """The document with the decisions on the calls of one attempt."""
    return {"v": VERSION, "calls": [each.to_json() for each in decisions]}


def decisions_from_json(document: Json) -> tuple[DecidedCall, ...]:
    """Read such a document.

    Raises:
        ValueError: A field is missing or wrong; the message names it.
    """
    return tuple(_decision(each, at) for at, each in enumerate(_listed(document)))


def _listed(document: Json) -> list[Json]:
    if not isinstance(document, dict) or document.get("v") != VERSION:
        raise ValueError(f"expected an object of version {VERSION}")
    calls = document.get("calls")
    if not isinstance(calls, list) or len(calls) > MAX_CALLS:
        raise ValueError(f"calls: expected a list of at most {MAX_CALLS}")
    return calls


def _call(each: Json, at: int) -> GatedCall:
    fields = _Fields(each, f"calls[{at}]")
    turn: Any = fields.get("turn")
    if type(turn) is not int or turn < 0:
        raise fields.wrong("turn", "an integer of at least 0")
    arguments = fields.object("arguments")
    size = len(ijson.canonical(arguments))
    if size > MAX_ARGUMENTS:
        raise ValueError(f"calls[{at}].arguments: {size} bytes, the limit is {MAX_ARGUMENTS}")
    return GatedCall(
        turn,
        fields.text("id"),
        fields.text("tool"),
        fields.text("server") if "server" in fields else None,
        arguments,
        fields.text("definition"),
        fields.get("schema"),
    )


def _decision(each: Json, at: int) -> DecidedCall:
    fields = _Fields(each, f"calls[{at}]")
    verdict: Any = fields.get("verdict")
    if verdict not in get_args(Verdict):
        raise fields.wrong("verdict", "Approved or Denied")
    return DecidedCall(
        fields.text("digest"),
        verdict,
        fields.object("arguments") if "arguments" in fields else None,
        fields.text("reason") if "reason" in fields else None,
        fields.text("by") if "by" in fields else None,
        fields.get("expired") is True,
    )


class _Fields(dict[str, Json]):
    """The fields of an object at `place`, each of an expected type. Raises ValueError."""

    def __init__(self, value: Json, place: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{place}: expected an object, found {value!r:.60}")
        super().__init__(value)
        self._place = place

    def text(self, name: str) -> str:
        """A string of at most 4096 characters."""
        value = self.get(name)
        if isinstance(value, str) and len(value) <= 4096:
            return value
        raise self.wrong(name, "a string of at most 4096 characters")

    def object(self, name: str) -> dict[str, Json]:
        """An object."""
        value = self.get(name)
        if isinstance(value, dict):
            return value
        raise self.wrong(name, "an object")

    def wrong(self, name: str, expected: str) -> ValueError:
        """That a field is not as expected."""
        return ValueError(
            f"{self._place}.{name}: expected {expected}, found {self.get(name)!r:.60}"
        )
