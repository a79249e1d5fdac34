"""An output that expressions cannot read, in the place of its value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unread:
    """The value is somewhere else, whole and safe; `why` it is not here, as a sentence."""

    why: str
