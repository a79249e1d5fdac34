"""The program of agent nodes: everything is put together here, and judged."""

import asyncio
import gc
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import httpx2
import pydantic_ai
from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability, UseThreadExecutor
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.toolsets import AbstractToolset, RenamedToolset
from pydantic_ai.usage import UsageLimits
from waypost.protocol import ijson
from waypost.protocol.agents import gated_calls
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request
from waypost.protocol.text import printable, shorten
from waypost.protocol.work import Usage, WorkFailed, WorkParked, WorkResult
from waypost_node import endpoint_access
from waypost_node.gateway import GatewayError
from waypost_node.sigterm import woken_by_signals

from waypost_agent import Stop, agent_request, attachments
from waypost_agent.agent_request import (
    MAX_RESULT_BYTES,
    TOOLS,
    AgentRequest,
    InvalidAgentRequest,
    ModelWork,
)
from waypost_agent.calls import Calls
from waypost_agent.failures import SHOWN, Parked, Stopped, one_line
from waypost_agent.gate import Gate
from waypost_agent.journal import store as journal_store
from waypost_agent.journal.journal import Journal
from waypost_agent.limits import Meter
from waypost_agent.output import Output
from waypost_agent.output_retries import OutputRetries, unusable
from waypost_agent.provider import model_gateway, models
from waypost_agent.provider.candidates import Candidate, Candidates
from waypost_agent.provider.first_byte import FirstByte
from waypost_agent.provider.model_client import ModelClient
from waypost_agent.provider.provider_retries import ProviderRetries
from waypost_agent.tool_content import ToolContent
from waypost_agent.tools import toolsets
from waypost_agent.tools.effects import Effects
from waypost_agent.tools.result_pages import ResultPages
from waypost_agent.tools.tool_names import ToolNames
from waypost_agent.tools.tool_wrapper import ToolWrapper
from waypost_agent.usage import tokens_of

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
    """The output of an agent node. Raises WorkFailed, and WorkParked where people have to decide.

    `deadline`: the time.monotonic() at which the attempt's time is over. `capabilities` see every
    model call and tool call of the loop before anything else does.
    """
    try:
        work = agent_request.read(request)
    except InvalidAgentRequest as error:
        raise WorkFailed(Reason.INPUT_INVALID, str(error)) from None
    loop = _Loop(work, request, deadline - SPARE)
    meter, keys = loop.meter, loop.keys
    try:
        output = asyncio.run(loop.output(capabilities, stop))
    except Parked as parked:
        raise WorkParked(
            gated_calls.calls_to_json(parked.calls),
            usage=meter.usage,
            trace=meter.trace,
            carried=loop.carried,
        ) from None
    except Stopped as stopped:
        raise WorkFailed(
            stopped.reason,
            shorten(printable(keys.redact(stopped.message)), SHOWN),
            usage=meter.usage,
            trace=meter.trace,
            retry_after=stopped.retry_after,
            carried=loop.carried,
        ) from None
    except Exception as error:  # noqa: BLE001 - of any library
        # What it used up and did is known, whatever broke: budgets and readers need both.
        print(keys.redact(traceback.format_exc()), file=sys.stderr)
        text = f"the agent failed unexpectedly: {type(error).__name__}: {error}"
        raise WorkFailed(
            Reason.NODE_ERROR,
            shorten(keys.redact(one_line(f"{text}; its traceback is in the pod's log")), SHOWN),
            usage=meter.usage,
            trace=meter.trace,
            carried=loop.carried,
        ) from None
    return WorkResult(output, meter.usage, meter.trace, loop.carried)


