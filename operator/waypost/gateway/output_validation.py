"""The slow part of an upload, away from the event loop, and one at a time: what a payload takes
while it is checked is many times its text."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from pydantic import ValidationError

from waypost.api.record import RecordType
from waypost.api.workflow import AgentWorkflowSpec
from waypost.engine import facts, records
from waypost.engine.bundle import bundled
from waypost.gateway.authentication import Caller
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import Payload
from waypost.protocol import schema

P = ParamSpec("P")
T = TypeVar("T")
_TOLD: Final = 5


class OutputValidator:
    """Does slow work, and holds outputs that the operator will never read to their schema."""

    def __init__(self) -> None:
        self._alone = asyncio.Lock()

    async def work(self, slow: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `slow`, in a thread."""
        async with self._alone:
            return await asyncio.to_thread(slow, *args, **kwargs)

    def check(self, caller: Caller, type_: RecordType, payload: Payload) -> None:
        """Raises Refused when an output is too big for the operator to judge, and does not meet
        the node's outputSchema."""
        if type_ != "Result" or payload.size <= records.EVALUATED:
            return
        output_schema = _output_schema(caller)
        violations = schema.validate(output_schema, payload.value) if output_schema else []
        if violations:
            told = "; ".join(str(violation) for violation in violations[:_TOLD])
            raise Refused(RefusalReason.INVALID, f"the output does not meet outputSchema: {told}")


def _output_schema(caller: Caller) -> object:
    try:
        spec = bundled(AgentWorkflowSpec.model_validate(facts.section(caller.run, "spec")))
    except ValidationError:
        text = f"the spec of run {caller.whose.run} cannot be read"
        raise Refused(RefusalReason.NOT_CURRENT, text) from None
    node = next((node for node in spec.nodes if node.name == caller.whose.path), None)
    return node.output_schema if node else None
