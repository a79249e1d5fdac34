"""The times in Kubernetes objects."""

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from waypost.protocol.timestamps import timestamp

__all__ = ["parse_timestamp", "timestamp"]

# A leap second is a time of RFC 3339, and the first moment after it for `datetime`.
_LEAP: Final = re.compile(r"(.{10}[Tt ][0-9]{2}:59:)60(?=[.,Zz+-])")
_LONGEST: Final = 40  # characters, as of the times in a status


def parse_timestamp(text: str | None) -> datetime | None:
    """Parse an RFC 3339 text with an offset.

    Returns:
        The time; None for None, for text of another form, and for years before 1900 or after
        9000, which `datetime` could not safely add to.
    """
    if not text:
        return None
    # A pass reads the times of all attempts of a run again; longer texts are not remembered.
    return _remembered(text) if len(text) <= _LONGEST else _parsed(text)


def _parsed(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_LEAP.sub(r"\g<1>59", text.upper()))
        moment += timedelta(seconds=1 if _LEAP.match(text) else 0)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo and 1900 <= moment.year <= 9000 else None


_remembered: Final = lru_cache(maxsize=8192)(_parsed)
