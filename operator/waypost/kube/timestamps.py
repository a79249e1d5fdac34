"""The times in Kubernetes objects."""

from datetime import datetime

from waypost.protocol.timestamps import timestamp

__all__ = ["parse_timestamp", "timestamp"]


def parse_timestamp(text: str | None) -> datetime | None:
    """Parse an RFC 3339 text with an offset.

    Returns:
        The time; None for None, for text of another form, and for years before 1900 or after
        9000, which `datetime` could not safely add to.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo and 1900 <= moment.year <= 9000 else None
