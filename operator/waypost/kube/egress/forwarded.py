"""The request that the model gateway sends for an http node: an annotation of its pod.

The operator renders it, so that the pod chooses neither destination nor content. What comes from
Secrets is not in it: the gateway adds it.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from waypost.api.base import JsonObject, JsonValue
from waypost.protocol import ijson

PATH: Final = "/v1/http"  # below the URL of the model gateway
LIMIT: Final = 16 * 1024  # bytes of the annotation
_ORIGIN: Final = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))
# Of one connection, or about the pod, which the other side must not believe.
_NEVER: Final = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "expect", "forwarded", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "via"),
    }
)
_NEVER_BEGINS: Final = ("proxy-", "x-forwarded-", "waypost-")


@dataclass(frozen=True)
class Forwarded:
    """A request. `url` has the query; `headers` are those with a value in the node; `body` is the
    digest of the bytes of the body."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def to_text(self) -> str:
        """The annotation."""
        document = {"method": self.method, "url": self.url, "body": self.body}
        headers = [list(each) for each in self.headers]
        return json.dumps({**document, "headers": headers}, separators=(",", ":"), sort_keys=True)


def forwarded_from_text(text: str) -> Forwarded:
    """Read the annotation. Raises ValueError."""
    try:
        found = json.loads(text)
        headers = tuple((name, value) for name, value in found["headers"])
        made = Forwarded(found["method"], found["url"], headers, found["body"])
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError("the pod has no request for the model gateway") from error
    texts = [made.method, made.url, made.body, *(part for pair in headers for part in pair)]
    if not all(isinstance(one, str) for one in texts):
        raise ValueError("the request for the model gateway has a value that is not text")
    return made


def digest_of(body: bytes) -> str:
    """The digest of the bytes of a body."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def body_of(document: JsonObject) -> bytes:
    """The bytes of the body of an http node, as the runner sends it."""
    if "body" not in document:
        return b""
    body: JsonValue = document["body"]
    return body.encode() if isinstance(body, str) else ijson.canonical(body)


def whole_url(url: str, query: JsonObject) -> str:
    """A URL with these parameters in its query, which replace those of the same name; in ASCII and
    without a fragment."""
    before = quote(url.partition("#")[0], safe=_PRINTABLE)
    if not query:
        return before
    place, _, own = before.partition("?")
    kept = [pair for pair in parse_qsl(own, keep_blank_values=True) if pair[0] not in query]
    return f"{place}?{urlencode([*kept, *query.items()], quote_via=quote)}"


def fixed_part(template: str) -> str:
    """The start of the URL of a node that no expression chooses, in ASCII; "" if that is not the
    whole scheme and host."""
    before, expression, _ = template.partition("$")
    origin = _ORIGIN.match(before)
    if origin is None or (expression and origin.end() == len(before)):
        return ""
    return quote(before, safe=_PRINTABLE)


def host_of(url: str) -> str:
    """The host of a URL, with the port unless it is that of the scheme; "" if it has no usable
    one."""
    try:
        parts = urlsplit(url)
        usual = f":{443 if parts.scheme == 'https' else 80}"
        usable = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
        return parts.netloc.lower().removesuffix(usual) if usable else ""
    except ValueError:
        return ""


def url_problem(url: str, template: str) -> str:
    """Why the model gateway does not call a URL of a node with this template; "" if it does."""
    fixed = fixed_part(template)
    if not fixed or not host_of(url) or host_of(url) != host_of(fixed):
        return "scheme and host must be those that http.url has as text, without user and password"
    if not url.startswith(fixed.partition("#")[0].partition("?")[0]):
        return "the path must begin with what http.url has as text"
    path = url.partition("?")[0]
    if "\\" in path or any(unquote(part) in (".", "..") for part in path.split("/")[3:]):
        return "the path has a part '.' or '..', or a backslash, which servers resolve differently"
    return ""


def may_be_sent(header: str) -> bool:
    """Whether a node may set this header of a request that the model gateway sends."""
    name = header.lower()
    return name not in _NEVER and not name.startswith(_NEVER_BEGINS)
