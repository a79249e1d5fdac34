"""Why an attempt of an agent ends without an output, as a reason and a message."""

import json
import re
import ssl
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import httpx2
import pydantic
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    UnexpectedModelBehavior,
    UserError,
)
from waypost.protocol.agents.gated_calls import GatedCall
from waypost.protocol.reasons import Reason
from waypost.protocol.text import printable
from waypost_node.http.error_bodies import sentence_of
from waypost_node.tls.causes import causes

from waypost_agent.provider.error_words import meaning_of
from waypost_agent.provider.model_gateway import GatewayRefusal, GatewayUnverified
from waypost_agent.provider.provider_http import UnusableAnswer
from waypost_agent.validation_errors import first_problem

SHOWN: Final = 600  # characters of what a provider said
_RATE_LIMITED: Final = 429
_AGAIN: Final = frozenset({408, 409, 425, _RATE_LIMITED})
_BUSY: Final = frozenset({_RATE_LIMITED, 502, 503, 504, 529})

_TOO_LONG_STATUSES: Final = frozenset({400, 422})
_TOO_LONG_WORDS: Final = re.compile(
    r"context_length_exceeded|maximum context length|context (window|length|size)|"
    r"prompt is too long|prompt too long|input is too long|input token count .* exceeds|"
    r"too many (input )?tokens(?! per)|reduce the length of the (messages|prompt)|"
    r"request (entity )?too large|exceeds? the (maximum )?(context|number of tokens)",
    re.IGNORECASE,
)
_TOO_LONG: Final = "the conversation is longer than the model takes"
_SHORTEN: Final = (
    "lower maxResultBytes of its tools, shorten prompt or inputs, or use a model with a larger "
    "context window (models: the next one is tried); then start the node from the beginning with "
    "rerun.from"
)


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


class Parked(Stopped):
    """The attempt ends because people have to decide on `calls` of tools."""

    def __init__(self, calls: Sequence[GatedCall]) -> None:
        super().__init__(Reason.AWAITING_APPROVAL, "people have to decide on tool calls")
        self.calls = tuple(calls)


class CallNotMade(Stopped):
    """A tool server refused a call before it did anything: it is made when the cause is mended."""


class OutcomeUnknown(Exception):
    """A tool call began, and it is not known whether it was carried out."""


class Refusal(NamedTuple):
    """A model call that gave no answer.

    `again`: another one may help; `busy`: the provider has too much to do, which passes with time;
    `answered`: a model answered, so that it counts as a call.
    """

    reason: Reason
    message: str
    again: bool = False
    busy: bool = False
    retry_after: float | None = None
    answered: bool = False


def refusal_of(error: Exception) -> Refusal:
    """What an exception of a provider's library means."""
    refused = next((c for c in causes(error) if isinstance(c, GatewayRefusal)), None)
    if refused is not None:
        return _of_gateway(refused)
    unverified = next((c for c in causes(error) if isinstance(c, GatewayUnverified)), None)
    if unverified is not None:
        text = f"the model gateway cannot be verified: {one_line(str(unverified))}"
        return Refusal(Reason.PROVIDER_ERROR, text, again=True)
    unusable = next((c for c in causes(error) if isinstance(c, UnusableAnswer)), None)
    if unusable is not None:
        return _of_unusable(unusable)
    if isinstance(error, ModelHTTPError):
        return _of_status(error)
    if isinstance(error, ModelConnectionError):
        return _of_connection(error)
    if isinstance(error, TimeoutError):
        return Refusal(Reason.PROVIDER_ERROR, str(error))
    if isinstance(error, UserError) or (
        isinstance(error, ModelAPIError) and not isinstance(error.__cause__, ValueError)
    ):
        name = "" if isinstance(error, ModelAPIError) else "the request cannot be made: "
        return Refusal(Reason.PROVIDER_ERROR, f"{name}{one_line(str(error)) or 'no details'}")
    # The model answered, which is paid for, and its library could not read the answer.
    hint = "check the ModelProvider's baseURL and type"
    text = f"the answer cannot be read: {_invalid_field(error)}; {hint}"
    return Refusal(Reason.PROVIDER_ERROR, text, answered=True)


# What the operator acts on; everything else is ProviderError.
_OF_GATEWAY: Final = {
    "BudgetExceeded": Reason.BUDGET_EXCEEDED,
    "KeyMissing": Reason.KEY_MISSING,
    "RateLimited": Reason.RATE_LIMITED,
}


def _of_gateway(error: GatewayRefusal) -> Refusal:
    """What the model gateway means. 401: the kubelet is about to renew the token of the pod."""
    text = f"the model gateway refused the call ({error.reason}): {one_line(str(error))}"
    return Refusal(
        _OF_GATEWAY.get(error.reason, Reason.PROVIDER_ERROR),
        text,
        again=error.status in (401, 408) or error.status in _BUSY,
        busy=error.status in _BUSY,
        retry_after=error.retry_after,
    )


