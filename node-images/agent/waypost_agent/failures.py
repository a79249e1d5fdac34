"""Why an attempt of an agent ends without an output, in the closed vocabulary."""

import ssl
from typing import Any, Final, NamedTuple

import httpx2
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    UnexpectedModelBehavior,
)
from waypost.protocol.reasons import Reason

SHOWN: Final = 600  # characters of what a provider said
_RATE_LIMITED: Final = 429
_AGAIN: Final = frozenset({408, 409, 425, _RATE_LIMITED})


class Stopped(Exception):
    """The attempt is over. `retry_after`: seconds that the provider asked for; `of_answer`: for
    what the model answered last, so that another answer may help."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after: float | None = None,
        of_answer: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.of_answer = of_answer


class Refusal(NamedTuple):
    """A model call that gave no answer. `again`: another one may help; `answered`: the provider
    answered with a success, so that it counts as a call."""

    reason: Reason
    message: str
    again: bool = False
    retry_after: float | None = None
    answered: bool = False


def refusal_of(error: Exception) -> Refusal:
    """What an exception of a provider's library means."""
    if isinstance(error, ModelHTTPError):
        return _of_status(error)
    if isinstance(error, ModelConnectionError):
        return _of_connection(error)
    if isinstance(error, TimeoutError):
        return Refusal(Reason.PROVIDER_ERROR, str(error))
    unreadable = isinstance(error.__cause__, ValueError) and isinstance(error, ModelAPIError)
    if unreadable or isinstance(error, UnexpectedModelBehavior):
        text = f"the answer cannot be read: {one_line(str(error))}; look whether baseURL is right"
        return Refusal(Reason.PROVIDER_ERROR, text, answered=True)
    text = one_line(str(error)) or "no details"
    name = "" if isinstance(error, ModelAPIError) else f"{type(error).__name__}: "
    return Refusal(Reason.PROVIDER_ERROR, f"{name}{text}")


def _of_status(error: ModelHTTPError) -> Refusal:
    status = error.status_code
    said = one_line(_said(error.body))
    text = f"{status}: {said}" if said else f"status {status}"
    hint = _hint(error)
    if hint:
        return Refusal(Reason.PROVIDER_ERROR, f"{text}; {hint}")
    again = status in _AGAIN or status >= 500
    reason = Reason.RATE_LIMITED if status == _RATE_LIMITED else Reason.PROVIDER_ERROR
    return Refusal(reason, text, again=again, retry_after=error.retry_after)


def _hint(error: ModelHTTPError) -> str | None:
    """What to do about an answer that would be the same another time."""
    if isinstance(error, ModelQuotaExceededError):
        return "the account's quota or credit is used up"
    if isinstance(error, ModelAuthenticationError):
        if error.status_code == 403:
            return "the key is known and may not do this; look at its rights"
        return "put a valid key into the Secret that the ModelProvider names"
    if isinstance(error, ModelNotFoundError):
        return "look at the model's name and the ModelProvider's baseURL"
    if isinstance(error, ModelContextWindowExceededError):
        return "the conversation is longer than the model takes; shorten the prompt or the results"
    if 400 <= error.status_code < 500 and error.status_code not in _AGAIN:
        return "the provider does not take the request; look at settings, tools and outputSchema"
    return None


def _of_connection(error: ModelConnectionError) -> Refusal:
    causes = list(_causes(error))
    said = one_line(next((str(c) for c in reversed(causes) if str(c)), str(error)))
    if any(isinstance(c, ssl.SSLCertVerificationError) for c in causes) or "CERTIFICATE" in said:
        text = f"its certificate is not trusted: {said}; name its CA in the ModelProvider's tls"
        return Refusal(Reason.PROVIDER_ERROR, text)
    if any(isinstance(c, httpx2.ReadTimeout) for c in causes):
        return Refusal(Reason.PROVIDER_ERROR, "no answer in time")
    return Refusal(Reason.PROVIDER_ERROR, f"no connection: {said}", again=True)


def _causes(error: BaseException) -> "list[BaseException]":
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes


def _said(body: Any) -> str:
    """The sentence in an error's body, in whichever of the usual forms."""
    while isinstance(body, dict):
        inner = body.get("error", body.get("message"))
        if inner is None:
            return str(body)
        body = inner
    return "" if body is None else str(body)


def one_line(text: str) -> str:
    """The text on one line; cut only by who has redacted it."""
    return " ".join(text.split())
