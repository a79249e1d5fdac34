"""What a sink has answered."""

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Answer:
    """The end of one attempt.

    Attributes:
        status: The HTTP status; None if there was no answer.
        problem: Why there was none; "" otherwise.
        retry_after: Seconds that the sink asks to wait; None if it does not.
    """

    status: int | None
    problem: str = ""
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the message is delivered."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def down(self) -> bool:
        """Whether the sink serves nobody now, whatever the message."""
        return self.status is None or self.status >= 500 or self.status == 429

    @property
    def text(self) -> str:
        """What happened, for people."""
        return self.problem or f"status {self.status}"


def asked_to_wait(header: str, now: float) -> float | None:
    """The seconds of a Retry-After header, which has a number or a date; None for another text."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
