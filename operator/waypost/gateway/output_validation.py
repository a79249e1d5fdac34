"""Checks uploads beside the event loop, one at a time: checking needs many times the memory of the
text. In a gateway a child process does it (`adapters.evaluation`), and the thread waits for it."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from pydantic import ValidationError

from waypost.adapters import collector
from waypost.api.base import JsonObject
from waypost.api.paths import parse_path
from waypost.api.record import RecordType
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.shared_schemas import bundled
from waypost.gateway import upload_limiter
from waypost.gateway.authentication import Caller
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import Payload
from waypost.kube import node_records

P = ParamSpec("P")
T = TypeVar("T")
# How many times as long as the text the canonical form may be: 1E20 has 21 digits.
_LONGER: Final = 6


class OutputValidator:
    """Does slow work, and validates outputs that are too large for the operator to read."""

    def __init__(self) -> None:
        self._alone = asyncio.Lock()

    async def work(self, slow: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `slow` in a thread, one call at a time, and return its result."""
        async with self._alone:
            with collector.paused():  # a million values would be visited again and again
                return await asyncio.to_thread(slow, *args, **kwargs)

    def judged(
        self, caller: Caller, type_: RecordType, body: bytes, *, digest: str, definition: JsonObject
    ) -> Payload:
        """The payload of a body. Slow.

        Args:
            caller: Whose it is.
            type_: What it is.
            body: The JSON text.
            digest: What its digest must be.
            definition: The nodes of the run.

        Raises:
            Refused: It is not a payload, or an output that is too large for the operator to
                validate and does not match the node's outputSchema.
        """
        large = type_ == "Result" and len(body) * _LONGER > node_records.EVALUATED
        declared = _output_schema(caller, definition) if large else None
        above = node_records.EVALUATED
        return upload_limiter.checked(body, digest=digest, declared=declared, above=above)


def _output_schema(caller: Caller, definition: JsonObject) -> object:
    try:
        spec = bundled(AgentWorkflowSpec.model_validate(definition))
    except ValidationError:
        text = f"the spec of run {caller.ref.run} cannot be read"
        raise Refused(RefusalReason.NOT_CURRENT, text) from None
    name = parse_path(caller.ref.path).entry
    node = next((node for node in spec.all_nodes if node.name == name), None)
    return node.output_schema if node else None
