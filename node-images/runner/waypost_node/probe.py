"""The program of a probe pod: tries what a node would do, and reports the result.

Exit code 0: there is a verdict, good or bad.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2
from waypost.protocol.probe import (
    REQUEST_FILE,
    VERSION,
    ProbeReason,
    Verdict,
    encode,
)

from waypost_node import endpoint_access
from waypost_node.redaction import public

OUTPUT_FILE: Final = "/dev/termination-log"
_BODY_LIMIT: Final = 8 * 1024 * 1024
_SHOWN: Final = 100  # characters of an answer that is no list


class _Interface(NamedTuple):
    """How the API of one type of provider lists its models."""

    path: str
    header: str  # header of the key
    prefix: str  # text before the key
    extra: dict[str, str]
    models: str  # field of the list
    name: str  # field of a model
    more: str  # field that is set if the list has another page


_INTERFACES: Final = {
    "OpenAI": _Interface("/models", "Authorization", "Bearer ", {}, "data", "id", "has_more"),
    "Anthropic": _Interface(
        "/v1/models?limit=1000",
        "x-api-key",
        "",
        {"anthropic-version": "2023-06-01"},
        "data",
        "id",
        "has_more",
    ),
    "Google": _Interface(
        "/v1beta/models?pageSize=1000", "x-goog-api-key", "", {}, "models", "name", "nextPageToken"
    ),
}


def main() -> int:
    """Probe the provider in the request; returns the exit code."""
    return run(_ask)


def run(ask: Callable[[dict[str, Any], endpoint_access.Keys], Verdict]) -> int:
    """Run a probe and write its verdict, without secrets, as the termination message.

    Args:
        ask: probes the address in a request document; may raise endpoint_access.Unfit.

    Returns:
        The exit code: 0 with a verdict, 2 if the request has another version.
    """
    path = Path(os.environ.get("WAYPOST_PROBE_REQUEST", REQUEST_FILE))
    request = json.loads(path.read_bytes())
    if request.get("v") != VERSION:
        print(
            f"waypost: expected a probe request of version {VERSION}, found {request.get('v')!r}",
            file=sys.stderr,
        )
        return 2
    keys = endpoint_access.Keys()
    try:
        verdict = ask(request, keys)
    except endpoint_access.Unfit as error:
        verdict = error.verdict
    clean = verdict._replace(message=keys.redact(verdict.message))
    print(f"waypost: {clean.reason}: {clean.message}", file=sys.stderr)
    Path(os.environ.get("WAYPOST_OUTPUT", OUTPUT_FILE)).write_bytes(encode(clean))
    return 0


def _ask(request: dict[str, Any], keys: endpoint_access.Keys) -> Verdict:
    return ask_provider(request["provider"], keys, seconds=float(request["timeoutSeconds"]))


def ask_provider(
    document: dict[str, Any], keys: endpoint_access.Keys, *, seconds: float
) -> Verdict:
    """Probe a provider by listing its models, which is cheap and requires the key.

    Args:
        document: `type`, `baseUrl`, and optionally `keyFile`, `caFile`, `models` (wanted names).
        keys: records the key, so that it can be redacted.
        seconds: time limit.

    Raises:
        endpoint_access.Unfit: the address or the key cannot be used.
    """
    interface = _INTERFACES[document["type"]]
    base = str(document["baseUrl"]).rstrip("/")
    url = endpoint_access.address(base + interface.path)
    headers = {
        "User-Agent": "waypost",
        **interface.extra,
        **endpoint_access.headers_of(document, keys),
    }
    if "keyFile" in document:
        headers[interface.header] = interface.prefix + keys.read(document["keyFile"])
    context = endpoint_access.trust(document.get("caFile"))
    try:
        # Messages have the address without these: one of them may be a secret.
        status, body = _get(
            url.copy_merge_params(endpoint_access.query_of(document, keys)),
            headers,
            context,
            seconds,
        )
    except (httpx2.HTTPError, TimeoutError) as error:
        return endpoint_access.unreachable(error, url, keys.redact)
    if status != 200:
        return endpoint_access.refused(
            status, endpoint_access.said_in(body, keys.redact), url, hint=_hint(document, status)
        )
    return _judged(body, interface, document.get("models", []), url, keys)


def _get(
    url: httpx2.URL, headers: dict[str, str], context: Any, seconds: float
) -> tuple[int, bytes]:
    """Status and body of the response. Raises httpx2.HTTPError or TimeoutError."""
    ends = time.monotonic() + seconds
    body = b""
    with (
        httpx2.Client(verify=context, timeout=seconds, follow_redirects=False) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        for chunk in answer.iter_bytes():
            body += chunk
            if time.monotonic() > ends:  # the client's timeout is per read
                raise TimeoutError
            if len(body) > _BODY_LIMIT:
                break
        return answer.status_code, body


def _judged(
    body: bytes,
    interface: _Interface,
    wanted: list[str],
    url: httpx2.URL,
    keys: endpoint_access.Keys,
) -> Verdict:
    try:
        document = json.loads(body)
        listed = {str(model[interface.name]) for model in document[interface.models] or []}
    except (ValueError, TypeError, KeyError, RecursionError):
        text = f"{url} answered 200, but not with a list of models"
        said = public(body.decode("utf-8", "replace"), keys.redact, _SHOWN)
        hint = "check the address: its path may be incomplete, or a web page may be there"
        return Verdict(ProbeReason.UNEXPECTED_ANSWER, f"{text} ({said}); {hint}")
    names = listed | {name.removeprefix("models/") for name in listed}
    names |= {name.removesuffix(":latest") for name in listed}
    unknown = tuple(name for name in wanted if name not in names)
    count = f"{len(listed)} models"
    if not unknown or document.get(interface.more):
        return Verdict(ProbeReason.ANSWERED, count, found=len(listed))
    text = f"{count}, but not {_few(unknown)}; check the spelling of spec.models[].name"
    return Verdict(ProbeReason.UNKNOWN_MODELS, text, found=len(listed), unknown=unknown)


def _few(names: tuple[str, ...]) -> str:
    listed = ", ".join(names[:5])
    return listed if len(names) <= 5 else f"{listed} and {len(names) - 5} more"


def _hint(document: dict[str, Any], status: int) -> str:
    if status in (401, 403) and "keyFile" not in document:
        return "it requires a key; set spec.apiKey"
    if status == 404 and document["type"] == "OpenAI" and "/v1" not in document["baseUrl"]:
        return "the address of most servers ends with /v1: add it to spec.baseURL"
    if status == 404:
        return "check the path of spec.baseURL, and spec.type"
    return ""


if __name__ == "__main__":
    sys.exit(main())
