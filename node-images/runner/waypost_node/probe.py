"""The program of a probe's pod: tries what a node would do, and says how that went.

It ends with 0 whenever it came to a verdict, good or bad.
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

from waypost_node import reach

OUTPUT_FILE: Final = "/dev/termination-log"
_BODY_LIMIT: Final = 8 * 1024 * 1024


class _Interface(NamedTuple):
    """How one type of provider lists its models."""

    path: str
    header: str  # that carries the key
    prefix: str  # before the key
    extra: dict[str, str]
    models: str  # field of the list
    name: str  # field of a model
    more: str  # field that is set when the list goes on


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
    """Probe the provider that the request names; gives the exit code."""
    return run(_ask)


def run(ask: Callable[[dict[str, Any], reach.Keys], Verdict]) -> int:
    """Let `ask` come to a verdict on the request of this pod, and leave it, free of secrets, as
    the termination message. Gives the exit code."""
    path = Path(os.environ.get("WAYPOST_PROBE_REQUEST", REQUEST_FILE))
    request = json.loads(path.read_bytes())
    if request.get("v") != VERSION:
        print(f"waypost: a probe of version {request.get('v')}, not {VERSION}", file=sys.stderr)
        return 2
    keys = reach.Keys()
    try:
        verdict = ask(request, keys)
    except reach.Unfit as error:
        verdict = error.verdict
    told = verdict._replace(message=keys.redact(verdict.message))
    print(f"waypost: {told.reason}: {told.message}", file=sys.stderr)
    Path(os.environ.get("WAYPOST_OUTPUT", OUTPUT_FILE)).write_bytes(encode(told))
    return 0


def _ask(request: dict[str, Any], keys: reach.Keys) -> Verdict:
    return ask_provider(request["provider"], keys, seconds=float(request["timeoutSeconds"]))


def ask_provider(document: dict[str, Any], keys: reach.Keys, *, seconds: float) -> Verdict:
    """List the models of a provider: cheap, and it needs the key. Raises Unfit."""
    interface = _INTERFACES[document["type"]]
    base = str(document["baseUrl"]).rstrip("/")
    url = reach.address(base + interface.path)
    headers = {"User-Agent": "waypost", **interface.extra, **reach.headers_of(document, keys)}
    if "keyFile" in document:
        headers[interface.header] = interface.prefix + keys.read(document["keyFile"])
    context = reach.trust(document.get("caFile"))
    try:
        status, body = _get(url, headers, context, seconds)
    except (httpx2.HTTPError, TimeoutError) as error:
        return reach.unreachable(error, url)
    if status != 200:
        return reach.refused(status, reach.said_in(body), url, hint=_hint(document, status))
    return _judged(body, interface, document.get("models", []), url)


def _get(
    url: httpx2.URL, headers: dict[str, str], context: Any, seconds: float
) -> tuple[int, bytes]:
    """Status and body of the answer. Raises httpx2.HTTPError, TimeoutError."""
    ends = time.monotonic() + seconds
    body = b""
    with (
        httpx2.Client(verify=context, timeout=seconds, follow_redirects=False) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        for chunk in answer.iter_bytes():
            body += chunk
            if time.monotonic() > ends:  # the client's own clock is of one read
                raise TimeoutError
            if len(body) > _BODY_LIMIT:
                break
        return answer.status_code, body


def _judged(body: bytes, interface: _Interface, wanted: list[str], url: httpx2.URL) -> Verdict:
    try:
        document = json.loads(body)
        listed = {str(model[interface.name]) for model in document[interface.models] or []}
    except (ValueError, TypeError, KeyError, RecursionError):
        text = f"{url} answered 200 with something that is no list of models"
        said = " ".join(body[:200].decode("utf-8", "replace").split())
        hint = "look at the address: is the last part of its path missing, or a web page there?"
        return Verdict(ProbeReason.UNEXPECTED_ANSWER, f"{text} ({said[:100]}); {hint}")
    names = listed | {name.removeprefix("models/") for name in listed}
    names |= {name.removesuffix(":latest") for name in listed}
    unknown = tuple(name for name in wanted if name not in names)
    told = f"{len(listed)} models"
    if not unknown or document.get(interface.more):
        return Verdict(ProbeReason.ANSWERED, told, found=len(listed))
    text = f"{told}, but not {_few(unknown)}; look at the spelling of spec.models[].name"
    return Verdict(ProbeReason.UNKNOWN_MODELS, text, found=len(listed), unknown=unknown)


def _few(names: tuple[str, ...]) -> str:
    told = ", ".join(names[:5])
    return told if len(names) <= 5 else f"{told} and {len(names) - 5} more"


def _hint(document: dict[str, Any], status: int) -> str:
    if status in (401, 403) and "keyFile" not in document:
        return "it wants a key; name one in spec.apiKey"
    if status == 404 and document["type"] == "OpenAI" and "/v1" not in document["baseUrl"]:
        return "the address of most servers ends in /v1: add it to spec.baseURL"
    if status == 404:
        return "look at the path of spec.baseURL, and at spec.type"
    return ""


if __name__ == "__main__":
    sys.exit(main())
