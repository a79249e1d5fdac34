"""Texts of statuses and Events, cut to what they may take."""


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the cut marked."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