def _of_status(error: ModelHTTPError) -> Refusal:
    if isinstance(error, ModelContextWindowExceededError):
        said = one_line(_error_text(error.body))
        return Refusal(
            Reason.INPUT_TOO_LARGE, f"{_TOO_LONG}: {error.status_code}: {said}; {_SHORTEN}"
        )
    hint = _hint(error) or _hint_of(error.status_code)
    words = json.dumps(error.body, ensure_ascii=False, default=str)
    said = _error_text(error.body)
    return _refusal(error.status_code, said, hint, error.retry_after, words=words)


def _of_unusable(error: UnusableAnswer) -> Refusal:
    if not error.is_error:
        again, answered = error.again, error.answered
        return Refusal(Reason.PROVIDER_ERROR, str(error), again=again, answered=answered)
    if error.status is None:
        return Refusal(Reason.PROVIDER_ERROR, str(error), again=True)
    hint = _hint_of(error.status)
    return _refusal(error.status, str(error), hint, None, words=f"{error} {error.body}")


def _refusal(
    status: int, text: str, hint: str | None, retry_after: float | None, *, words: str = ""
) -> Refusal:
    """What an HTTP status and the words of the provider mean. `words`: the whole body, if it is
    known."""
    meaning = meaning_of(status, words or text)
    text = f"{status}: {one_line(text)}" if text else f"status {status}"
    if _is_too_long(status, text):
        return Refusal(Reason.INPUT_TOO_LARGE, f"{_TOO_LONG}: {text}; {_SHORTEN}")
    if meaning == "filtered":
        return Refusal(Reason.REFUSED, f"refuses the request: {text}")
    if meaning == "busy":
        return Refusal(Reason.PROVIDER_ERROR, text, True, True, retry_after)
    hint = _HINTS.get(meaning, hint)
    if hint:
        return Refusal(Reason.PROVIDER_ERROR, f"{text}; {hint}")
    return Refusal(
        Reason.RATE_LIMITED if status == _RATE_LIMITED else Reason.PROVIDER_ERROR,
        text,
        again=status in _AGAIN or status >= 500,
        busy=status in _BUSY,
        retry_after=retry_after,
    )


_HINTS: Final[dict[str | None, str]] = {
    "key": "put a valid key into the Secret that the ModelProvider names",
    "credit": "the account's quota or credit is used up",
}


def _hint_of(status: int) -> str | None:
    if status == 401:
        return _HINTS["key"]
    if status == 402:
        return _HINTS["credit"]
    if status == 403:
        return "the key is known, but has no right to do this; check its rights"
    if status == 404:
        return "check the model's name and the ModelProvider's baseURL"
    if 400 <= status < 500 and status not in _AGAIN:
        return "the provider does not take the request; check settings, tools and outputSchema"
    return None


def _hint(error: ModelHTTPError) -> str | None:
    """What to do about an answer that would be the same another time, by its category."""
    if isinstance(error, ModelQuotaExceededError):
        return _HINTS["credit"]
    if isinstance(error, ModelAuthenticationError):
        return _hint_of(403 if error.status_code == 403 else 401)
    if isinstance(error, ModelNotFoundError):
        return _hint_of(404)
    return None


def _is_too_long(status: int, text: str) -> bool:
    """Whether the provider refuses the conversation for its length, by the words of providers and
    gateways: few of them send a code for it."""
    if status == 413:
        return True
    return status in _TOO_LONG_STATUSES and _TOO_LONG_WORDS.search(text) is not None


def _of_connection(error: ModelConnectionError) -> Refusal:
    chain = causes(error)
    said = one_line(next((str(c) for c in reversed(chain) if str(c)), str(error)))
    if any(isinstance(c, ssl.SSLCertVerificationError) for c in chain) or "CERTIFICATE" in said:
        text = f"its certificate is not trusted: {said}; name its CA in the ModelProvider's tls"
        return Refusal(Reason.PROVIDER_ERROR, text)
    if any(isinstance(c, httpx2.ReadTimeout) for c in chain):
        return Refusal(Reason.PROVIDER_ERROR, "no answer in time")
    return Refusal(Reason.PROVIDER_ERROR, f"no connection: {said}", again=True)


def _error_text(body: Any) -> str:
    """The sentence in an error's body, in any of the usual forms."""
    if found := sentence_of(body):
        return found
    if isinstance(body, dict | list):
        return json.dumps(body, ensure_ascii=False, default=str)
    return "" if body is None else str(body)


def _invalid_field(error: Exception) -> str:
    """What is wrong in an answer: the field, without the library's dump."""
    for cause in causes(error):
        if isinstance(cause, pydantic.ValidationError):
            return first_problem(cause)
    known = isinstance(error, ModelAPIError | UnexpectedModelBehavior)
    name = "" if known else f"{type(error).__name__}: "
    return f"{name}{one_line(str(error)) or 'no details'}"


def one_line(text: str) -> str:
    """The text on one line, without control characters; cut only by who has redacted it."""
    return printable(" ".join(text.split()))
