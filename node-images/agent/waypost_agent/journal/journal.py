"""The journal of a node as one attempt uses it: what is replayed of it, and what is appended.

Every method that appends raises Stopped when another attempt has gone on with the journal, or when
it cannot be kept: nothing begins or is used before it is in the journal.
"""

import asyncio
import sys
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from pydantic_ai.messages import ModelResponse
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Usage
from waypost_node.gateway import GatewayError

from waypost_agent.agent_request import Price
from waypost_agent.failures import Stopped
from waypost_agent.journal import entries
from waypost_agent.journal.entries import Entry, Mark, Past, Result, Turn
from waypost_agent.journal.store import Full, Sealed, Store
from waypost_agent.usage import UsageCounter, tokens_of

_T = TypeVar("_T")
_OPENINGS: Final = 5  # tries, when others append at the same time
UNKNOWN_HINT: Final = (
    "its effect is once. Find out, then give the node's output with rerun.outputs, or start the "
    "node from the beginning with rerun.from, or declare in a new round that the call may be "
    "repeated (tools[].effects); with onFailure: Pause the run waits"
)
_CHANGED: Final = (
    "the tool server describes this tool differently than when the conversation began, and the "
    "model acted on the earlier description; look at the server, then start the node from the "
    "beginning with rerun.from"
)
_LAST_WORDS: Final = 5.0  # seconds for what is appended once the outcome is known


