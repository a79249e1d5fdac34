"""Lets calls wait until their provider allows them: clock and waiting around `core.rates`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from waypost.model_gateway.core.rates import Limits, Rates, Ticket
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused

MOST_WAIT: Final = 120.0  # seconds that a call waits here; then the operator waits, without a pod
_AGAIN: Final = 30


class Pacing:
    """The calls of all providers of this process.

    Args:
        monotonic: Seconds that only increase.
        replicas: How many gateways share the limits of a provider.
    """

    def __init__(self, *, monotonic: Callable[[], float], replicas: int = 1) -> None:
        self._monotonic = monotonic
        self._replicas = replicas
        self._began_at = monotonic()
        self._rates: dict[tuple[str, str], Rates] = {}
        self._waiters: dict[Ticket, asyncio.Future[None]] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiters)

    @contextlib.asynccontextmanager
    async def permit(
        self, provider: tuple[str, str], limits: Limits, ticket: Ticket, *, most: float = MOST_WAIT
    ) -> AsyncIterator[None]:
        """A permit to send one call; it ends when the answer has ended.

        Args:
            provider: Its namespace and name.
            limits: What it allows, now.
            ticket: The call. Set its `tokens` to what it used before the block ends.
            most: Seconds to wait.

        Raises:
            CallRefused: There was no permit in time.
        """
        rates = self._rates.setdefault(provider, Rates(Limits(), self._began_at))
        rates.limits = limits.part(self._replicas)
        rates.ask(ticket)
        future = self._waiters[ticket] = asyncio.get_running_loop().create_future()
        try:
            self._serve(provider)
            async with asyncio.timeout(most):
                await future
        except TimeoutError:
            refused = self._too_long(rates, most)
            self._give_up(rates, ticket)
            raise refused from None
        except BaseException:
            self._give_up(rates, ticket)
            raise
        finally:
            self._waiters.pop(ticket, None)
            self._serve(provider)
        try:
            yield
        finally:
            rates.release(ticket, self._monotonic())
            self._serve(provider)
            if rates.is_unused(self._monotonic()):
                self._rates.pop(provider, None)

    def arrived(self, provider: tuple[str, str], ticket: Ticket) -> None:
        """The provider has begun to answer a call."""
        if rates := self._rates.get(provider):
            rates.arrived(ticket, self._monotonic())
            self._serve(provider)

    def pause(self, provider: tuple[str, str], seconds: float) -> None:
        """The provider asked to wait: all calls of it do."""
        rates = self._rates.setdefault(provider, Rates(Limits(), self._began_at))
        rates.pause(seconds, self._monotonic())

    def _give_up(self, rates: Rates, ticket: Ticket) -> None:
        """A call is not sent. It may have had its permit in the same moment."""
        rates.withdraw(ticket)
        rates.release(ticket, self._monotonic())

    def _too_long(self, rates: Rates, most: float) -> CallRefused:
        left = (rates.next_at(self._monotonic()) or 0) - self._monotonic()
        again = max(round(left), _AGAIN)
        text = f"the limits of the provider left no room for this call within {most:g} s"
        return CallRefused(CallRefusal.RATE, text, again=again)

    def _serve(self, provider: tuple[str, str]) -> None:
        """Wake the calls that may be sent, and come back when the next one may."""
        rates = self._rates.get(provider)
        if rates is None:
            return
        now = self._monotonic()
        for ticket in rates.grants(now):
            waiter = self._waiters.get(ticket)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
            else:
                rates.release(ticket, self._monotonic())
        if timer := self._timers.pop(provider, None):
            timer.cancel()
        at = rates.next_at(now)
        if at is not None:
            loop = asyncio.get_running_loop()
            self._timers[provider] = loop.call_later(max(at - now, 0.001), self._serve, provider)
