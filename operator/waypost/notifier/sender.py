"""The client of the sinks: connects to checked addresses, and follows nothing."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from waypost.adapters.outbound.resolver import refusal_in
from waypost.adapters.outbound.session import checked_session
from waypost.kube.egress.addresses import AddressRules
from waypost.notifier.core.answers import Answer, asked_to_wait

SECONDS: Final = 10.0  # for an attempt
_CONTENT: Final = {"content-type": "application/json", "user-agent": "waypost-notifier"}


class Sender:
    """Sends messages. Proxies of the environment are not used; answers are not read.

    Args:
        rules: The addresses that it may connect to.
        now: Seconds since 1970.
        seconds: Maximum of an attempt.
    """

    def __init__(
        self, *, rules: AddressRules, now: Callable[[], float], seconds: float = SECONDS
    ) -> None:
        self._rules = rules
        self._now = now
        self._session = checked_session(rules, seconds=seconds)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one attempt. Never raises for what a sink does. The URL may be a secret: what is
        returned has its host alone."""
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            host = ""
        if not host:
            return Answer(None, "the URL has no host")
        if problem := self._rules.literal_problem(host):
            return Answer(None, problem)
        try:
            async with self._session.post(
                URL(url, encoded=True),
                headers={**_CONTENT, **headers},
                data=body,
                allow_redirects=False,
            ) as response:
                asked = response.headers.get("retry-after", "")
                return Answer(response.status, retry_after=asked_to_wait(asked, self._now()))
        except TimeoutError:
            return Answer(None, f"{host} did not answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(None, refusal_in(error) or f"{host} cannot be reached: {_name(error)}")


def _name(error: Exception) -> str:
    """Why, without texts that repeat the URL."""
    cause = getattr(error, "os_error", error)
    return getattr(cause, "strerror", None) or type(error).__name__
