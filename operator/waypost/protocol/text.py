"""Texts of statuses, records and Events, cut to a length."""

import re
from typing import Final

# Control characters but tab and line break, and surrogates, which stand for no character.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with U+FFFD for what no terminal, log or status should be given."""
    return _UNPRINTABLE.sub("\ufffd", text)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; a cut text ends with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
