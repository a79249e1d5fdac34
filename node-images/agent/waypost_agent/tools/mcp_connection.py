"""Reaching MCP servers, for the probe and for the loop alike."""

import json
from typing import Any, Final, NamedTuple

import httpx2
from mcp import MCPError
from waypost.protocol.probe import ProbeReason, Verdict
from waypost_node import endpoint_access

# The session's own clock comes first: it ends one call, this one the whole session.
_LATER: Final = 5.0


class Refused(NamedTuple):
    """An HTTP request that failed. `status`: of the answer, None where the request was not sent;
    `words`: what the server said; `verdict`: what it means."""

    status: int | None
    words: str
    verdict: Verdict


class Refusals:
    """The HTTP requests of a session that failed: the MCP library keeps neither status nor
    words. `last` is the verdict on the last of them."""

    def __init__(self) -> None:
        self.last: Verdict | None = None
        self._calls: dict[str, Refused] = {}

    def note(self, request: httpx2.Request, refused: Refused) -> None:
        """Remember a request that failed."""
        self.last = refused.verdict
        try:
            params = json.loads(request.content)["params"]
            self._calls[_key(params["name"], params.get("arguments"))] = refused
        except (KeyError, TypeError, ValueError, httpx2.RequestNotRead):
            return  # no call of a tool

    def of_call(self, name: str, arguments: Any) -> Refused | None:
        """How the last call with these arguments failed; forgotten then."""
        return self._calls.pop(_key(name, arguments), None)


class _Client(httpx2.AsyncClient):
    """Notes requests that found no connection: the server surely did not get them."""

    refusals: Refusals

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        try:
            return await super().send(request, **more)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            verdict = endpoint_access.unreachable(error, request.url)
            self.refusals.note(request, Refused(None, verdict.message, verdict))
            raise


def client(
    document: dict[str, Any], keys: endpoint_access.Keys, *, seconds: float, refusals: Refusals
) -> httpx2.AsyncClient:
    """A client with the headers and the trust of a server's document. Requests that fail are noted
    in `refusals`. Raises endpoint_access.Unfit."""

    async def note(answer: httpx2.Response) -> None:
        if answer.request.method == "POST" and answer.status_code >= 300:
            words = endpoint_access.said_in(await answer.aread())
            verdict = endpoint_access.refused(answer.status_code, words, url)
            refusals.note(answer.request, Refused(answer.status_code, words, verdict))

    url = endpoint_access.address(document["url"])  # without query: it may hold a secret
    headers = httpx2.Headers({"User-Agent": "waypost"})
    headers.update(endpoint_access.headers_of(document, keys))
    http = _Client(
        headers=headers,
        verify=endpoint_access.trust(document.get("caFile")),
        timeout=httpx2.Timeout(seconds, read=seconds + _LATER),
        event_hooks={"response": [note]},
    )
    http.refusals = refusals
    endpoint_access.add_query(http, endpoint_access.query_of(document, keys))
    return http


def failure(error: BaseException, url: httpx2.URL, refusals: Refusals) -> Verdict:
    """What a server said instead of speaking MCP, or why it could not be reached."""
    for leaf in leaves(error):
        if isinstance(leaf, httpx2.ConnectError | httpx2.TimeoutException | TimeoutError):
            return endpoint_access.unreachable(leaf, url)
    if refusals.last is not None:
        return refusals.last
    for leaf in leaves(error):
        if isinstance(leaf, httpx2.HTTPError):
            return endpoint_access.unreachable(leaf, url)
    hint = "check the path: many servers answer at /mcp"
    text = f"{url} does not speak MCP over streamable HTTP: {said(error)}; {hint}"
    return Verdict(ProbeReason.UNEXPECTED_ANSWER, text)


def said(error: BaseException) -> str:
    """The text of the first error in a group, short and on one line."""
    leaf = next(iter(leaves(error)))
    name = "" if isinstance(leaf, MCPError) else f"{type(leaf).__name__}: "
    return " ".join(f"{name}{leaf}".split())[:300]


def leaves(error: BaseException) -> list[BaseException]:
    """The errors of a group; what caused one that stands alone comes after it."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    cause = error.__cause__
    return [error] if cause is None else [error, *leaves(cause)]


def _key(name: str, arguments: Any) -> str:
    return json.dumps([name, arguments or {}], sort_keys=True, default=str)