class Journal:
    """One attempt's hold of a journal; of none where `store` is None: then nothing is replayed,
    and nothing is kept."""

    def __init__(self, store: Store | None, redact: Callable[[str], str]) -> None:
        self._store = store
        self._redact = redact
        self._by = uuid.uuid4().hex[:12]
        self._lock = asyncio.Lock()
        self._number = 0
        self._pending: list[Entry] = []
        self._over: Stopped | None = None
        self._past = Past()
        self._accounted: Json = None
        self._topic: Json = None
        self._ahead: deque[Turn] = deque()
        self._turn: Turn | None = None  # that was replayed last
        self._answers = 0  # in the journal
        self._last = -1  # number of the answer that the loop was given last
        self._begun: set[str] = set()  # calls of the last answer that have not ended
        self._voidable = False  # nothing was done with the last answer
        self._new_tools: Mapping[str, str] = {}  # not in the journal yet

    async def open(self, *, library: str, topic: Json, accounted: Json) -> None:
        """Read the journal and take it over. Raises Stopped."""
        if self._store is None:
            return
        self._accounted, self._topic = accounted, topic
        segments: list[Json] = []
        for left in reversed(range(_OPENINGS)):
            try:
                segments += await self._reached(self._store.read(after=len(segments)))
                self._number = len(segments)
                self._past = self._read(segments, library)
                self._answers = len(self._past.turns)
                first = entries.opened(library=library, topic=topic, accounted=accounted)
                await self._reached(self._write([first]))
                break
            except Sealed as error:
                if not error.moved or not left:
                    raise self._sealed(error) from None

    def resume(self, declared: Mapping[str, str]) -> None:
        """Begin to replay. Raises Stopped where a call may have had its one effect already, by what
        the workflow has `declared` since, else by what was known when it began."""
        for turn in self._past.turns:
            for mark in turn.unfinished() if not turn.void else ():
                if declared.get(mark.tool, mark.effect) == "once":
                    raise Stopped(Reason.UNKNOWN_EFFECT, _unfinished_text(mark, turn.attempt))
        self._ahead = deque(turn for turn in self._mine if not turn.void)

    def pin(self, tools: Mapping[str, str], servers: Mapping[str, str]) -> None:
        """Hold what servers say of their tools to what they said when the conversation began.

        Args:
            tools: Digests of what they say now, by name of the tool.
            servers: The tool servers, by name of the tool.

        Raises:
            Stopped: A server says something else of a tool (S624).
        """
        known = self._past.tools.get(self._topic)
        if known is None:
            self._new_tools = tools
            return
        changed = [name for name, digest in tools.items() if known.get(name, digest) != digest]
        if changed:
            listed = ", ".join(f"{name} of {servers.get(name)}" for name in changed[:5])
            raise Stopped(Reason.TOOL_CHANGED, f"{listed}: {_CHANGED}")

    @property
    def voided(self) -> list[Turn]:
        """Answers of this conversation that were paid and are not used."""
        return [turn for turn in self._mine if turn.void]

    @property
    def _mine(self) -> list[Turn]:
        # A node whose inputs came out differently has another conversation under the same key.
        return [turn for turn in self._past.turns if turn.topic == self._topic]

    @property
    def is_kept(self) -> bool:
        """Whether another attempt can continue the conversation."""
        return self._store is not None

    @property
    def turn(self) -> int:
        """The number of the answer that the loop was given last."""
        return self._last

    @property
    def replaying(self) -> bool:
        """Whether the next model call is answered already."""
        return bool(self._ahead)

    def next_answer(self) -> Turn | None:
        """The answer to the next model call, if an earlier attempt was given it."""
        if not self._ahead:
            return None
        self._turn = self._ahead.popleft()
        self._last = self._turn.number
        self._begun = set(self._turn.marks) - set(self._turn.results)
        self._voidable = not self._turn.marks
        return self._turn

    def recorded(self, call_id: str) -> Result | None:
        """What a call of a tool gave to an earlier attempt; None for one that is to be made.
        Raises Stopped for a call that no earlier attempt made, though it went on from there."""
        if self._turn is None:
            return None
        result = self._turn.results.get(call_id)
        if result is None and call_id in self._turn.rejected:
            return Result("retry", message="the arguments were refused")
        if result is None and self._ahead:
            text = (
                "the journal has later answers, but no result of an earlier tool call; start this "
            )
            raise Stopped(Reason.NODE_ERROR, f"{text}node from the beginning with rerun.from")
        return result

    def was_rejected(self, call_id: str) -> bool:
        """Whether an earlier attempt saw these arguments refused."""
        return self._turn is not None and call_id in self._turn.rejected

    async def asking(self) -> None:
        """A model call is about to begin."""
        tools, self._new_tools = self._new_tools, {}
        await self._append(entries.asking(tools))

    async def answered(
        self, response: ModelResponse, *, asked: Sequence[str], marks: Sequence[Mark], model: str
    ) -> None:
        """A call of `model` has ended; the calls with a mark are about to begin."""
        self._turn = None
        self._last, self._answers = self._answers, self._answers + 1
        self._begun = {mark.call_id for mark in marks}
        self._voidable = True
        await self._append(entries.answer(response, asked=asked, marks=marks, model=model))

    async def flush(self) -> None:
        """Keep what has ended; nothing else follows in this attempt."""
        if self._pending:
            await self._append()

    def began(self) -> None:
        """A call of the last answer is made now."""
        self._voidable = False

    def discard_answer(self) -> None:
        """The last answer counts for usage only: the model is asked again at once."""
        self._pending.append(entries.void(turn=self._last))
        self._voidable = False

    async def done(self, call_id: str, result: Result) -> None:
        """A call of a tool has ended. The last of an answer goes with the next model call."""
        self._begun.discard(call_id)
        self._pending.append(result.to_json(call_id, turn=self._last))
        if self._begun:
            await self._append()

    async def not_made(self, call_id: str) -> None:
        """A call was refused before its tool did anything; a later attempt makes it."""
        self._begun.discard(call_id)
        self._pending.append(entries.not_made(call_id, turn=self._last))
        await self._append()

    async def begins_again(self, call_id: str) -> None:
        """A call of the last answer is about to be made, which an earlier attempt did not make."""
        if self._turn is not None and call_id in self._turn.not_made:
            await self._append(entries.begun(call_id, turn=self._last))

    def rejected(self, call_id: str) -> None:
        """The arguments of a call reached no tool."""
        self._begun.discard(call_id)
        self._voidable = False
        self._pending.append(entries.rejected(call_id, turn=self._last))

    async def close(self, *, void: bool = False) -> None:
        """Keep what is left, now that the outcome is known; it costs no outcome any more. `void`:
        the last answer is at fault, and another may be better."""
        last = [entries.void(turn=self._last)] if void and self._voidable else []
        if self._store is None or self._over or not (self._pending or last):
            return
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self._append(*last)
        except (Stopped, TimeoutError) as error:
            print(f"waypost: the end of the journal is lost: {error}", file=sys.stderr)

    def carried(
        self, price_of: Callable[[str | None], Price | None], *, priced: bool
    ) -> Usage | None:
        """What attempts used up that have not reported it: nothing was accounted for since they
        opened the journal. `price_of` gives the price of the model with a key."""
        silent = {by for by, known in self._past.openings.items() if known == self._accounted}
        counter = UsageCounter(priced=priced)
        for turn in self._past.turns:
            if turn.by in silent:
                counter.model_call(price=price_of(turn.model), **tokens_of(turn.response))
                counter.tool_calls(turn.asked)
        return counter.usage if counter.bare.model_calls else None

    def _read(self, segments: list[Json], library: str) -> Past:
        try:
            return entries.read(segments)
        except entries.Unreadable as error:
            text = f"the journal of this node cannot be read by {library}: {error}; start the node"
            raise Stopped(Reason.NODE_ERROR, f"{text} from the beginning with rerun.from") from None

    async def _append(self, *more: Entry) -> None:
        if self._store is None:
            self._pending.clear()
            return
        async with self._lock:
            if self._over is not None:
                raise self._over
            batch, self._pending = [*self._pending, *more], []
            try:
                await self._reached(self._write(batch))
            except Sealed as error:
                raise self._sealed(error) from None

    async def _write(self, batch: list[Entry]) -> None:
        assert self._store is not None
        for document in entries.packed(batch, self._redact, by=self._by) if batch else ():
            await self._store.append(self._number + 1, document)
            self._number += 1

    async def _reached(self, call: Awaitable[_T]) -> _T:
        """The result of a call to the store; Sealed is left to the caller."""
        try:
            return await call
        except Full as error:
            self._over = Stopped(Reason.BUDGET_EXCEEDED, f"the conversation is too long: {error}")
        except GatewayError as error:
            self._over = Stopped(Reason.DISRUPTED, str(error))
        raise self._over

    def _sealed(self, error: Sealed) -> Stopped:
        self._over = Stopped(Reason.DISRUPTED, f"another attempt continues this node: {error}")
        return self._over


def _unfinished_text(mark: Mark, attempt: int) -> str:
    return (
        f"attempt {attempt} began tool {mark.tool} (call {mark.call_id}, arguments "
        f"{mark.arguments}) and it is not known whether it was carried out; {UNKNOWN_HINT}"
    )
