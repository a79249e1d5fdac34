"""Refusals of the ingress, as problem documents (RFC 9457)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from waypost.protocol.violation import Violation
from waypost.sources.judge import Unfit


class Why(StrEnum):
    """Why a request was refused: the last part of `type`, and the value of the metric label."""

    UNKNOWN_SENDER = "UnknownSender"
    NOT_FOUND = "NotFound"
    METHOD = "MethodNotAllowed"
    SLOW = "TooSlow"
    TOO_LARGE = "TooLarge"
    CONTENT_TYPE = "ContentTypeNotSupported"
    NOT_JSON = "NotJson"
    SCHEMA = "SchemaMismatch"
    RULE = "RuleFailed"
    CONFLICT = "IdTaken"
    RATE = "TooManyRequests"
    INVALID_SOURCE = "SourceNotValid"
    SUSPENDED = "SourceSuspended"
    REFUSED = "EventRefused"
    BUSY = "Busy"
    UNAVAILABLE = "Unavailable"


STATUS: Final[Mapping[Why, int]] = {
    Why.UNKNOWN_SENDER: 401,
    Why.NOT_FOUND: 404,
    Why.METHOD: 405,
    Why.SLOW: 408,
    Why.TOO_LARGE: 413,
    Why.CONTENT_TYPE: 415,
    Why.NOT_JSON: 400,
    Why.SCHEMA: 422,
    Why.RULE: 422,
    Why.CONFLICT: 409,
    Why.RATE: 429,
    Why.INVALID_SOURCE: 503,
    Why.SUSPENDED: 503,
    Why.REFUSED: 422,
    Why.BUSY: 503,
    Why.UNAVAILABLE: 503,
}
_TITLES: Final[Mapping[Why, str]] = {
    Why.UNKNOWN_SENDER: "The sender is not known",
    Why.NOT_FOUND: "There is nothing at this path",
    Why.METHOD: "The method is not allowed",
    Why.SLOW: "The body did not arrive in time",
    Why.TOO_LARGE: "The body is too large",
    Why.CONTENT_TYPE: "The content type is not supported",
    Why.NOT_JSON: "The body is not JSON",
    Why.SCHEMA: "The body does not match the schema",
    Why.RULE: "A rule of the source cannot use the body",
    Why.CONFLICT: "The id belongs to another event",
    Why.RATE: "Too many requests",
    Why.INVALID_SOURCE: "The source is not valid",
    Why.SUSPENDED: "The source is suspended",
    Why.REFUSED: "The event was refused",
    Why.BUSY: "The service is busy",
    Why.UNAVAILABLE: "The service is not available",
}
# The same for a source that does not exist, one whose Secret cannot be read, and a wrong signature.
UNKNOWN_SENDER: Final = (
    "there is no such source, or the request does not prove that it comes from its sender; check "
    "the path, the secret, and the clock of the sender"
)


class Refused(Exception):
    """A refused request.

    Args:
        why: The reason.
        detail: The explanation for people.
        again: Seconds after which the same request may succeed; None if it will not.
        violations: What in the body violates the schema.
        field: The field of the EventSource that refuses the body.
    """

    def __init__(
        self,
        why: Why,
        detail: str,
        *,
        again: int | None = None,
        violations: tuple[Violation, ...] = (),
        field: str = "",
    ) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail
        self.again = again
        self.violations = violations
        self.field = field

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.why]

    def document(self) -> dict[str, Any]:
        """The problem document."""
        found: dict[str, Any] = {
            "type": f"urn:waypost:problem:{self.why}",
            "title": _TITLES[self.why],
            "status": self.status,
            "detail": self.detail,
        }
        if self.field:
            found["field"] = self.field
        if self.violations:
            found["errors"] = [
                {"path": one.path, "expected": one.expected, "found": one.found}
                for one in self.violations
            ]
        return found


def unfit(found: Unfit) -> Refused:
    """The refusal of a request that becomes no event."""
    why = Why.SCHEMA if found.violations else Why.RULE
    return Refused(why, found.message, field=found.field, violations=found.violations)


def unknown_sender() -> Refused:
    """The refusal of a sender that is not known, whatever the cause."""
    return Refused(Why.UNKNOWN_SENDER, UNKNOWN_SENDER)
