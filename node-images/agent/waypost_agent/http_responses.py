"""Responses of providers and tool servers, before anything judges what they hold."""

from typing import Final

import httpx2

# How a body arrives that was cut on its way, or is not what its headers say.
DAMAGED: Final = (httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.DecodingError)


async def start_of(response: httpx2.Response, limit: int) -> bytes:
    """At most `limit` bytes of a body, which is read no further.

    Raises one of DAMAGED, but not for an error response: its status says enough.
    """
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk[: limit - len(body)]
            if len(body) >= limit:
                break
    except DAMAGED:
        if response.is_success:
            raise
    return bytes(body)


def redirect_in(response: httpx2.Response) -> str:
    """Where a redirect leads, in words, without what may be secret in the address; "" for any other
    response."""
    if not 300 <= response.status_code < 400:
        return ""
    try:
        target = response.url.join(response.headers["location"])
        place = target.copy_with(query=None, fragment=None, userinfo=b"")
    except (httpx2.InvalidURL, KeyError, ValueError):
        return ""
    return f"a redirect to {place}"
