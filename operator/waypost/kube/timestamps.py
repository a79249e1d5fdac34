"""The times in Kubernetes objects."""

import re
from datetime import datetime, timedelta
from typing import Final

from waypost.protocol.timestamps import timestamp

__all__ = ["parse_timestamp", "timestamp"]

# A leap second is a time of RFC 3339, and the first moment after it for `datetime`.
_LEAP: Final = re.compile(r"(.{10}[Tt ][0-9]{2}:59:)60(?=[.,Zz+-])")


def parse_timestamp(text: str | None) -> datetime | None:
    """Parse an RFC 3339 text with an offset.

    Returns:
        The time; None for None, for text of another form, and for years before 1900 or after
        9000, which `datetime` could not safely add to.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(_LEAP.sub(r"\g<1>59", text.upper()))
        moment += timedelta(seconds=1 if _LEAP.match(text) else 0)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo and 1900 <= moment.year <= 9000 else None
