"""Reaching an address that a user wrote: keys from files, trust, and what went wrong in words."""

import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
from waypost.protocol.probe import ProbeReason, Verdict

from waypost_node.redaction import Redactor

_SAID: Final = 300  # characters of somebody else's text
_HINTS: Final[Mapping[ProbeReason, str]] = {
    ProbeReason.UNAUTHORIZED: "the key is wrong, expired or missing; put a valid one into the "
    "Secret that the spec names",
    ProbeReason.FORBIDDEN: "the key is known, and may not do this; look at its rights",
    ProbeReason.NOT_FOUND: "there is nothing at this address; look at its path",
    ProbeReason.UNEXPECTED_ANSWER: "look at the address, and at the log of the server",
}
_BY_STATUS: Final = {
    401: ProbeReason.UNAUTHORIZED,
    403: ProbeReason.FORBIDDEN,
    404: ProbeReason.NOT_FOUND,
    405: ProbeReason.NOT_FOUND,
    410: ProbeReason.NOT_FOUND,
}


class Unfit(Exception):
    """It cannot even be tried. `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Keys:
    """The secrets of this pod: read once, and struck out of everything that is said."""

    def __init__(self) -> None:
        self._secrets: list[str] = []

    def read(self, path: str) -> str:
        """The text of a mounted key, without the line break that editors leave at its end.
        Raises Unfit."""
        try:
            text = Path(path).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            # The error's own text could show bytes of the secret.
            raise _unfit(f"{path} cannot be read: {type(error).__name__}") from None
        # A header's value is often a word, which is no secret, and the key itself.
        self._secrets += [text, *text.split()[1:]]
        if not text.strip():
            raise _unfit(f"the key at {path} is empty; put the API key into the Secret")
        if not text.isascii() or not text.isprintable():
            raise _unfit(f"the key at {path} has characters that no header takes, such as a line "
                         "break; write the Secret anew")  # fmt: skip
        return text

    @property
    def redact(self) -> Callable[[str], str]:
        """Strikes out every key that was read so far."""
        return Redactor(self._secrets)


def headers_of(document: dict[str, Any], keys: Keys) -> dict[str, str]:
    """The headers in the document of a provider or server: values, or files that hold them.
    Raises Unfit."""
    return {
        each["name"]: keys.read(each["file"]) if "file" in each else each["value"]
        for each in document.get("headers", [])
    }


def trust(ca_file: str | None) -> ssl.SSLContext:
    """The usual certificates, and those of `ca_file`. Raises Unfit."""
    context = httpx2.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            text = f"spec.tls: there are no certificates (PEM) in the key that it names: {error}"
            raise Unfit(Verdict(ProbeReason.UNREACHABLE, text)) from None
    return context


def address(text: str) -> httpx2.URL:
    """The address. Raises Unfit."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError) as error:
        raise Unfit(Verdict(ProbeReason.BAD_URL, f"{text} is no address: {error}")) from None
    if url.scheme not in ("http", "https") or not url.host:
        told = f"{text} is no address; expected http://host or https://host"
        raise Unfit(Verdict(ProbeReason.BAD_URL, told))
    return url


def unreachable(error: Exception, url: httpx2.URL) -> Verdict:
    """What a request that got no answer met."""
    place = url.host if url.port is None else f"{url.host}:{url.port}"
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        text = f"{place} did not answer in time; look whether it runs and may be reached from pods"
        return Verdict(ProbeReason.UNREACHABLE, text)
    said = _root(error)
    hint = "look whether the name is right, the server runs, and pods may reach it"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        hint = "if its CA is your own, name it in spec.tls"
    elif "SSL" in said.upper():
        hint = "look whether the port speaks TLS, or write http://"
    return Verdict(ProbeReason.UNREACHABLE, f"{place} cannot be reached: {said}; {hint}")


def refused(status: int, said: str, url: httpx2.URL, *, hint: str = "") -> Verdict:
    """What an answer that is no success means."""
    reason = _BY_STATUS.get(status, ProbeReason.UNEXPECTED_ANSWER)
    told = f": {said}" if said else ""
    return Verdict(reason, f"{url} answered {status}{told}; {hint or _HINTS[reason]}")


def said_in(body: bytes) -> str:
    """The sentence in an error's body, in whichever of the usual forms."""
    text = body.decode("utf-8", "replace")
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        error = document.get("error", document)
        found = error.get("message") if isinstance(error, dict) else error
        text = found if isinstance(found, str) else text
    return " ".join(text.split())[:_SAID]


def _root(error: BaseException) -> str:
    """The text of the first cause that has one; httpx wraps what the socket said."""
    text = " ".join(str(error).split())
    cause = error.__cause__ or error.__context__
    return (text or (_root(cause) if cause else type(error).__name__))[:_SAID]


def _unfit(text: str) -> Unfit:
    return Unfit(Verdict(ProbeReason.UNAUTHORIZED, text))
