"""Sends the request of an http node once and reads the response."""

import codecs
import re
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2
from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.text import printable

from waypost_node.http import big_integers, by_gateway
from waypost_node.http.broken import Broken
from waypost_node.http.encodings import BadEncoding, decoded
from waypost_node.http.request import HttpWork
from waypost_node.redaction import public

CONNECT_TIMEOUT: Final = 10.0  # seconds
_REDIRECTS: Final = 5
_SHOWN: Final = 500  # characters of a response in a message
_LONGEST_RETRY_AFTER: Final = 1e9  # seconds; a record cannot hold infinity
# Codecs of Python that are no character sets of texts.
_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
)
_SEE_OTHER: Final = 303  # what was sent has been processed, and the result is at another address
_RATE_LIMITED: Final = 429
_LIMITS: Final = frozenset({403, _RATE_LIMITED})
_TOO_EARLY: Final = 425  # it was not processed
_PASSING: Final = frozenset({408, _TOO_EARLY})
_HELD: Final = frozenset({403, 409, 423, 425})
_UNAVAILABLE: Final = 503
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_SINCE_1970: Final = 1e9  # a larger number is a time, a smaller one is seconds
_LEFT_OUT: Final = frozenset({"set-cookie"})  # contains the key of a session


def exchange(client: httpx2.Client, work: HttpWork, *, seconds: float) -> Json:
    """Send the request once, and follow redirects on the same host.

    Args:
        client: the client, which must not follow redirects.
        work: the request.
        seconds: maximum wait for each step of the server.

    Returns:
        The output `{status, headers, body}`.

    Raises:
        Broken: no successful response.
    """
    message = _message(client, work, seconds)
    try:
        for _ in range(_REDIRECTS + 1):
            response = client.send(message, stream=True)
            try:
                if work.gateway is not None:
                    by_gateway.unwrap(work, response)
                    return _judged(work, response)
                if response.next_request is None or work.accepts(response.status_code):
                    return _judged(work, response)
            finally:
                response.close()
            message = _redirected(message, response.next_request, response.status_code)
    except httpx2.RequestError as error:
        raise _without_answer(work, error) from None
    raise Broken(
        Reason.NODE_ERROR, f"more than {_REDIRECTS} redirects; set http.url to the final address"
    )


def _message(client: httpx2.Client, work: HttpWork, seconds: float) -> httpx2.Request:
    times = httpx2.Timeout(seconds, connect=min(CONNECT_TIMEOUT, seconds))
    if work.gateway is not None:
        return by_gateway.message(client, work, work.gateway, times)
    return client.build_request(
        work.method, work.url, headers=work.headers, content=work.body, timeout=times
    )


def _redirected(sent: httpx2.Request, target: httpx2.Request, status: int) -> httpx2.Request:
    # The same host with TLS is the same place; a redirect from https to http is refused.
    if target.method != sent.method and status != _SEE_OTHER:
        place = target.url.copy_with(query=None, fragment=None, userinfo=b"")
        raise Broken(
            Reason.NODE_ERROR,
            f"{status}: redirect to {place}, not followed, because it would be a {target.method} "
            f"without the body of the {sent.method}; set http.url to it",
        )
    same = sent.url.host == target.url.host and sent.url.port == target.url.port
    if same and target.url.scheme in (sent.url.scheme, "https"):
        return target
    place = target.url.copy_with(raw_path=b"/", fragment=None, userinfo=b"")
    raise Broken(
        Reason.NODE_ERROR,
        f"{status}: redirect to another host, {place}, not followed; if the host is right, set "
        "http.url to it",
    )


def _without_answer(work: HttpWork, error: httpx2.RequestError) -> Broken:
    said = printable(" ".join(str(error).split()))
    text = said or type(error).__name__
    if work.gateway is not None:
        if unverified := by_gateway.without_answer(error):
            return unverified
        text = f"through the model gateway: {text}"
    if isinstance(error.__context__, ssl.SSLCertVerificationError) or "CERTIFICATE" in text:
        hint = "the server's certificate is not trusted; for a private CA set http.tls"
        return Broken(Reason.PROVIDER_ERROR, f"{hint}: {text}")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Broken(Reason.PROVIDER_ERROR, f"no connection: {text}", again=True)
    if isinstance(error, httpx2.ReadTimeout):
        return Broken(Reason.TIMEOUT, "no response within the node's timeout")
    if isinstance(error, httpx2.DecodingError | httpx2.UnsupportedProtocol):
        return Broken(Reason.PROVIDER_ERROR, text)
    # The server may have processed the request.
    text = f"the connection ended without a whole response: {text}"
    return Broken(Reason.PROVIDER_ERROR, text, again=work.effect != "once")


def _judged(work: HttpWork, response: httpx2.Response) -> Json:
    status = response.status_code
    if not work.accepts(status):
        raise _refused(work, response)
    headers = {k.lower(): v for k, v in response.headers.items() if k not in _LEFT_OUT}
    _hold_back(work, "\n".join(headers.values()))
    return {"status": status, "headers": headers, "body": _body(work, response)}


def _hold_back(work: HttpWork, text: str) -> None:
    """Refuse a response that contains a secret: outputs are stored in the status of the run.

    Called before the text is cut for a message: part of a secret would not be found.
    """
    if work.redact.finds(text):
        raise Broken(
            Reason.OUTPUT_INVALID,
            "the response contains a secret of the request, and outputs are stored unencrypted",
        )


