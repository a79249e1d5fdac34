"""Texts of statuses, records and Events, cut to a length."""


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; a cut text ends with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
