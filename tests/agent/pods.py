"""Agent nodes as their pods run them: a request, a key file, a scripted model server beside."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import waypost_agent
from waypost.protocol.artifacts.request import Artifacts
from waypost.protocol.work import WorkFailed, WorkParked, WorkResult

from tests.dev.serving import serving
from tests.runner.bench import request_of

KEY = "sk-canary-7f31c0de99"
BRIEF = {
    "type": "object",
    "required": ["cause", "confidence"],
    "properties": {
        "cause": {"type": "string", "maxLength": 40},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Pod:
    """A folder with a key, and the address of a model server."""

    folder: Path
    url: str
    type: str = "OpenAI"
    agent: dict[str, Any] = field(default_factory=dict)

    def perform(
        self,
        script: str,
        *,
        output_schema: Any = None,
        seconds: float = 30.0,
        model: dict[str, Any] | None = None,
        artifacts: Artifacts | None = None,
        **agent: Any,
    ) -> WorkResult:
        """The result of the node whose model plays `script`. Raises WorkFailed."""
        (self.folder / "key").write_text(f"{KEY}\n")
        document = {
            "model": {
                "type": self.type,
                "name": script,
                "baseUrl": f"{self.url}/v1" if self.type == "OpenAI" else self.url,
                "keyFile": str(self.folder / "key"),
                **(model or {}),
            },
            "prompt": "What happened?",
            "limits": {"requests": 50},
            "reasks": 2,
            **agent,
        }
        request = request_of(
            kind="agent", agent=document, output_schema=output_schema, artifacts=artifacts
        )
        return waypost_agent.perform(request, deadline=time.monotonic() + seconds)

    def fail(self, script: str, **more: Any) -> WorkFailed:
        """How the node fails."""
        try:
            result = self.perform(script, **more)
        except WorkFailed as failed:
            return failed
        raise AssertionError(f"it did not fail: {result}")

    def log(self, script: str) -> dict[str, Any]:
        """What the server counted for a script."""
        answer = httpx2.get(f"{self.url}/_log", params={"script": script}).json()
        sums: dict[str, Any] = answer["scripts"][script]
        return sums


@contextmanager
def model_server(scripts: str) -> Iterator[str]:
    """The scripted server in a separate thread, because the agent has a separate event loop."""
    ready = threading.Event()
    found: list[str] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        over = asyncio.Event()
        stop.append((asyncio.get_running_loop(), over))
        async with serving(scripts) as server:
            found.append(server.url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(100), "the scripted server did not start"
    try:
        yield found[0]
    finally:
        loop, over = stop[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(100)


def entries(
    result: WorkResult | WorkFailed | WorkParked, type_: str | None = None
) -> list[dict[str, Any]]:
    """The entries of a trace."""
    assert result.trace is not None
    return [each for each in result.trace.entries if type_ in (None, each["type"])]
