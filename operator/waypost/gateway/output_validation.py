"""Checks uploads in a thread, one at a time: checking needs many times the memory of the text."""

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
from waypost.gateway.authentication import Caller
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import Payload
from waypost.kube import node_records
from waypost.protocol import schema

P = ParamSpec("P")
T = TypeVar("T")
_SHOWN: Final = 5


class OutputValidator:
    """Does slow work, and validates outputs that are too large for the operator to read."""

    def __init__(self) -> None:
        self._alone = asyncio.Lock()

    async def work(self, slow: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `slow` in a thread, one call at a time, and return its result."""
        async with self._alone:
            with collector.paused():  # a million values would be visited again and again
                return await asyncio.to_thread(slow, *args, **kwargs)

    def check(
        self, caller: Caller, type_: RecordType, payload: Payload, *, definition: JsonObject
    ) -> None:
        """Raises Refused if an output is too large for the operator to validate and does not match
        the node's outputSchema. `definition` has the nodes of the run."""
        if type_ != "Result" or payload.size <= node_records.EVALUATED:
            return
        output_schema = _output_schema(caller, definition)
        violations = schema.validate(output_schema, payload.value) if output_schema else []
        if violations:
            problems = "; ".join(str(violation) for violation in violations[:_SHOWN])
            raise Refused(
                RefusalReason.INVALID, f"the output does not match outputSchema: {problems}"
            )


def _output_schema(caller: Caller, definition: JsonObject) -> object:
    try:
        spec = bundled(AgentWorkflowSpec.model_validate(definition))
    except ValidationError:
        text = f"the spec of run {caller.ref.run} cannot be read"
        raise Refused(RefusalReason.NOT_CURRENT, text) from None
    name = parse_path(caller.ref.path).entry
    node = next((node for node in spec.all_nodes if node.name == name), None)
    return node.output_schema if node else None
