"""What spans of tool calls have of arguments and results, by the policy of the installation. Pure.

A pod writes its trace itself, and may write more into it than it should: what the policy does not
allow is left out here again, and texts have a limit.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from waypost.protocol.text import shorten
from waypost.telemetry import conventions

ContentPolicy = Literal["Off", "Digests", "Redacted"]
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TEXT: Final = 1000  # characters, as in the pod
_DIGESTS: Final = {
    "argumentsDigest": conventions.TOOL_ARGUMENTS_DIGEST,
    "resultDigest": conventions.TOOL_RESULT_DIGEST,
}
_TEXTS: Final = {
    "arguments": conventions.TOOL_ARGUMENTS,
    "result": conventions.TOOL_RESULT,
}


def content_of(entry: Mapping[str, Any], policy: ContentPolicy) -> Iterator[tuple[str, str]]:
    """Name and value of the attributes that the policy allows, from an entry of a trace."""
    if policy == "Off":
        return
    for field, name in _DIGESTS.items():
        digest = entry.get(field)
        if isinstance(digest, str) and _DIGEST.fullmatch(digest):
            yield name, digest
    if policy != "Redacted":
        return
    for field, name in _TEXTS.items():
        text = entry.get(field)
        if isinstance(text, str):
            yield name, shorten(text, _TEXT)
