"""Serves one sink: one message after the other, whatever other sinks do."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from waypost.notifier.core.answers import Answer
from waypost.notifier.core.ledger import Ledger, Pending, Record
from waypost.notifier.core.messages import message
from waypost.notifier.core.occurrences import Occurrence
from waypost.notifier.core.signing import BadKey, signed_headers, signing_keys
from waypost.notifier.metrics import NotifierMetrics
from waypost.notifier.settings import SinkSettings

Send = Callable[[str, Mapping[str, str], bytes], Awaitable[Answer]]
_LONGEST_REST: Final = 60.0  # so that a clock that was set counts soon
_SHORTEST_REST: Final = 0.01

log = logging.getLogger("waypost.notifier")


@dataclass(frozen=True)
class Sink:
    """A sink, and the folder with the texts of its Secrets. They are read for each message, so a
    Secret can change."""

    settings: SinkSettings
    files: Path

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    def url(self) -> str:
        """Its URL. Raises OSError, UnicodeDecodeError."""
        return self.settings.url or self._text("url").strip()

    def keys(self) -> tuple[bytes, ...]:
        """Its signing keys; none if it has no signature. Raises OSError, UnicodeDecodeError, and
        BadKey: never is a message sent without a signature that should have one."""
        if self.settings.signing_key_from is None:
            return ()
        return signing_keys(self._text("signing-key"))

    def _text(self, name: str) -> str:
        return (self.files / self.name / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Surroundings:
    """What all couriers share.

    Attributes:
        send: Makes one attempt.
        metrics: What is counted.
        ui_url: For links.
        now: Seconds since 1970.
        changed: Called when there is something to record.
    """

    send: Send
    metrics: NotifierMetrics
    ui_url: str
    now: Callable[[], float]
    changed: Callable[[], None]


class Courier:
    """Delivers what is due at one sink.

    Args:
        sink: The sink.
        record: What it has got.
        around: What all couriers share.
    """

    def __init__(self, sink: Sink, record: Record, around: Surroundings) -> None:
        self.sink = sink
        self.ledger = Ledger(record)
        self._around = around
        self._woken = asyncio.Event()
        self._stopping = False
        around.metrics.follow(
            sink.name,
            pending=lambda: self.ledger.due(around.now()),
            oldest=lambda: self.ledger.oldest(around.now()),
        )

    def offer(self, found: Iterable[Occurrence]) -> None:
        """Take note of what the sink wants."""
        for one in filter(self.sink.settings.wants, found):
            self._given_up(self.ledger.offer(one, now=self._around.now()))
            self._woken.set()

    def withdraw(self, uid: str) -> None:
        """An Approval does not wait any more."""
        if withdrawn := self.ledger.withdraw(uid, now=self._around.now()):
            self._around.metrics.count(self.sink.name, "Withdrawn", len(withdrawn))

    def stop(self) -> None:
        """End `run` after the message that is being sent."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Deliver, until stopped."""
        while not self._stopping:
            if (pending := self.ledger.next(self._around.now())) is not None:
                await self._deliver(pending)
            else:
                await self._rest()

    async def _rest(self) -> None:
        wakes, now = self.ledger.wakes(), self._around.now()
        seconds = _LONGEST_REST if wakes is None else min(wakes - now, _LONGEST_REST)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, _SHORTEST_REST)):
                await self._woken.wait()
        self._woken.clear()

    async def _deliver(self, pending: Pending) -> None:
        one, name, around = pending.occurrence, self.sink.name, self._around
        answer = await self._attempt(one)
        about = {"sink": name, "delivery": one.id, "type": one.type, "namespace": one.namespace}
        if answer.ok:
            self.ledger.succeeded(one.id)
            around.metrics.count(name, "Delivered")
            log.info("message delivered: status %s", answer.status, extra=about)
        else:
            around.metrics.count(name, "Failed")
            log.warning("message not delivered: %s", answer.text, extra=about)
            self._given_up(
                self.ledger.failed(
                    one.id,
                    now=around.now(),
                    down=answer.down,
                    retry_after=answer.retry_after,
                )
            )
        around.changed()

    async def _attempt(self, one: Occurrence) -> Answer:
        sink, around = self.sink, self._around
        try:
            url, keys = sink.url(), sink.keys()
        except (OSError, UnicodeDecodeError, BadKey) as error:
            said = str(error) if isinstance(error, BadKey) else type(error).__name__
            return Answer(None, f"the URL or signing key of the sink cannot be read: {said}")
        body = json.dumps(message(sink.settings.format, one, ui_url=around.ui_url)).encode()
        headers = signed_headers(one.id, around.now(), body, keys)
        return await around.send(url, headers, body)

    def _given_up(self, over: list[Occurrence]) -> None:
        for one in over:
            self._around.metrics.count(self.sink.name, "GivenUp")
            about = {
                "sink": self.sink.name,
                "delivery": one.id,
                "type": one.type,
                "namespace": one.namespace,
                "object": one.name,
            }
            log.error("message given up: it could not be delivered", extra=about)
        if over:
            self._around.changed()
