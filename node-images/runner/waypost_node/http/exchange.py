"""One try of an http node's request: the output it gives, or why it gives none."""

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2
from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason

from waypost_node.http import big_integers
from waypost_node.http.request import HttpWork

CONNECT_TIMEOUT: Final = 10.0  # seconds
_REDIRECTS: Final = 5
_SHOWN: Final = 500  # characters of an answer in a message
_RATE_LIMITED: Final = 429
_UNAVAILABLE: Final = 503
_LEFT_OUT: Final = frozenset({"set-cookie"})  # a session's key has no business in a status


class Broken(Exception):
    """A try without a success. `again`: another one is allowed and may help; `retry_after`:
    seconds that the server asked for."""

    def __init__(
        self, reason: Reason, message: str, *, again: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.again = again
        self.retry_after = retry_after


def exchange(client: httpx2.Client, work: HttpWork, *, seconds: float) -> Json:
    """Send the request, following redirects on its host: `{status, headers, body}`.

    `seconds` is the longest wait for the server to go on. Raises Broken.
    """
    message = client.build_request(
        work.method,
        work.url,
        headers=work.headers,
        content=work.body,
        timeout=httpx2.Timeout(seconds, connect=min(CONNECT_TIMEOUT, seconds)),
    )
    try:
        for _ in range(_REDIRECTS + 1):
            response = client.send(message, stream=True)
            try:
                if response.next_request is None or work.accepts(response.status_code):
                    return _judged(work, response)
            finally:
                response.close()
            message = _redirected(message, response.next_request, response.status_code)
    except httpx2.RequestError as error:
        raise _without_answer(work, error) from None
    raise Broken(Reason.NODE_ERROR, f"more than {_REDIRECTS} redirects; give the last url")


def _redirected(sent: httpx2.Request, target: httpx2.Request, status: int) -> httpx2.Request:
    # The same host over TLS is no other place; over http it would be: the answer to a downgrade
    # is to name it.
    same = sent.url.host == target.url.host and sent.url.port == target.url.port
    if same and target.url.scheme in (sent.url.scheme, "https"):
        return target
    place = target.url.copy_with(raw_path=b"/", fragment=None)
    raise Broken(
        Reason.NODE_ERROR,
        f"{status}: redirects to another host, {place}, which is not followed; if it is the right "
        "one, name it in http.url",
    )


def _without_answer(work: HttpWork, error: httpx2.RequestError) -> Broken:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error.__context__, ssl.SSLCertVerificationError) or "CERTIFICATE" in text:
        hint = "the server's certificate is not trusted; name its CA in http.tls"
        return Broken(Reason.PROVIDER_ERROR, f"{hint}: {text}")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Broken(Reason.PROVIDER_ERROR, f"no connection: {text}", again=True)
    if isinstance(error, httpx2.ReadTimeout):
        return Broken(Reason.TIMEOUT, "no answer within the node's timeout")
    if isinstance(error, httpx2.DecodingError | httpx2.UnsupportedProtocol):
        return Broken(Reason.PROVIDER_ERROR, text)
    # The server may have acted on it.
    return Broken(Reason.PROVIDER_ERROR, text, again=work.effect != "once")


def _judged(work: HttpWork, response: httpx2.Response) -> Json:
    status = response.status_code
    if not work.accepts(status):
        raise _refused(work, response)
    headers = {k.lower(): v for k, v in response.headers.items() if k not in _LEFT_OUT}
    _hold_back(work, "\n".join(headers.values()))
    return {"status": status, "headers": headers, "body": _body(work, response)}


def _hold_back(work: HttpWork, text: str) -> None:
    """Refuse an answer that repeats a secret: outputs are kept in the status of the run, for many
    to read. Before anything of it is shown, for half a secret would not be found."""
    if work.redact.finds(text):
        raise Broken(
            Reason.OUTPUT_INVALID,
            "the answer repeats a secret of the request, and outputs are kept in the clear",
        )


def _refused(work: HttpWork, response: httpx2.Response) -> Broken:
    status = response.status_code
    first = _limited(response, _SHOWN * 4, cut=True)
    # Struck out before it is cut: half a secret would not be found.
    whole = work.redact(_decoded(first, response, "replace"))
    said = " ".join(whole.split())[:_SHOWN]
    text = f"{status} {response.reason_phrase}".strip() + (f": {said}" if said else "")
    after = _seconds(response.headers.get("retry-after"))
    if status == _RATE_LIMITED:
        return Broken(Reason.RATE_LIMITED, text, again=True, retry_after=after)
    if response.is_server_error:
        again = status == _UNAVAILABLE or work.effect != "once"
        return Broken(Reason.PROVIDER_ERROR, text, again=again, retry_after=after)
    return Broken(Reason.NODE_ERROR, text)


def _seconds(text: str | None) -> float | None:
    """Of a Retry-After header: seconds or a date."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _body(work: HttpWork, response: httpx2.Response) -> Json:
    """JSON where the server says it is or the schema asks for it, else text; nothing is null."""
    content = _limited(response, work.max_bytes)
    _hold_back(work, _decoded(content, response, "replace"))
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not content:
        return _typed(work, None)
    if media == "application/json" or media.endswith("+json"):
        try:
            value = _parsed(work, content)
        except ijson.BigIntegerError as error:
            text = f"the answer's body: {error}; {big_integers.ADVICE}"
            raise Broken(Reason.OUTPUT_INVALID, text) from None
        except ijson.IJsonError as error:
            raise Broken(Reason.OUTPUT_INVALID, f"the answer's body: {error}") from None
        _hold_back(work, ijson.canonical(value).decode())  # as it is once unescaped
        return _typed(work, value)
    try:
        text = _decoded(content, response)
        return _typed(work, ijson.check(text))
    except (UnicodeDecodeError, ijson.IJsonError):
        raise Broken(
            Reason.OUTPUT_INVALID,
            f"the answer's body: {media or 'without a content type'}, not text; http nodes take "
            "JSON and text",
        ) from None


def _parsed(work: HttpWork, content: bytes) -> Json:
    if work.big_integers_as_text:
        return big_integers.parse_as_text(content, work.response_schema)
    return ijson.parse(content)


def _decoded(content: bytes, response: httpx2.Response, errors: str = "strict") -> str:
    try:
        return content.decode(response.charset_encoding or "utf-8", errors)
    except LookupError:  # an encoding that nobody knows
        return content.decode("utf-8", errors)


def _limited(response: httpx2.Response, limit: int, *, cut: bool = False) -> bytes:
    """The body, or its beginning if `cut`; decompressed, so that a small answer cannot grow."""
    found = bytearray()
    for part in response.iter_bytes():
        found += part
        if len(found) > limit:
            if cut:
                break
            raise Broken(
                Reason.OUTPUT_TOO_LARGE,
                f"the answer's body has more than http.maxBytes, {limit}; ask for less or raise it",
            )
    return bytes(found[:limit])


def _typed(work: HttpWork, body: Json) -> Json:
    if work.response_schema is None:
        return body
    violations = schema.validate(work.response_schema, body)
    if violations:
        shown = "; ".join(map(str, violations))
        raise Broken(Reason.OUTPUT_INVALID, f"the answer's body does not meet the schema: {shown}")
    return body
