"""Where an expression inside text ends, by the lexical rules of CEL."""

from __future__ import annotations

_QUOTES = ('"""', "'''", '"', "'")


def expression_end(text: str, begin: int) -> int | None:
    """The index of the `}` that closes the expression that begins at `begin`; None without one.

    Braces inside string literals and comments do not count, braces of map literals nest.
    """
    depth = 0
    at = begin
    while at < len(text):
        character = text[at]
        if character == "}":
            if depth == 0:
                return at
            depth -= 1
        elif character == "{":
            depth += 1
        elif character in "\"'":
            after = _string_end(text, at)
            if after is None:
                return None
            at = after
            continue
        elif text.startswith("//", at):
            line_end = text.find("\n", at)
            if line_end < 0:
                return None
            at = line_end
        at += 1
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
