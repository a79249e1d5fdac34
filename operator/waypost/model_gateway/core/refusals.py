"""Refusals of the model gateway, in the format in which each provider writes its errors."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.provider import ProviderType

REFUSED_HEADER: Final = "waypost-refused"  # has the reason; a provider's error has no such header


class CallRefusal(StrEnum):
    """Why a call was refused: the value of the header, and of the metric label."""

    PATH = "PathNotAllowed"
    MODEL = "ModelNotAllowed"
    FIELD = "FieldNotAllowed"
    TOOL = "ToolNotAllowed"
    MESSAGE = "MessageNotAllowed"
    BAD_REQUEST = "BadRequest"
    TOO_LARGE = "TooLarge"
    SLOW = "TooSlow"
    NO_PROVIDER = "ProviderMissing"
    NO_SERVER = "ToolServerMissing"
    KEY_NOT_GRANTED = "KeyNotGranted"
    KEY_MISSING = "KeyMissing"
    KEY_INVALID = "KeyInvalid"
    NO_TOKEN = "NoOAuthToken"
    HOST = "HostNotAllowed"
    ADDRESS = "AddressNotAllowed"
    REDIRECT = "Redirected"
    UNREACHABLE = "Unreachable"
    NO_ANSWER = "NoAnswer"
    ANSWER_TOO_LARGE = "AnswerTooLarge"
    KEY_IN_ANSWER = "KeyInAnswer"
    BUDGET = "BudgetExceeded"
    RATE = "RateLimited"
    BUSY = "Busy"
    FAILED = "Failed"
    # Of the pod that calls: the reasons of `waypost.gateway.refusals`.
    CALLER = "NotAllowed"


_STATUS: Final[Mapping[CallRefusal, int]] = {
    CallRefusal.PATH: 403,
    CallRefusal.MODEL: 403,
    CallRefusal.FIELD: 403,
    CallRefusal.TOOL: 403,
    CallRefusal.MESSAGE: 403,
    CallRefusal.BAD_REQUEST: 400,
    CallRefusal.TOO_LARGE: 413,
    CallRefusal.SLOW: 408,
    CallRefusal.NO_PROVIDER: 403,
    CallRefusal.NO_SERVER: 403,
    CallRefusal.NO_TOKEN: 502,
    CallRefusal.KEY_NOT_GRANTED: 403,
    CallRefusal.KEY_MISSING: 403,
    CallRefusal.KEY_INVALID: 403,
    CallRefusal.HOST: 403,
    CallRefusal.ADDRESS: 403,
    CallRefusal.REDIRECT: 403,
    CallRefusal.UNREACHABLE: 502,
    CallRefusal.NO_ANSWER: 504,
    CallRefusal.ANSWER_TOO_LARGE: 413,
    CallRefusal.KEY_IN_ANSWER: 403,
    CallRefusal.BUDGET: 402,
    CallRefusal.RATE: 429,
    CallRefusal.BUSY: 503,
    CallRefusal.FAILED: 503,
    CallRefusal.CALLER: 403,
}


class CallRefused(Exception):
    """A refused call.

    Attributes:
        why: The kind of refusal.
        message: For people; without secrets and without content of the call.
        reason: The word of the header: that of `why`, or of another service.
        status: The HTTP status.
        again: Seconds after which a retry may succeed; None if it is not known.
    """

    def __init__(
        self,
        why: CallRefusal,
        message: str,
        *,
        reason: str = "",
        status: int | None = None,
        again: int | None = None,
    ) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.reason = reason or str(why)
        self.status = _STATUS[why] if status is None else status
        self.again = again


_ANTHROPIC: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_GOOGLE: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def body_of(refused: CallRefused, type_: ProviderType | None) -> JsonObject:
    """The error as a provider of this type writes it; as OpenAI for None."""
    if type_ == "Anthropic":
        word = _ANTHROPIC.get(refused.status, "api_error")
        return {"type": "error", "error": {"type": word, "message": refused.message}}
    if type_ == "Google":
        word = _GOOGLE.get(refused.status, "INTERNAL")
        error: JsonObject = {"code": refused.status, "message": refused.message, "status": word}
        return {"error": error}
    return {
        "error": {
            "message": refused.message,
            "type": "waypost_model_gateway",
            "param": None,
            "code": refused.reason,
        }
    }
