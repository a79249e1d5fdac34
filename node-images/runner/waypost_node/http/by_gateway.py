"""The request of an http node that the model gateway sends, so that this pod needs no key.

The gateway has method, URL and headers from the operator and keys from Secrets; the pod sends the
body. Its answer has the status, headers and body of the server, as if the pod had called it.
"""

import json
from pathlib import Path
from typing import Any, Final

import httpx2
from waypost.protocol.reasons import Reason
from waypost.protocol.text import printable

from waypost_node.http.broken import Broken
from waypost_node.http.request import ByGateway, HttpWork
from waypost_node.tls.trust import NoTrust, client_options
from waypost_node.tls.words import tls_problem

REFUSED_HEADER: Final = "waypost-refused"
LENGTH_HEADER: Final = "waypost-length"  # the Content-Length of the server
_SENT: Final = ("content-type", "idempotency-key", "user-agent")
_SHOWN: Final = 500
_LARGEST: Final = 64 * 1024  # bytes of a refusal
_REASONS: Final = {
    "KeyInAnswer": Reason.OUTPUT_INVALID,
    "KeyMissing": Reason.KEY_MISSING,
    "AnswerTooLarge": Reason.OUTPUT_TOO_LARGE,
    "TooLarge": Reason.INPUT_TOO_LARGE,
}
_MAYBE_SENT: Final = "NoAnswer"
# Nothing was sent: the kubelet renews the token, the gateway or the API server has too much to do,
# or the server does not accept connections.
_PASSING: Final = frozenset({401, 408, 502, 503})


def client(gateway: ByGateway) -> httpx2.Client:
    """A client for the model gateway. Raises Broken if this pod cannot verify it."""
    try:
        # A proxy of the image must not get the token of the pod.
        options = client_options(gateway.url, "models")
        return httpx2.Client(trust_env=False, follow_redirects=False, **options)
    except NoTrust as error:
        raise Broken(Reason.PROVIDER_ERROR, f"the model gateway: {error}") from None


def message(
    client: httpx2.Client, work: HttpWork, gateway: ByGateway, times: httpx2.Timeout
) -> httpx2.Request:
    """The call that makes the gateway send the request."""
    try:
        token = Path(gateway.token_file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        text = f"no token for the model gateway: {type(error).__name__}"
        raise Broken(Reason.PROVIDER_ERROR, text) from None
    headers = {name: work.headers[name] for name in _SENT if name in work.headers}
    headers["Authorization"] = f"Bearer {token}"
    return client.build_request(
        "POST", gateway.url, headers=headers, content=work.body or b"", timeout=times
    )


def unwrap(work: HttpWork, response: httpx2.Response) -> None:
    """Make the answer of the gateway that of the server. Raises Broken for a refusal of the
    gateway, and for a redirect, which it does not follow."""
    reason = response.headers.get(REFUSED_HEADER)
    if reason:
        raise _refused(work, response, reason)
    length = response.headers.pop(LENGTH_HEADER, None)
    if length is not None:
        response.headers["content-length"] = length
    if response.is_redirect and not work.accepts(response.status_code):
        place = printable(response.headers.get("location", ""))[:_SHOWN].partition("?")[0]
        text = f"{response.status_code}: redirect to {place}, which the model gateway does not"
        raise Broken(Reason.NODE_ERROR, f"{text} follow; set http.url to the final address")


def without_answer(error: httpx2.RequestError) -> Broken | None:
    """What the TLS of the gateway is about; None for another error."""
    problem = tls_problem(error)
    if not problem:
        return None
    text = f"the model gateway cannot be verified: {problem}"
    return Broken(Reason.PROVIDER_ERROR, text, again=True)


def _refused(work: HttpWork, response: httpx2.Response, reason: str) -> Broken:
    said = ""
    for part in response.iter_text():
        said += part
        if len(said) > _LARGEST:
            break
    try:
        found: Any = json.loads(said)["error"]["message"]
        said = str(found)
    except (ValueError, LookupError, TypeError):
        said = said[:_SHOWN]
    after = response.headers.get("retry-after", "")
    return Broken(
        _REASONS.get(reason, Reason.PROVIDER_ERROR),
        f"refused by the model gateway ({reason}): {printable(' '.join(said.split()))}",
        again=response.status_code in _PASSING or (reason == _MAYBE_SENT and work.effect != "once"),
        retry_after=float(after) if after.isdecimal() else None,
    )
