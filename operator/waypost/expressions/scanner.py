"""Where an expression inside text ends, by the lexical rules of CEL."""

from __future__ import annotations

import re

_TELLING = re.compile(r"[{}\"']|//")
_QUOTES = ('"""', "'''", '"', "'")


def expression_end(text: str, begin: int) -> int | None:
    """The index of the `}` that closes the expression at `begin`; None if there is none.

    Braces inside string literals and comments do not count, braces of map literals nest.
    """
    depth = 0
    match = _TELLING.search(text, begin)
    while match is not None:
        at: int | None = match.end()
        match match.group():
            case "}" if depth == 0:
                return match.start()
            case "}":
                depth -= 1
            case "{":
                depth += 1
            case "//":
                at = text.find("\n", match.end()) + 1 or None
            case _:
                at = _string_end(text, match.start())
        match = None if at is None else _TELLING.search(text, at)
    return None


def _string_end(text: str, at: int) -> int | None:
    """The index after the string literal whose quote is at `at`.

    Raw strings need no special case: the library refuses one that ends in a backslash.
    """
    quote = next(quote for quote in _QUOTES if text.startswith(quote, at))
    at += len(quote)
    while at < len(text):
        if text.startswith(quote, at):
            return at + len(quote)
        if text[at] == "\n" and len(quote) == 1:
            return None  # a short string ends on its line
        at += 2 if text[at] == "\\" else 1
    return None
