"""Access to an address from a user's spec: keys from files, trust, and errors in words."""

import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
from waypost.protocol.probe import ProbeReason, Verdict

from waypost_node.http.error_bodies import sentence_of
from waypost_node.redaction import Redactor, public

_SHOWN: Final = 300  # characters of foreign text in a message
_HINTS: Final[Mapping[ProbeReason, str]] = {
    ProbeReason.UNAUTHORIZED: "the key is wrong, expired or missing; put a valid key into the "
    "Secret that the spec names",
    ProbeReason.FORBIDDEN: "the key is valid but lacks permission; check its permissions",
    ProbeReason.NOT_FOUND: "nothing exists at this address; check its path",
    ProbeReason.UNEXPECTED_ANSWER: "check the address and the log of the server",
}
_BY_STATUS: Final = {
    401: ProbeReason.UNAUTHORIZED,
    403: ProbeReason.FORBIDDEN,
    404: ProbeReason.NOT_FOUND,
    405: ProbeReason.NOT_FOUND,
    410: ProbeReason.NOT_FOUND,
}


class Unfit(Exception):
    """The address cannot be tried. `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Keys:
    """The secrets that this pod has read; `redact` removes them from messages."""

    def __init__(self) -> None:
        self._secrets: list[str] = []

    def read(self, path: str) -> str:
        """Read a mounted key, without a line break at its end.

        Raises:
            Unfit: the file cannot be read, is empty, or has characters that no header can hold.
        """
        try:
            text = Path(path).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            # The text of the error could contain bytes of the secret.
            raise _unfit(f"{path} cannot be read: {type(error).__name__}") from None
        # A header value is often a word, which is not secret, followed by the key.
        self._secrets += [text, *text.split()[1:]]
        if not text.strip():
            raise _unfit(f"the key at {path} is empty; put the API key into the Secret")
        if not text.isascii() or not text.isprintable():
            text_ = (
                f"the key at {path} has characters that no header can hold, such as a line break"
            )
            raise _unfit(f"{text_}; correct the Secret")
        return text

    def add(self, secret: str) -> None:
        """Remember a secret that was not read from a file, such as a token."""
        self._secrets.append(secret)

    @property
    def redact(self) -> Callable[[str], str]:
        """A function that replaces every key read so far by a mark."""
        return Redactor(self._secrets)


def headers_of(document: dict[str, Any], keys: Keys) -> dict[str, str]:
    """The headers in the document of a provider or server: values, or files that hold them.
    Raises Unfit."""
    return {
        each["name"]: keys.read(each["file"]) if "file" in each else each["value"]
        for each in document.get("headers", [])
    }


def query_of(document: dict[str, Any], keys: Keys) -> dict[str, str]:
    """The query parameters in the document of a provider or server: values, or files that hold
    them. Raises Unfit."""
    return {
        each["name"]: keys.read(each["file"]) if "file" in each else each["value"]
        for each in document.get("query", [])
    }


def add_query(http: httpx2.AsyncClient, query: dict[str, str]) -> None:
    """Let every request of `http` have these query parameters beside its own."""

    async def add(request: httpx2.Request) -> None:
        request.url = request.url.copy_merge_params(query)

    if query:
        http.event_hooks["request"].append(add)


def trust(ca_file: str | None) -> ssl.SSLContext:
    """A TLS context that trusts the usual CAs and those in `ca_file` (PEM). Raises Unfit."""
    context = httpx2.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            text = f"spec.tls: the key that it names contains no certificates (PEM): {error}"
            raise Unfit(Verdict(ProbeReason.UNREACHABLE, text)) from None
    return context


def address(text: str) -> httpx2.URL:
    """Parse an http or https URL. Raises Unfit."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError) as error:
        raise Unfit(Verdict(ProbeReason.BAD_URL, f"{text} is not a valid URL: {error}")) from None
    if url.scheme not in ("http", "https") or not url.host:
        problem = f"{text} is not a valid URL; expected http://host or https://host"
        raise Unfit(Verdict(ProbeReason.BAD_URL, problem))
    return url


def unreachable(error: Exception, url: httpx2.URL, redact: Callable[[str], str] = str) -> Verdict:
    """The verdict on a request without a response.

    Args:
        error: what the client raised. It may have bytes of the server.
        url: the address of the request.
        redact: removes secrets, before the message is cut.
    """
    place = url.host if url.port is None else f"{url.host}:{url.port}"
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        text = f"{place} did not respond in time; check that it runs and that pods can reach it"
        return Verdict(ProbeReason.UNREACHABLE, text)
    cause = public(_root(error), redact, _SHOWN)
    hint = "check that the name is right, the server runs, and pods can reach it"
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        hint = "for a private CA set spec.tls"
    elif "SSL" in cause.upper():
        hint = "check that the port uses TLS, or use http://"
    return Verdict(ProbeReason.UNREACHABLE, f"{place} cannot be reached: {cause}; {hint}")


def refused(status: int, said: str, url: httpx2.URL, *, hint: str = "") -> Verdict:
    """The verdict on an error response.

    Args:
        status: its HTTP status.
        said: the server's message, "" if there is none.
        url: the address of the request.
        hint: what to do about it; default: the usual advice for this status.
    """
    reason = _BY_STATUS.get(status, ProbeReason.UNEXPECTED_ANSWER)
    detail = f": {said}" if said else ""
    return Verdict(reason, f"{url} answered {status}{detail}; {hint or _HINTS[reason]}")


def said_in(body: bytes, redact: Callable[[str], str] = str) -> str:
    """The message in the body of an error response, in any of the usual JSON forms or as text.

    `redact` removes secrets, before the message is cut; agents of earlier releases pass none.
    """
    text = body.decode("utf-8", "replace")
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    return public(sentence_of(document) or text, redact, _SHOWN)


def _root(error: BaseException) -> str:
    """The text of the first cause that has one: httpx wraps errors of the socket."""
    text = str(error).strip()
    cause = error.__cause__ or error.__context__
    return text or (_root(cause) if cause else type(error).__name__)


def _unfit(text: str) -> Unfit:
    return Unfit(Verdict(ProbeReason.UNAUTHORIZED, text))