class _Loop:
    """One run of the model loop, until `deadline`. Raises WorkFailed."""

    def __init__(self, work: AgentRequest, request: Request, deadline: float) -> None:
        self._prompt = attachments.prompt_of(request, work)
        self.keys = endpoint_access.Keys()
        self._priced = any(model.price for model in work.models)
        self.meter = Meter(work.limits, self._redact, priced=self._priced, allotment=work.allotment)
        self.carried: Usage | None = None
        self._work = work
        self._gateway = request.gateway  # where its journal is kept
        self._deadline = deadline
        self._output = Output(work.output_schema, mode=work.structured_output)
        self._effects = Effects(work)
        # Answers of one mode mean nothing in another.
        mode = [] if work.structured_output == TOOLS else [work.structured_output]
        topic: list[Json] = [work.instructions, work.prompt, request.inputs, *mode]
        self._topic = ijson.digest(topic + attachments.topic_of(request))

    def _redact(self, text: str) -> str:
        return self.keys.redact(text)

    async def output(self, capabilities: Sequence[AbstractCapability[None]], stop: Stop) -> Json:
        """The output that meets the schema. Raises Stopped."""
        conversation = asyncio.create_task(self._in_time(capabilities))
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(conversation.cancel)

        stop(end)
        try:
            with woken_by_signals(loop):
                return await conversation
        except asyncio.CancelledError:
            if not conversation.cancelled():
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
            candidates = Candidates(self._work.models, build=partial(self._candidate, stack=stack))
            candidate = await candidates.first()
            journal = await self._journal(stack)
            try:
                output = await self._converse(capabilities, stack, candidate, candidates, journal)
            except Stopped as stopped:
                await journal.close(void=stopped.of_answer)
                raise
            except Exception:
                await journal.close()
                raise
            await journal.close()
            return output

    async def _journal(self, stack: AsyncExitStack) -> Journal:
        """The journal, opened for this attempt. Raises Stopped."""
        place = None
        if self._gateway is not None:
            try:
                client = journal_store.client(self._gateway)
            except GatewayError as error:
                raise Stopped(Reason.DISRUPTED, str(error)) from None
            http = await stack.enter_async_context(client)
            place = journal_store.GatewayStore(self._gateway, http=http, deadline=self._deadline)
        journal = Journal(place, self._redact)
        await journal.open(
            library=f"pydantic-ai {pydantic_ai.__version__}",
            topic=self._topic,
            accounted=ijson.digest(self._work.accounted),
        )
        self.carried = journal.carried(self._work.price_of, priced=self._priced)
        for turn in journal.voided:
            self.meter.earlier.model_call(
                price=self._work.price_of(turn.model), **tokens_of(turn.response)
            )
            self.meter.earlier.tool_calls(turn.asked)
        journal.resume(self._effects.declared)
        return journal

    async def _converse(
        self,
        capabilities: Sequence[AbstractCapability[None]],
        stack: AsyncExitStack,
        candidate: Candidate,
        candidates: Candidates,
        journal: Journal,
    ) -> Json:
        tools = await toolsets.offered(self._work, self.keys, stack, self._effects)
        journal.pin(tools.digests, tools.servers)
        content = ToolContent(self._work.content, self._redact)
        calls = Calls(
            self.meter, tools.servers, journal, content=content, schemas=tools.result_schemas
        )
        pages = ResultPages(limit=MAX_RESULT_BYTES)
        gate = Gate(self._work, journal=journal, servers=tools.servers, redact=self._redact)
        wrap = ToolWrapper.factory(self._work, calls, self._effects.declared, pages, gate)
        client = ModelClient(
            candidate,
            candidates=candidates,
            price_of=self._work.price_of,
            meter=self.meter,
            calls=calls,
            journal=journal,
            effects=self._effects,
            names=tools.names,
            gate=gate,
        )
        output_retries = OutputRetries(self.meter, calls, journal, self._output.without_values)
        agent = Agent(
            client,
            name="node",
            output_type=self._output.type,
            instructions=self._work.instructions,
            retries={"tools": _NO_BOUND, "output": self._work.reasks},
            toolsets=[_renamed(wrap(each), tools.names) for each in tools.toolsets] + [wrap(pages)],
            capabilities=[*capabilities, output_retries],
        )
        agent.output_validator(self._output.taken)
        if not gc.isenabled():  # the runner turned it off for the start
            gc.freeze()
            gc.enable()
        output = await self._run(agent, client)
        await gate.park()  # the model gave its output beside them
        text = ijson.canonical(output).decode()
        if self._redact(text) != text:
            problem = "the output repeats a secret of the node"
            raise Stopped(Reason.OUTPUT_INVALID, problem, of_answer=True)
        return output

    async def _run(self, agent: Agent[None, Any], client: ModelClient) -> Json:
        try:
            # Limits are the meter's, which names them.
            unlimited = UsageLimits(request_limit=None)
            result = await agent.run(self._prompt, usage_limits=unlimited)
        except UnexpectedModelBehavior as error:
            problem = unusable(error)
            if problem is None:
                text = f"model {client.model_name}: {one_line(str(error))}"
                raise Stopped(Reason.PROVIDER_ERROR, text, of_answer=True) from None
            asked = self.meter.usage.reasks
            text = f"{problem} (asked again {asked} times; agent.reasks is {self._work.reasks})"
            raise Stopped(Reason.OUTPUT_INVALID, text, of_answer=True) from None
        return result.output

    async def _candidate(self, work: ModelWork, *, stack: AsyncExitStack) -> Candidate:
        """One of the node's models, ready to be called. Raises Stopped."""
        try:
            key = None if work.key_file is None else self.keys.read(work.key_file)
            http = httpx2.AsyncClient(
                headers={
                    "User-Agent": "waypost",
                    **endpoint_access.headers_of({"headers": work.headers}, self.keys),
                },
                timeout=httpx2.Timeout(work.timeout, connect=models.CONNECT_TIMEOUT),
                **_connections(work),
            )
            query = endpoint_access.query_of({"query": work.query}, self.keys)
            endpoint_access.add_query(http, query)
            http = await stack.enter_async_context(http)
            first_byte = FirstByte(by_gateway=work.token_file is not None)
            first_byte.watch(http)
            model = models.build(work, key=key, http=http, redact=self._redact)
            if work.token_file is not None:
                model_gateway.call_through(http, token_file=work.token_file)
            retries = ProviderRetries(
                work, meter=self.meter, deadline=self._deadline, first_byte=first_byte
            )
            return Candidate(work, model, models.settings(work), retries)
        except endpoint_access.Unfit as error:
            text = f"model {work.name}: {error.verdict.message}"
            raise Stopped(Reason.PROVIDER_ERROR, text) from None
        except model_gateway.GatewayUnverified as error:
            text = f"model {work.name}: the model gateway cannot be verified: {error}"
            raise Stopped(Reason.PROVIDER_ERROR, text) from None
        except InvalidAgentRequest as error:
            raise Stopped(Reason.INPUT_INVALID, str(error)) from None


def _connections(work: ModelWork) -> dict[str, Any]:
    """The arguments of a client that say whom it trusts. Raises Unfit or GatewayUnverified."""
    if work.token_file is None:
        return {"verify": endpoint_access.trust(work.ca_file)}
    return {"transport": model_gateway.transport(work.base_url), "trust_env": False}


def _renamed(toolset: AbstractToolset[None], names: ToolNames) -> AbstractToolset[None]:
    return RenamedToolset(toolset, names.aliases) if names.aliases else toolset
