"""A try of an http node that failed."""

from waypost.protocol.reasons import Reason


class Broken(Exception):
    """A failed try. `again`: a retry is allowed and may help; `retry_after`: seconds that the
    server asked to wait."""

    def __init__(
        self, reason: Reason, message: str, *, again: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.again = again
        self.retry_after = retry_after
