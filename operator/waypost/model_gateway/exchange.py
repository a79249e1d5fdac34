"""What the calls of models, the requests of http nodes and the messages to tool servers have in
common: what the pod sends, what it gets, and how many of them it may make at the same time."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from waypost.gateway.authentication import Caller
from waypost.gateway.refusals import Refused
from waypost.model_gateway.core.identity import identity_headers
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.ports.cluster import Busy, ClusterError

CALLS_PER_POD: Final = 8
MESSAGES_PER_POD: Final = 64  # to tool servers: models ask for many calls of tools at once
_AGAIN: Final = 2


class Call(Protocol):
    """A request of a pod, as its HTTP server has it."""

    @property
    def method(self) -> str:
        """Its HTTP method."""
        ...

    @property
    def authorization(self) -> str:
        """The Authorization header; "" without one."""
        ...

    @property
    def source(self) -> str:
        """The address that opened its connection; "" if it is not known."""
        ...

    @property
    def position(self) -> int:
        """Which model of the node, or which of its tools. Raises CallRefused."""
        ...

    @property
    def path(self) -> str:
        """The path below the position, decoded."""
        ...

    @property
    def query(self) -> str:
        """The query, without `?`."""
        ...

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers."""
        ...

    async def body(self) -> bytes:
        """The whole body. Raises CallRefused."""
        ...


class Routed(Protocol):
    """Whose call it is."""

    @property
    def caller(self) -> Caller:
        """The attempt that calls."""
        ...

    @property
    def label(self) -> str:
        """The kind of call, from a closed list, for metrics."""
        ...

    @property
    def place(self) -> dict[str, object]:
        """Where the call goes, for the log."""
        ...


@dataclass(frozen=True)
class Relayed:
    """What the pod gets: a stream, or the body of an error of the provider."""

    status: int
    headers: dict[str, str]
    pieces: AsyncIterator[bytes]


R = TypeVar("R", bound=Routed)


@dataclass(frozen=True)
class Identities:
    """Which hosts learn for whom a call is made."""

    hosts: frozenset[str] = frozenset()

    def of(self, caller: Caller, host: str) -> dict[str, str]:
        """The headers for a call to a host, which replace others of these names."""
        return identity_headers(caller.ref, caller.run) if host in self.hosts else {}


class Service(Protocol[R]):
    """What handles one kind of call. Every method raises CallRefused."""

    async def route(self, call: Call) -> R:
        """Find out whose call it is, and where it goes."""
        ...

    async def forward(self, call: Call, route: R, stack: AsyncExitStack) -> Relayed:
        """Send it; `stack` is what the call holds until its answer has ended."""
        ...


class PodSlots:
    """Counts the calls of each pod that are in progress."""

    def __init__(self, most: int = CALLS_PER_POD) -> None:
        self._most = most
        self.open: dict[str, int] = {}

    @contextlib.contextmanager
    def held(self, uid: str) -> Iterator[None]:
        """One of the calls that a pod may have at the same time. Raises CallRefused."""
        if self.open.get(uid, 0) >= self._most:
            text = f"this pod already has {self._most} calls in progress"
            raise CallRefused(CallRefusal.BUSY, text, again=_AGAIN)
        self.open[uid] = self.open.get(uid, 0) + 1
        try:
            yield
        finally:
            self.open[uid] -= 1
            if not self.open[uid]:
                del self.open[uid]


async def once(body: bytes) -> AsyncIterator[bytes]:
    """A body in one piece."""
    yield body


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn refusals of the authentication and failures of the API server into CallRefused."""
    try:
        yield
    except Refused as error:
        raise CallRefused(
            CallRefusal.CALLER,
            error.message,
            reason=str(error.why),
            status=error.status,
            again=error.again,
        ) from None
    except Busy as error:
        text = "the API server is overloaded"
        again = max(round(error.retry_after), 1)
        raise CallRefused(CallRefusal.BUSY, text, again=again) from None
    except ClusterError:
        text = "the API server failed"
        raise CallRefused(CallRefusal.FAILED, text, again=_AGAIN) from None
