"""What the body of an error says, in any of the forms of providers and gateways: for agents, their
OAuth and probes. Pure: no I/O."""

from collections.abc import Iterator
from typing import Any, Final

# Keys with the sentence of an error, the best first; small letters without separators.
_SENTENCES: Final = (
    *("message", "msg", "errormsg", "errmsg", "errormessage", "statusmsg", "faultstring"),
    *("errordescription", "detail", "details", "err", "error", "errors", "text"),
)
# These say something only beside a sign that the body is an error.
_WEAK: Final = ("title", "description", "reason", "info")
_CODES: Final = ("code", "status", "type", "statuscode", "errorcode", "errcode", "reason")
_DEEPEST: Final = 6
# Words for statuses, as providers and gateways put them in the code, the type or the sentence.
_STATUS_OF_WORD: Final = (
    ("insufficient_quota", 402),
    ("insufficient_balance", 402),
    ("arrears", 402),
    ("billing", 402),
    ("content_filter", 400),
    ("rate_limit", 429),
    ("ratelimit", 429),
    ("rate_exceeded", 429),
    ("limitexceeded", 429),
    ("throttl", 429),
    ("too_many_requests", 429),
    ("resource_exhausted", 429),
    ("overloaded", 529),
    ("unavailable", 503),
    ("timeout", 504),
    ("authentication", 401),
    ("unauthorized", 401),
    ("token_invalid", 401),
    ("invalid_token", 401),
    ("token_expired", 401),
    ("invalid_api_key", 401),
    ("not_authorized", 403),
    ("permission", 403),
    ("not_found", 404),
    ("invalid_request", 400),
)


def sentence_of(body: Any) -> str:
    """The sentence in the body of an error; "" if it has none."""
    if isinstance(body, str):
        return body
    found = next(_sentences(body, _SENTENCES, _DEEPEST), "")
    if not found and _is_sign(body):
        found = next(_sentences(body, _WEAK, _DEEPEST), "")
    return found


def status_of(error: Any) -> int | None:
    """The HTTP status that an error in a body stands for, by its codes, else by its sentence."""
    for part in _parts(error, _DEEPEST):
        plain = _plain(part)
        for name in _CODES:
            if (status := _status(plain.get(name))) is not None:
                return status
    return _status_in(sentence_of(error)) if isinstance(error, dict) else None


def _status(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
        value = int(value)
    if type(value) is int and 400 <= value < 600:
        return value
    return _status_in(value) if isinstance(value, str) else None


def _status_in(text: str) -> int | None:
    word = text.lower().replace("-", "_").replace(" ", "_")
    return next((status for known, status in _STATUS_OF_WORD if known in word), None)


def _sentences(body: Any, keys: tuple[str, ...], left: int) -> Iterator[str]:
    if isinstance(body, list) and left:
        for each in body[:1]:
            yield from [each] if isinstance(each, str) else _sentences(each, keys, left - 1)
    if not isinstance(body, dict) or not left:
        return
    plain = _plain(body)
    for name in keys:
        value = plain.get(name)
        if isinstance(value, str) and value.strip():
            yield value
        else:
            yield from _sentences(value, keys, left - 1)
    for value in body.values():
        if isinstance(value, dict):
            yield from _sentences(value, keys, left - 1)


def _parts(body: Any, left: int) -> Iterator[dict[str, Any]]:
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict) and left:
        yield body
        for value in body.values():
            yield from _parts(value, left - 1)


def _is_sign(body: Any) -> bool:
    """Whether a body says that it is an error."""
    if not isinstance(body, dict):
        return False
    plain = _plain(body)
    failed = plain.get("success") is False or plain.get("status") in ("error", "failed", "failure")
    return failed or any(_status(plain.get(name)) for name in _CODES)


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "").replace("-", "").lower(): each for key, each in part.items()}
