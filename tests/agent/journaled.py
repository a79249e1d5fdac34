"""Agent nodes with a journal: the real gateway before an in-memory cluster, in a thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from waypost.gateway.app import build_app
from waypost.ports.cluster import Obj

from tests.agent.deeds import LEDGER
from tests.agent.killing import Attempted, Plan, run
from tests.dev.serving import listening
from tests.gateway.place import Place, place, token_of
from tests.runner.bench import request_of

_T = TypeVar("_T")


@dataclass(frozen=True)
class Site:
    """A gateway and the run it serves."""

    url: str
    place: Place
    loop: asyncio.AbstractEventLoop

    def do(self, what: Callable[[], _T]) -> _T:
        """Do it where the cluster lives."""

        async def there() -> _T:
            return what()

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(100)

    def attempt(self, number: int) -> str:
        """Attempt `number` becomes the current one; its pod's token."""
        token = token_of(f"attempt-{number}")
        self.do(lambda: self.place.attempt(number, token=token))
        return token

    def segments(self) -> list[Obj]:
        """The NodeRecords of the journal."""
        found = self.do(self.place.records)
        return sorted(found, key=lambda body: int(body["spec"]["journal"]["number"]))

    def counted(self, result: str, method: str = "PUT") -> float:
        """How many segments ended so."""
        return self.do(lambda: self.place.counted(result, method=method, type_="journal"))


@contextmanager
def gateway() -> Iterator[Site]:
    """A gateway of a run that is active, in a thread."""
    ready = threading.Event()
    found: list[Site] = []
    stop: list[asyncio.Event] = []

    async def serve() -> None:
        stop.append(asyncio.Event())
        async with place() as p, listening(build_app(p.gateway)) as url:
            found.append(Site(url, p, asyncio.get_running_loop()))
            ready.set()
            await stop[0].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(100), "the gateway did not start"
    try:
        yield found[0]
    finally:
        found[0].loop.call_soon_threadsafe(stop[0].set)
        thread.join(100)


@dataclass
class Story:
    """The attempts of one node, each in a separate process."""

    site: Site
    folder: Path
    agent: dict[str, Any]
    output_schema: Any = None
    accounted: dict[str, Any] = field(default_factory=dict)
    number: int = 2

    def attempt(self, *, kill_at: int | None = None, **agent: Any) -> Attempted:
        """Launch the next attempt, and see it to its end."""
        self.number += 1
        token = self.folder / f"token-{self.number}"
        token.write_text(self.site.attempt(self.number))
        document = {**self.agent, "accounted": self.accounted, **agent}
        request = request_of(
            kind="agent",
            agent=document,
            output_schema=self.output_schema,
            gateway=self.site.url,
            attempt=self.number,
        )
        return run(
            Plan(
                request,
                deadline=time.monotonic() + 30,
                folder=self.folder,
                kill_at=kill_at,
                environment={"WAYPOST_TOKEN": str(token), LEDGER: str(self.folder / "ledger")},
            )
        )

    @property
    def deeds(self) -> list[str]:
        """What the tools did."""
        ledger = self.folder / "ledger"
        return ledger.read_text().splitlines() if ledger.exists() else []