def _refused(work: HttpWork, response: httpx2.Response) -> Broken:
    status = response.status_code
    first = _limited(work, response, _SHOWN * 4, cut=True)
    location = response.headers.get("location", "") if response.is_redirect else ""
    whole = f"{location} {_decoded(first, response, 'replace')}"
    said = public(whole, work.redact, _SHOWN)
    phrase = printable(response.reason_phrase)
    text = f"{status} {phrase}".strip() + (f": {said}" if said else "")
    after = _seconds(response.headers.get("retry-after"))
    if after is None and status in _LIMITS:
        after = _until_reset(response.headers)
    if status == _RATE_LIMITED or (status in _HELD and after is not None):
        return Broken(Reason.RATE_LIMITED, text, again=True, retry_after=after)
    if response.is_server_error:
        again = status == _UNAVAILABLE or work.effect != "once"
        return Broken(Reason.PROVIDER_ERROR, text, again=again, retry_after=after)
    if status in _PASSING:
        again = work.effect != "once" or status == _TOO_EARLY
        return Broken(Reason.PROVIDER_ERROR, text, again=again, retry_after=after)
    return Broken(Reason.NODE_ERROR, text)


def _until_reset(headers: httpx2.Headers) -> float | None:
    """The seconds until a limit that is used up is lifted, where a server says so without a
    Retry-After: as seconds, or as a time in seconds since 1970."""
    for prefix in ("x-ratelimit-", "ratelimit-"):
        reset = headers.get(f"{prefix}reset", "").strip()
        if headers.get(f"{prefix}remaining", "").strip() == "0" and _NUMBER.fullmatch(reset):
            number = float(reset)
            seconds = number - time.time() if number > _SINCE_1970 else number
            return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
    return None


def _seconds(text: str | None) -> float | None:
    """The seconds in a Retry-After header, which holds seconds or a date."""
    if not text:
        return None
    if text.strip().isdecimal():
        return min(float(text), _LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


_JSON: Final = ("application/json", "text/json", "application/x-json")
_MARK: Final = "\ufeff"  # that programs of tables write before their text


def _body(work: HttpWork, response: httpx2.Response) -> Json:
    """The body: JSON if content type or schema say so, else text; an empty body is null."""
    content = _limited(work, response, work.max_bytes)
    _hold_back(work, _decoded(content, response, "replace"))
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media in _JSON or media.endswith("+json")
    if not content or (is_json and not content.strip()):
        return _typed(work, None)
    if is_json:
        return _typed(work, _as_json(work, response, content))
    try:
        text = _decoded(content, response).removeprefix(_MARK)
        checked = ijson.check(text)
    except UnicodeDecodeError as error:
        raise Broken(Reason.OUTPUT_INVALID, _not_text(media, error)) from None
    except ijson.IJsonError as error:
        raise Broken(Reason.OUTPUT_INVALID, f"the response body: {error}") from None
    may_be_json = work.response_schema is not None and text.lstrip()[:1] in ("{", "[")
    if may_be_json and schema.validate(work.response_schema, checked, limit=1):
        return _typed(work, _as_json(work, response, content))
    return _typed(work, checked)


def _as_json(work: HttpWork, response: httpx2.Response, content: bytes) -> Json:
    """The JSON of a body. Some services write it in another charset than UTF-8, which they name."""
    try:
        text = _decoded(content, response)
        content = text.encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        pass  # the parser names the byte
    try:
        # Some frameworks begin JSON with a byte order mark.
        value = _parsed(work, content.removeprefix(codecs.BOM_UTF8))
    except ijson.BigIntegerError as error:
        text = f"the response body: {error}; {big_integers.ADVICE}"
        raise Broken(Reason.OUTPUT_INVALID, text) from None
    except ijson.IJsonError as error:
        raise Broken(Reason.OUTPUT_INVALID, f"the response body: {error}") from None
    _hold_back(work, ijson.canonical(value).decode())  # escapes are resolved now
    return value


def _not_text(media: str, error: UnicodeDecodeError) -> str:
    name = media or "no content type"
    if media.startswith("text/") or media.endswith(("xml", "csv", "yaml")):
        return (
            f"the response body ({name}) is not {error.encoding} at byte {error.start}; the "
            "service must name its charset in Content-Type, or a python node must read it"
        )
    return f"the response body ({name}) is neither JSON nor text; http nodes take nothing else"


def _parsed(work: HttpWork, content: bytes) -> Json:
    if work.big_integers_as_text:
        return big_integers.parse_as_text(content, work.response_schema)
    return ijson.parse(content)


def _decoded(content: bytes, response: httpx2.Response, errors: str = "strict") -> str:
    charset = response.charset_encoding or "utf-8"
    try:
        known = codecs.lookup(charset).name.replace("-", "_") not in _NO_CHARSETS
        return content.decode(charset if known else "utf-8", errors)
    except (LookupError, UnicodeEncodeError):  # an unknown name, or no name at all
        return content.decode("utf-8", errors)


def _limited(work: HttpWork, response: httpx2.Response, limit: int, *, cut: bool = False) -> bytes:
    """The decompressed body, at most `limit` bytes; if `cut`, the start of a longer one."""
    found = bytearray()
    try:
        for part in decoded(response.iter_raw(), response.headers.get("content-encoding", "")):
            found += part
            if len(found) > limit:
                if cut:
                    break
                raise Broken(
                    Reason.OUTPUT_TOO_LARGE,
                    f"the response body is larger than http.maxBytes ({limit}); request less or "
                    "raise the limit",
                )
    except BadEncoding as error:
        if not cut:
            again = error.cut and work.effect != "once"
            raise Broken(Reason.PROVIDER_ERROR, str(error), again=again) from None
    return bytes(found[:limit])


def _typed(work: HttpWork, body: Json) -> Json:
    if work.response_schema is None:
        return body
    violations = schema.validate(work.response_schema, body)
    if violations:
        shown = "; ".join(map(str, violations))
        raise Broken(
            Reason.OUTPUT_INVALID, f"the response body does not match responseSchema: {shown}"
        )
    return body
