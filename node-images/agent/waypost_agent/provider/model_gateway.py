"""Calls through the model gateway: the token of the pod instead of a key, and refusals
of the gateway apart from those of the provider behind it."""

import contextlib
import json
from pathlib import Path
from typing import Any, Final

import httpx2
from waypost_node.tls.trust import NoTrust, client_options
from waypost_node.tls.words import tls_problem

from waypost_agent.http_responses import start_of

REFUSED_HEADER: Final = "waypost-refused"
_SHOWN_BYTES: Final = 64 * 1024


class GatewayRefusal(Exception):
    """The model gateway refused a call. `reason` is its reason, `retry_after` in seconds."""

    def __init__(
        self, reason: str, message: str, *, status: int, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after


class GatewayUnverified(Exception):
    """What answers is not the model gateway, or its certificate is not valid; the message says
    what to do (S781)."""


class _Verified(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await super().handle_async_request(request)
        except httpx2.TransportError as error:
            if problem := tls_problem(error):
                raise GatewayUnverified(problem) from error
            raise


def transport(url: str) -> httpx2.AsyncBaseTransport:
    """The connections to the model gateway at `url`, which is verified if that is https://.

    Raises:
        GatewayUnverified: The pod has no CA for it.
    """
    try:
        # A proxy or .netrc of the image must not get the token of the pod.
        return _Verified(trust_env=False, **client_options(url, "models"))
    except NoTrust as error:
        raise GatewayUnverified(str(error)) from None


def call_through(http: httpx2.AsyncClient, *, token_file: str) -> None:
    """Let each request of `http` have the token of the pod, which the kubelet renews, and let it
    raise GatewayRefusal for what the gateway refuses."""

    async def identify(request: httpx2.Request) -> None:
        token = Path(token_file).read_text(encoding="ascii").strip()  # noqa: ASYNC240 -- memory
        request.headers["Authorization"] = f"Bearer {token}"

    async def check(response: httpx2.Response) -> None:
        reason = response.headers.get(REFUSED_HEADER, "")
        if reason:
            raise await refusal_of(response, reason)

    http.event_hooks["request"].append(identify)
    http.event_hooks["response"].insert(0, check)


async def refusal_of(response: httpx2.Response, reason: str) -> GatewayRefusal:
    """The refusal in an answer of the gateway, whose body is read."""
    text = (await start_of(response, _SHOWN_BYTES)).decode("utf-8", "replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        found: Any = json.loads(text)["error"]["message"]
        text = str(found)
    seconds = None
    with contextlib.suppress(ValueError):
        seconds = float(response.headers.get("retry-after", ""))
    return GatewayRefusal(reason, text, status=response.status_code, retry_after=seconds)
