"""An attempt of an agent in a separate process, which is killed at one of its boundaries.

The boundaries are: before and after every append to the journal, every model call and every call of
a tool, and inside a tool once its effect is there. Each is noted in a file before it is passed.
"""

import faulthandler
import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_ai.models.wrapper import WrapperModel
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_agent import loop
from waypost_agent.journal.journal import Journal
from waypost_agent.tools.tool_wrapper import ToolWrapper

from tests.agent import deeds

_NOTES = "boundaries"
# What an attempt imports, also what the libraries import late: a fork then has it already.
_PRELOADED = (
    "tests.agent.killing",
    "anyio._backends._asyncio",
    "genai_prices.data",
    "openai.lib.streaming.chat",
    "openai.resources.chat.completions",
    "pydantic_ai.models.openai",
    "pydantic_ai.providers.openai",
    "rfc8785",
    "waypost_agent.provider.openai_compatible",
)
_HANGS = 50.0  # seconds after which an attempt tells where it stands


@dataclass(frozen=True)
class Plan:
    """One attempt: a request as `Pod.request` makes it, and at which boundary it is killed (from
    0); None lets it live. `environment` is of its process."""

    request: Any
    deadline: float
    folder: Path
    kill_at: int | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempted:
    """How it ended: a result, a failure, or neither, because it was killed."""

    boundaries: list[str]
    result: WorkResult | None = None
    failure: dict[str, Any] | None = None

    def passed(self, boundary: str) -> bool:
        """Whether it came beyond that boundary. The last one is where it was killed."""
        killed = self.result is None and self.failure is None
        return boundary in (self.boundaries[:-1] if killed else self.boundaries)


def warm() -> None:
    """Start the process that attempts are forked from: it imports the libraries once."""
    child = _forks().Process(target=print)
    child.start()
    child.join()


def _forks() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED])
    return context


def run(plan: Plan) -> Attempted:
    """Run an attempt to its end."""
    context = _forks()
    receive, send = context.Pipe(duplex=False)
    notes = plan.folder / _NOTES
    notes.write_text("")
    child = context.Process(target=_child, args=(plan, send))
    child.start()
    send.close()
    child.join(_HANGS + 20)
    said = plan.folder / "stderr"
    if child.exitcode is None:
        child.kill()
        raise AssertionError(f"the attempt hangs: {said.read_text() if said.exists() else ''}")
    try:
        found = receive.recv()
    except EOFError:
        found = None
    finally:
        receive.close()
    boundaries = notes.read_text().splitlines()
    if found is None:
        assert child.exitcode == -signal.SIGKILL, f"ended with {child.exitcode}: {boundaries}"
        return Attempted(boundaries)
    kind, body = found
    if kind == "result":
        return Attempted(boundaries, result=WorkResult(**body))
    return Attempted(boundaries, failure=body)


def _child(plan: Plan, send: Any) -> None:
    os.environ.update(plan.environment)
    sys.stderr = (plan.folder / "stderr").open("a")
    faulthandler.dump_traceback_later(_HANGS, file=sys.stderr)
    fuse = _Fuse(plan)
    _wire(fuse)
    try:
        result = loop.perform(plan.request, deadline=plan.deadline, stop=lambda _: None)
        send.send(("result", {**result._asdict(), "trace": None}))
    except WorkFailed as failed:
        reported = {name: getattr(failed, name) for name in ("message", "usage", "carried")}
        send.send(("failure", {**reported, "reason": str(failed.reason)}))


class _Fuse:
    def __init__(self, plan: Plan) -> None:
        self._left = plan.kill_at
        self._notes = (plan.folder / _NOTES).open("a", encoding="utf-8")

    def pass_(self, boundary: str) -> None:
        self._notes.write(f"{boundary}\n")
        self._notes.flush()
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._left is not None:
            self._left -= 1


def _wire(fuse: _Fuse) -> None:
    owner: Any
    for owner, name, label in (
        (Journal, "_write", lambda _self, batch: f"append {'+'.join(_reported(e) for e in batch)}"),
        (WrapperModel, "request", lambda *_: "model"),
        (ToolWrapper, "_made", lambda _self, tool, *_: f"tool {tool}"),
    ):
        setattr(owner, name, _between(getattr(owner, name), fuse, label))
    kept = deeds._done

    def inside(deed: str, what: str) -> str:
        done = kept(deed, what)
        fuse.pass_(f"inside {deed}")
        return done

    deeds._done = inside


def _between(
    real: Callable[..., Awaitable[Any]], fuse: _Fuse, label: Callable[..., str]
) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*args: Any) -> Any:
        name = label(*args)
        fuse.pass_(f"{name}: before")
        value = await real(*args)
        fuse.pass_(f"{name}: after")
        return value

    return wrapped


def _reported(entry: dict[str, Any]) -> str:
    """`answer(send,count)`, `result(call id)`."""
    if entry["k"] == "answer":
        return f"answer({','.join(mark['tool'] for mark in entry['started'])})"
    return f"{entry['k']}({entry['call'][-1]})" if "call" in entry else str(entry["k"])
