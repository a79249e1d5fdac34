"""Texts of statuses, records, Events and terminals: without control characters, cut to a length."""

import re
from typing import Final

# What a terminal would obey or hide: control characters but tab and line break, marks that change
# the direction of text, other line breaks, invisible tags; and surrogates, which are no characters.
UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """The text with U+FFFD for what no terminal, log or status should be given (S377)."""
    return UNSAFE.sub("\ufffd", text)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; a cut text ends with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def is_cut(text: str) -> bool:
    """Whether `shorten` has cut a text, as far as the text shows it."""
    return text.endswith("…")
