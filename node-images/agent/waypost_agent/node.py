"""The program of agent nodes: everything is put together here, and judged."""

import asyncio
import gc
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx2
from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability, UseThreadExecutor
from pydantic_ai.exceptions import OutputTokenLimitExceeded, UnexpectedModelBehavior
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.toolsets import AbstractToolset
from pydantic_ai.usage import UsageLimits
from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_node import reach

from waypost_agent import Stop, assignment, functions, models
from waypost_agent.asking import Asking
from waypost_agent.assignment import Assignment, BadAssignment
from waypost_agent.calls import Calls
from waypost_agent.failures import SHOWN, Stopped, one_line
from waypost_agent.meter import Meter, cut
from waypost_agent.output import TOOL, Output
from waypost_agent.reasking import Reasking, unusable
from waypost_agent.watching import Watched

SPARE: Final = 1.5  # seconds of the attempt's time left for its record
_TOOL_THREADS: Final = 8
_NO_BOUND: Final = 1_000_000  # of a tool's failures: limits.requests bounds them


def perform(
    request: Request,
    *,
    deadline: float,
    stop: Stop,
    capabilities: Sequence[AbstractCapability[None]] = (),
) -> WorkResult:
    """The output of an agent node. Raises WorkFailed.

    `deadline`: the time.monotonic() at which the attempt's time is over. `capabilities` see every
    model call and tool call of the loop before anything else does.
    """
    keys = reach.Keys()
    try:
        work = assignment.read(request)
    except BadAssignment as error:
        raise WorkFailed(Reason.INPUT_INVALID, str(error)) from None
    meter = Meter(work.limits, work.model.price, lambda text: keys.redact(text))
    try:
        output = asyncio.run(_Loop(work, meter, keys, deadline - SPARE).output(capabilities, stop))
        text = ijson.canonical(output).decode()
        if keys.redact(text) != text:
            raise Stopped(Reason.OUTPUT_INVALID, "the output repeats a secret of the node")
    except Stopped as stopped:
        raise WorkFailed(
            stopped.reason,
            cut(keys.redact(stopped.message), SHOWN),
            usage=meter.usage,
            trace=meter.trace,
            retry_after=stopped.retry_after,
        ) from None
    return WorkResult(output, meter.usage, meter.trace)


class _Loop:
    """One run of the model loop, until `deadline`."""

    def __init__(self, work: Assignment, meter: Meter, keys: reach.Keys, deadline: float) -> None:
        self._work = work
        self._meter = meter
        self._keys = keys
        self._deadline = deadline
        self._output = Output(work.output_schema)

    async def output(self, capabilities: Sequence[AbstractCapability[None]], stop: Stop) -> Json:
        """The output that meets the schema. Raises Stopped."""
        asking = asyncio.create_task(self._in_time(capabilities))
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(asking.cancel)

        stop(end)
        try:
            return await asking
        except asyncio.CancelledError:
            if not asking.cancelled():
                raise
            raise Stopped(Reason.DISRUPTED, "stopped by SIGTERM") from None
        finally:
            stop(None)

    async def _in_time(self, capabilities: Sequence[AbstractCapability[None]]) -> Json:
        left = self._deadline - time.monotonic()
        threads = ThreadPoolExecutor(_TOOL_THREADS, thread_name_prefix="tool")
        try:
            async with asyncio.timeout(left if left < 1e9 else None) as clock:
                return await self._ask([*capabilities, UseThreadExecutor(threads)])
        except TimeoutError:
            if not clock.expired():
                raise
            raise Stopped(Reason.TIMEOUT, "the loop ran longer than the node's timeout") from None
        finally:
            # A function that hangs must not hold up the record.
            threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, capabilities: Sequence[AbstractCapability[None]]) -> Json:
        async with AsyncExitStack() as stack:
            model, settings = await self._model(stack)
            toolsets, servers = await self._tools(stack)
            calls = Calls(self._meter, servers)
            asking = Asking(
                model,
                meter=self._meter,
                calls=calls,
                timeout=self._work.model.timeout,
                deadline=self._deadline,
            )
            reasking = Reasking(self._meter, calls, self._output.without_values)
            agent = Agent(
                asking,
                name="node",
                output_type=self._output.type,
                instructions=self._work.instructions,
                model_settings=settings,
                retries={"tools": _NO_BOUND, "output": self._work.reasks},
                toolsets=[Watched(each, calls) for each in toolsets],
                capabilities=[*capabilities, reasking],
            )
            agent.output_validator(self._output.taken)
            if not gc.isenabled():  # the runner turned it off for the start
                gc.freeze()
                gc.enable()
            return await self._run(agent)

    async def _run(self, agent: Agent[None, Any]) -> Json:
        try:
            # Limits are the meter's, which names them.
            unlimited = UsageLimits(request_limit=None)
            result = await agent.run(self._work.prompt, usage_limits=unlimited)
        except OutputTokenLimitExceeded as error:
            text = f"the model's answer was cut short: {error.message}; raise settings.maxTokens"
            raise Stopped(Reason.OUTPUT_INVALID, text) from None
        except UnexpectedModelBehavior as error:
            problem = unusable(error)
            if problem is None:
                text = f"model {self._work.model.name}: {one_line(str(error))}"
                raise Stopped(Reason.PROVIDER_ERROR, text) from None
            asked = self._meter.usage.reasks
            text = f"{problem} (asked again {asked} times; agent.reasks is {self._work.reasks})"
            raise Stopped(Reason.OUTPUT_INVALID, text) from None
        return result.output

    async def _model(self, stack: AsyncExitStack) -> tuple[Model, ModelSettings]:
        work = self._work.model
        try:
            key = None if work.key_file is None else self._keys.read(work.key_file)
            http = httpx2.AsyncClient(
                headers={"User-Agent": "waypost"},
                verify=reach.trust(work.ca_file),
                timeout=httpx2.Timeout(work.timeout, connect=models.CONNECT_TIMEOUT),
            )
            model = models.build(work, key=key, http=await stack.enter_async_context(http))
            return model, models.settings(work)
        except reach.Unfit as error:
            text = f"model {work.name}: {error.verdict.message}"
            raise Stopped(Reason.PROVIDER_ERROR, text) from None
        except BadAssignment as error:
            raise Stopped(Reason.INPUT_INVALID, str(error)) from None

    async def _tools(
        self, stack: AsyncExitStack
    ) -> tuple[list[AbstractToolset[None]], dict[str, str]]:
        """The tools, and the servers by name of their tools. Raises Stopped."""
        toolsets: list[AbstractToolset[None]] = []
        sources: list[tuple[str, str]] = []
        servers: dict[str, str] = {}
        for python in self._work.modules:
            toolsets.append(functions.load(python))
            sources += [(name, f"module {python.module}") for name in python.functions]
        for tools in self._work.servers:
            # Only here: MCP's libraries would be a second of the start of every agent.
            from waypost_agent import servers as mcp

            toolsets.append(await mcp.connect(tools, self._keys, stack))
            sources += [(name, f"tool server {tools.server}") for name in tools.allow]
            servers |= dict.fromkeys(tools.allow, tools.server)
        _check_names(sources)
        return toolsets, servers


def _check_names(sources: list[tuple[str, str]]) -> None:
    taken = {TOOL: "the tool that takes the output"}
    for name, source in sources:
        if name in taken:
            text = f"{taken[name]} and {source} both have a tool {name!r}; leave one of them out"
            raise Stopped(Reason.NODE_ERROR, f"agent.tools: {text}")
        taken[name] = source
