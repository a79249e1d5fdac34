"""MCP servers behind the model gateway: the token of the pod instead of keys, and refusals of the
gateway apart from errors of the server."""

import asyncio
from pathlib import Path
from typing import Any, Final

import httpx2
from waypost.protocol.probe import ProbeReason, Verdict

from waypost_agent.provider.model_gateway import (
    REFUSED_HEADER,
    GatewayRefusal,
    GatewayUnverified,
    refusal_of,
    transport,
)

TRIES: Final = 6
FIRST_WAIT: Final = 0.5  # seconds between tries, doubled after each
_MOST_WAIT: Final = 5.0
# Nothing was sent to the server, and the next try may succeed.
_PASSING: Final = frozenset({"Busy", "Failed", "TokenRefused", "TooSlow"})
# The server was asked: the call was made, or it is not known whether it was.
MADE: Final = frozenset({"AnswerTooLarge", "KeyInAnswer"})
UNKNOWN: Final = frozenset({"NoAnswer"})
# What the model can do something about; all else ends the attempt.
OF_THE_CALL: Final = frozenset({"BadRequest", "TooLarge", "Redirected", "Unreachable"})


class NotSent(httpx2.TransportError):
    """The gateway cannot be reached or verified. The library of MCP ends the session for it."""


class GatewayClient(httpx2.AsyncClient):
    """Sends each request with the token of the pod, which the kubelet renews, and again while the
    gateway cannot take it."""

    def __init__(self, url: str, token_file: str, **more: Any) -> None:
        super().__init__(transport=transport(url), trust_env=False, **more)
        self._token_file = token_file

    async def send_to_gateway(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        """Send a request whose content was read. Raises NotSent."""
        wait = FIRST_WAIT
        for left in reversed(range(TRIES)):
            request.headers["Authorization"] = f"Bearer {self._token}"
            try:
                answer = await super().send(request, **more)
            except GatewayUnverified as error:
                raise NotSent(f"the model gateway cannot be verified: {error}") from None
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
                if not left:
                    text = f"the model gateway accepts no connection: {type(error).__name__}"
                    raise NotSent(text) from None
            else:
                if not left or answer.headers.get(REFUSED_HEADER, "") not in _PASSING:
                    return answer
                await answer.aclose()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _MOST_WAIT)
        raise AssertionError("the last try returns or raises")

    @property
    def _token(self) -> str:
        return Path(self._token_file).read_text(encoding="ascii").strip()


async def refused_by_gateway(answer: httpx2.Response) -> GatewayRefusal | None:
    """The refusal in an answer; None if it is one of the server. The body is read."""
    reason = answer.headers.get(REFUSED_HEADER, "")
    return await refusal_of(answer, reason) if reason else None


def verdict_of(refusal: GatewayRefusal) -> Verdict:
    """What a refusal means."""
    text = f"the model gateway refused the call ({refusal.reason}): {refusal}"
    return Verdict(ProbeReason.UNREACHABLE, text)
