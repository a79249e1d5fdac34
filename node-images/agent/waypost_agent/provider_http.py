"""Answers of a provider over HTTP, looked at before its library sees them.

Gateways answer 200 with an error, a web page or nothing at all. The libraries make a dump of
validation errors of it, or a crash; the status and the words of the provider are in the body.
"""

import json
from typing import Any, Final

import httpx2
from waypost_node import endpoint_access

# The field that an answer has, by the type of provider.
_ANSWER_FIELDS: Final = {
    "OpenAI": ("choices",),
    "Anthropic": ("content",),
    "Google": ("candidates", "promptFeedback"),
}
_NAMES: Final = {
    "OpenAI": "a chat completion",
    "Anthropic": "a message",
    "Google": "a generated content",
}
# Words for statuses, as providers and gateways put them in the code or the type of an error.
_STATUS_OF_WORD: Final = (
    ("rate_limit", 429),
    ("ratelimit", 429),
    ("too_many_requests", 429),
    ("resource_exhausted", 429),
    ("overloaded", 529),
    ("unavailable", 503),
    ("timeout", 504),
    ("authentication", 401),
    ("permission", 403),
    ("not_found", 404),
    ("invalid_request", 400),
)
_SHOWN: Final = 200  # characters of an answer that is something else


class UnusableAnswer(Exception):
    """An answer with a success status that holds no model answer. `status`: the HTTP status that
    its error stands for, None where it names none; `is_error`: it has an error's words."""

    def __init__(self, message: str, *, status: int | None = None, is_error: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_error = is_error


def check_answers(http: httpx2.AsyncClient, *, type_: str) -> None:
    """Let `http` raise UnusableAnswer for answers without the field of a provider of `type_`."""

    async def check(response: httpx2.Response) -> None:
        if response.is_success:
            problem = problem_of(await response.aread(), type_=type_)
            if problem is not None:
                raise problem

    http.event_hooks["response"].append(check)


def problem_of(body: bytes, *, type_: str) -> UnusableAnswer | None:
    """What is wrong with the body of a success; None for an answer."""
    text = " ".join(body.decode("utf-8", "replace").split())
    hint = f"it is not {_NAMES[type_]}; check the ModelProvider's baseURL and type"
    if not text:
        return UnusableAnswer(f"the answer is empty: {hint}")
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return UnusableAnswer(f"the answer begins {text[:_SHOWN]!r}: {hint}")
    if isinstance(document, dict):
        error = document.get("error") or _error_of_choice(document)
        fields = [document.get(name) for name in _ANSWER_FIELDS[type_]]
        # An empty list of content is an empty answer; a completion without a choice is none.
        if not error and any(each or (each is not None and type_ != "OpenAI") for each in fields):
            return None
        if error:
            words = endpoint_access.said_in(json.dumps({"error": error}).encode())
            return UnusableAnswer(words, status=_status_of(error), is_error=True)
    return UnusableAnswer(f"the answer begins {text[:_SHOWN]!r}: {hint}")


def _error_of_choice(document: dict[str, Any]) -> Any:
    """The error that a gateway puts into a choice in place of its message."""
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("error") if isinstance(first, dict) else None


def _status_of(error: Any) -> int | None:
    """The HTTP status that an error object in a body stands for."""
    if not isinstance(error, dict):
        return None
    for name in ("code", "status", "type"):
        value = error.get(name)
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
        if isinstance(value, str):
            word = value.lower().replace("-", "_").replace(" ", "_")
            for known, status in _STATUS_OF_WORD:
                if known in word:
                    return status
    return None
