"""What the gateway refuses, in a form that programs and people read."""

from collections.abc import Mapping
from enum import StrEnum


class Why(StrEnum):
    """Why a request was refused: the closed vocabulary of `reason` and of the metric's label."""

    NOT_FOUND = "NotFound"
    BAD_REQUEST = "BadRequest"
    TOKEN_MISSING = "TokenMissing"
    TOKEN_REFUSED = "TokenRefused"
    NOT_A_POD = "NotAPod"
    POD_GONE = "PodGone"
    POD_ENDED = "PodEnded"
    NOT_A_NODE = "NotANode"
    RUN_GONE = "RunGone"
    NOT_CURRENT = "AttemptNotCurrent"
    SLOW = "TooSlow"
    OTHER_PAYLOAD = "AlreadyStored"
    JOURNAL_MOVED = "JournalMoved"
    JOURNAL_GAP = "JournalGap"
    JOURNAL_FULL = "JournalFull"
    TOO_LARGE = "TooLarge"
    NOT_I_JSON = "NotIJson"
    WRONG_DIGEST = "DigestMismatch"
    INVALID = "OutputInvalid"
    BUSY = "Busy"
    DAMAGED = "Damaged"
    UNAVAILABLE = "StoreUnavailable"
    FULL = "StoreFull"


STATUS: Mapping[Why, int] = {
    Why.NOT_FOUND: 404,
    Why.BAD_REQUEST: 400,
    Why.TOKEN_MISSING: 401,
    Why.TOKEN_REFUSED: 401,
    Why.NOT_A_POD: 403,
    Why.POD_GONE: 403,
    Why.POD_ENDED: 403,
    Why.NOT_A_NODE: 403,
    Why.RUN_GONE: 403,
    Why.NOT_CURRENT: 403,
    Why.SLOW: 408,
    Why.OTHER_PAYLOAD: 409,
    Why.JOURNAL_MOVED: 409,
    Why.JOURNAL_GAP: 409,
    Why.JOURNAL_FULL: 413,
    Why.TOO_LARGE: 413,
    Why.NOT_I_JSON: 422,
    Why.WRONG_DIGEST: 422,
    Why.INVALID: 422,
    Why.BUSY: 503,
    Why.DAMAGED: 500,
    Why.UNAVAILABLE: 503,
    Why.FULL: 507,
}


class Refused(Exception):
    """A request that is not done. `again`: seconds after which another try is worth it."""

    def __init__(self, why: Why, message: str, *, again: int | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.again = again

    @property
    def status(self) -> int:
        """The HTTP status that goes with the reason."""
        return STATUS[self.why]
