"""Answers of a provider over HTTP, looked at before its library sees them.

Gateways answer 200 with an error, a web page or nothing at all. The libraries make a dump of
validation errors of it, or a crash; the status and the words of the provider are in the body.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import httpx2
from waypost_node.http import error_bodies
from waypost_node.redaction import public

from waypost_agent.http_responses import DAMAGED, redirect_in, start_of
from waypost_agent.provider import answer_bodies

_NAMES: Final = {
    "OpenAI": "a chat completion",
    "Anthropic": "a message",
    "Google": "a generated content",
}
_SHOWN_ERROR: Final = 300  # characters of the sentence of an error
_SHOWN: Final = 200  # characters of an answer that is something else
_ANSWER_BYTES: Final = 32 * 1024**2
_ERROR_BYTES: Final = 1024**2


class UnusableAnswer(Exception):
    """An answer with a success status that holds no model answer, or a redirect.

    `status`: the HTTP status that its error stands for, None where it names none; `is_error`: it
    has an error's words, and `body` is that error as JSON; `again`: another try may help;
    `answered`: a model answered, which is paid for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        is_error: bool = False,
        body: str = "",
        again: bool = False,
        answered: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_error = is_error
        self.body = body
        self.again = again
        self.answered = answered


def check_answers(http: httpx2.AsyncClient, *, type_: str, redact: Callable[[str], str]) -> None:
    """Let `http` raise UnusableAnswer for answers without the field of a provider of `type_`, and
    give its library the others as it takes them. No answer is read beyond a bound; `redact` removes
    secrets from the words of an answer."""

    async def check(response: httpx2.Response) -> None:
        if 300 <= response.status_code < 400:
            raise _redirect(response)
        if response.is_success:
            body = await _whole(response)
            document = usable(body, type_=type_, redact=redact)
            # ASCII: right in every character set that the headers may claim.
            body = json.dumps(answer_bodies.cleaned(document, type_=type_)).encode()
        else:
            body = await start_of(response, _ERROR_BYTES)
        response._content = body

    http.event_hooks["response"].append(check)


async def _whole(response: httpx2.Response) -> bytes:
    """The body of an answer. Raises UnusableAnswer for one that is cut, damaged or too large."""
    try:
        body = await start_of(response, _ANSWER_BYTES + 1)
    except DAMAGED as error:
        words = " ".join(str(error).split()) or type(error).__name__
        text = f"the answer was cut or damaged on its way: {words}"
        raise UnusableAnswer(text, again=True, answered=True) from None
    if len(body) > _ANSWER_BYTES:
        limit = _ANSWER_BYTES // 1024**2
        raise UnusableAnswer(f"the answer is larger than {limit} MiB", answered=True)
    return body


def _redirect(response: httpx2.Response) -> UnusableAnswer:
    """A redirect is not followed: the key would go to an address that the ModelProvider does not
    name."""
    place = redirect_in(response)
    text = f"answered {response.status_code}{place and f' ({place})'}, which is not followed"
    return UnusableAnswer(f"{text}; check the ModelProvider's baseURL")


def usable(body: bytes, *, type_: str, redact: Callable[[str], str]) -> dict[str, Any]:
    """The JSON object of an answer. Raises UnusableAnswer."""
    hint = f"it is not {_NAMES[type_]}; check the ModelProvider's baseURL and type"
    text = body.decode("utf-8", "replace").strip()
    if not text:
        raise UnusableAnswer(f"the answer is empty: {hint}")
    try:
        document: Any = answer_bodies.without_surrogates(json.loads(body))
    except (ValueError, RecursionError) as error:
        if text.startswith("{") and isinstance(error, ValueError):
            problem = _json_problem(error)
            said = f"the answer is not valid JSON, or was cut: {problem}; it {_start(text, redact)}"
            raise UnusableAnswer(said, again=True, answered=True) from None
        raise UnusableAnswer(f"the answer {_start(text, redact)}: {hint}") from None
    if isinstance(document, list) and len(document) == 1:  # as Google sends errors in places
        document = document[0]
    if isinstance(document, dict):
        is_answer = _is_answer(document, type_=type_)
        found = document.get("error") or _error_of_choice(document)
        if not is_answer and not found:
            found = _bare_error(document)
        if is_answer and not (found and _has_words(found)):
            return document
        if found:
            whole = json.dumps({"error": found})
            words = public(error_bodies.sentence_of(found), redact, _SHOWN_ERROR)
            words = words or f"the answer {_start(text, redact)}"
            raise UnusableAnswer(
                words, status=error_bodies.status_of(found), is_error=True, body=whole
            )
    raise UnusableAnswer(f"the answer {_start(text, redact)}: {hint}")


def _start(text: str, redact: Callable[[str], str]) -> str:
    return f"begins {public(text, redact, _SHOWN)!r}"


def _json_problem(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start}"
    return " ".join(str(error).split())


def _is_answer(document: dict[str, Any], *, type_: str) -> bool:
    """Whether it has what answers of this type have. An empty list of content is an empty answer;
    a completion without a choice is none."""
    if type_ == "OpenAI":
        choices = document.get("choices")
        return isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict)
    if type_ == "Anthropic":
        content = document.get("content", "")
        is_message = document.get("type") == "message" and "content" in document
        return isinstance(content, list | str) if content is not None else is_message
    return isinstance(document.get("candidates"), list) or bool(document.get("promptFeedback"))


# What servers write into the error of an answer that has none.
_NO_ERROR: Final = frozenset(("success", "successful", "succeeded", "ok", "none", "no error", "0"))


def _has_words(error: Any) -> bool:
    """Whether an error beside an answer says anything: some servers send an empty one always."""
    if not isinstance(error, dict):
        return True
    words = [error.get(name) for name in ("message", "msg", "type", "status")]
    said = {str(word).strip().rstrip(".!").lower() for word in words if word}
    return bool(said - _NO_ERROR) or error_bodies.status_of(error) is not None


def _bare_error(document: dict[str, Any]) -> Any:
    """The error of a body that is nothing but an error."""
    return document if error_bodies.sentence_of(document) else None


def _error_of_choice(document: dict[str, Any]) -> Any:
    """The error that a gateway puts into a choice in place of its message."""
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("error") if isinstance(first, dict) else None
