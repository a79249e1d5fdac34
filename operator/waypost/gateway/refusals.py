"""Refusals of the gateway: a reason for programs, a message for people."""

from collections.abc import Mapping
from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a request was refused: the values of `reason` and of the metric label."""

    NOT_FOUND = "NotFound"
    BAD_REQUEST = "BadRequest"
    TOKEN_MISSING = "TokenMissing"
    TOKEN_REFUSED = "TokenRefused"
    NOT_A_POD = "NotAPod"
    POD_GONE = "PodGone"
    OTHER_SOURCE = "OtherSource"
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
    NOT_GZIP = "NotGzip"
    WRONG_DIGEST = "DigestMismatch"
    INVALID = "OutputInvalid"
    BUSY = "Busy"
    DAMAGED = "Damaged"
    UNAVAILABLE = "StoreUnavailable"
    FULL = "StoreFull"


STATUS: Mapping[RefusalReason, int] = {
    RefusalReason.NOT_FOUND: 404,
    RefusalReason.BAD_REQUEST: 400,
    RefusalReason.TOKEN_MISSING: 401,
    RefusalReason.TOKEN_REFUSED: 401,
    RefusalReason.NOT_A_POD: 403,
    RefusalReason.POD_GONE: 403,
    RefusalReason.OTHER_SOURCE: 403,
    RefusalReason.POD_ENDED: 403,
    RefusalReason.NOT_A_NODE: 403,
    RefusalReason.RUN_GONE: 403,
    RefusalReason.NOT_CURRENT: 403,
    RefusalReason.SLOW: 408,
    RefusalReason.OTHER_PAYLOAD: 409,
    RefusalReason.JOURNAL_MOVED: 409,
    RefusalReason.JOURNAL_GAP: 409,
    RefusalReason.JOURNAL_FULL: 413,
    RefusalReason.TOO_LARGE: 413,
    RefusalReason.NOT_I_JSON: 422,
    RefusalReason.NOT_GZIP: 422,
    RefusalReason.WRONG_DIGEST: 422,
    RefusalReason.INVALID: 422,
    RefusalReason.BUSY: 503,
    RefusalReason.DAMAGED: 500,
    RefusalReason.UNAVAILABLE: 503,
    RefusalReason.FULL: 507,
}


class Refused(Exception):
    """A refused request. `again`: seconds after which a retry may succeed; None: do not retry."""

    def __init__(self, why: RefusalReason, message: str, *, again: int | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.again = again

    @property
    def status(self) -> int:
        """The HTTP status of the reason."""
        return STATUS[self.why]
