"""Where an expression inside text ends, by the lexical rules of CEL."""

from __future__ import annotations

import re

_TELLING = re.compile(r"[{}\"']|//")
_QUOTES = ('"""', "'''", '"', "'")


def expression_end(text: str, begin: int) -> int | None:
    """The index of the `}` that closes the expression that begins at `begin`; None without one.

    Braces inside string literals and comments do not count, braces of map literals nest.
    """
    depth = 0
    found = _TELLING.search(text, begin)
    while found is not None:
        at: int | None = found.end()
        match found.group():
            case "}" if depth == 0:
                return found.start()
            case "}":
                depth -= 1
            case "{":
                depth += 1
            case "//":
                at = text.find("\n", found.end()) + 1 or None
            case _:
                at = _string_end(text, found.start())
        found = None if at is None else _TELLING.search(text, at)
    return None


def _string_end(text: str, at: int) -> int | None:
    """The index after the string literal whose quote stands at `at`.

    Raw strings need no case of their own: the library refuses one that ends in a backslash.
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
