"""What a trace has of the arguments and the results of tool calls, by the policy of the
installation: nothing, digests, or texts without secrets and without what schemas mark."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from waypost.protocol import ijson
from waypost.protocol.agents.sensitive import without_marked
from waypost.protocol.ijson import Json
from waypost.protocol.text import printable, shorten

from waypost_agent.journal.entries import Result, redacted
from waypost_agent.tools import result_pages

OFF: Final = "Off"
DIGESTS: Final = "Digests"
REDACTED: Final = "Redacted"
POLICIES: Final = (OFF, DIGESTS, REDACTED)
_TEXT: Final = 1000  # characters of one text
_TEXTS: Final = 32_000  # characters of all texts of an attempt

Fields = dict[str, Json]


class ToolContent:
    """The fields of an entry of the trace about what a tool was given, and what it gave."""

    def __init__(self, policy: str, redact: Callable[[str], str]) -> None:
        self._policy = policy
        self._redact = redact
        self._left = _TEXTS

    def arguments(self, arguments: str | dict[str, Any] | None, schema: Json) -> Fields:
        """Of a call, as the model wrote it; `schema` is that of the arguments of its tool."""
        if self._policy == OFF:
            return {}
        value: Json = arguments
        if isinstance(arguments, str):
            try:
                value = json.loads(arguments)
            except ValueError:  # the loop refuses the call: the text has no known parts
                return {"argumentsDigest": _digest(arguments)}
        return self._fields("arguments", value or {}, schema)

    def result(self, result: Result, *, tool: str, schema: Json) -> Fields:
        """Of a call that has ended well; an error has its own field."""
        if self._policy == OFF or result.outcome != "ok":
            return {}
        if result.cut or tool == result_pages.NAME:  # a part, to which no schema applies
            return {"resultDigest": _digest(result.value)}
        return self._fields("result", result.value, schema)

    def _fields(self, name: str, value: Json, schema: Json) -> Fields:
        found: Fields = {f"{name}Digest": _digest(value)}
        if self._policy == REDACTED and self._left > 0:
            shown = redacted(without_marked(value, schema), self._redact, foreign=True)
            text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
            text = shorten(printable(self._redact(text)), _TEXT)
            self._left -= len(text)
            found[name] = text
        return found


def _digest(value: Json) -> str:
    """sha256 of the canonical form (RFC 8785); of the text of what has none."""
    try:
        return ijson.digest(ijson.check(value))
    except ijson.IJsonError:
        text = json.dumps(value, sort_keys=True, default=str)
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
