"""How long the first byte of an answer took: the headers of a response, before its body is read.
And how much of that time the model gateway held the call for the limits of its provider."""

import contextlib
import time
from typing import Final

import httpx2
from waypost.protocol.ijson import Json

_DIGITS: Final = 3
WAITED_HEADER: Final = "waypost-waited"


class FirstByte:
    """Watches the requests of one HTTP client, one at a time. `by_gateway`: they go to the model
    gateway, whose headers are believed."""

    def __init__(self, *, by_gateway: bool = False) -> None:
        self._by_gateway = by_gateway
        self._sent: float | None = None
        self._seconds: float | None = None
        self._waited: float | None = None

    def watch(self, http: httpx2.AsyncClient) -> None:
        """Look at requests as they are sent, and at answers before anything else does."""

        async def sent(_: httpx2.Request) -> None:
            self._sent, self._seconds, self._waited = time.monotonic(), None, None

        async def came(response: httpx2.Response) -> None:
            if self._sent is None:
                return
            self._seconds = time.monotonic() - self._sent
            if self._by_gateway:
                with contextlib.suppress(ValueError):
                    self._waited = float(response.headers.get(WAITED_HEADER, ""))

        http.event_hooks["request"].append(sent)
        http.event_hooks["response"].insert(0, came)

    def taken(self) -> dict[str, Json]:
        """The fields of an entry of the trace about the last request. Asked once for a request."""
        found = {"firstByteSeconds": self._seconds, "gatewayWaitSeconds": self._waited}
        self._sent = self._seconds = self._waited = None
        return {name: round(each, _DIGITS) for name, each in found.items() if each is not None}
