"""Reaching MCP servers, for the probe and for the loop alike."""

from typing import Any, Final

import httpx2
from mcp import MCPError
from waypost.protocol.probe import ProbeReason, Verdict
from waypost_node import endpoint_access

# The session's own clock comes first: it ends one call, this one the whole session.
_LATER: Final = 5.0


def client(
    document: dict[str, Any], keys: endpoint_access.Keys, *, seconds: float, refusals: list[Verdict]
) -> httpx2.AsyncClient:
    """A client with the headers and the trust of a server's document.

    What a POST is refused with is put into `refusals`, because the MCP library tells it in words
    only. Raises endpoint_access.Unfit.
    """

    async def note(answer: httpx2.Response) -> None:
        if answer.request.method == "POST" and answer.status_code >= 300:
            body = await answer.aread()
            said = endpoint_access.said_in(body)
            refusals.append(endpoint_access.refused(answer.status_code, said, answer.request.url))

    headers = httpx2.Headers({"User-Agent": "waypost"})
    for header in document.get("headers", []):
        headers[header["name"]] = keys.read(header["file"]) if "file" in header else header["value"]
    return httpx2.AsyncClient(
        headers=headers,
        verify=endpoint_access.trust(document.get("caFile")),
        timeout=httpx2.Timeout(seconds, read=seconds + _LATER),
        event_hooks={"response": [note]},
    )


def failure(error: BaseException, url: httpx2.URL, refusals: list[Verdict]) -> Verdict:
    """What a server said instead of speaking MCP, or why it could not be reached."""
    for leaf in leaves(error):
        if isinstance(leaf, httpx2.ConnectError | httpx2.TimeoutException | TimeoutError):
            return endpoint_access.unreachable(leaf, url)
    if refusals:
        return refusals[-1]
    for leaf in leaves(error):
        if isinstance(leaf, httpx2.HTTPError):
            return endpoint_access.unreachable(leaf, url)
    hint = "look at the path: many servers answer at /mcp"
    text = f"{url} does not speak MCP over streamable HTTP: {said(error)}; {hint}"
    return Verdict(ProbeReason.UNEXPECTED_ANSWER, text)


def said(error: BaseException) -> str:
    """The text of the first error in a group, short."""
    leaf = next(iter(leaves(error)))
    name = "" if isinstance(leaf, MCPError) else f"{type(leaf).__name__}: "
    return f"{name}{leaf}"[:300]


def leaves(error: BaseException) -> list[BaseException]:
    """The errors of a group; what caused one that stands alone comes after it."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    cause = error.__cause__
    return [error] if cause is None else [error, *leaves(cause)]
