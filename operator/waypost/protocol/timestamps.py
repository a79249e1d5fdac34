"""The one form of time that Waypost writes: RFC 3339 in UTC with milliseconds."""

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """Format an aware time, as in `2030-01-31T08:15:00.250Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The current time of this machine, formatted; for the programs in pods.

    The operator takes the time from `waypost.ports.clock` instead.
    """
    return timestamp(datetime.now(UTC))
