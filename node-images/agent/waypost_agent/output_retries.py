"""Answers that do not give an output: the model is asked again, and what was wrong is reported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ModelRetry, ToolRetryError, UnexpectedModelBehavior
from pydantic_ai.messages import ModelRequest, RetryFeedbackPart, ToolReturnPart
from pydantic_ai.models import ModelRequestContext
from waypost.protocol import ijson

from waypost_agent.calls import Calls
from waypost_agent.failures import one_line
from waypost_agent.journal.journal import Journal
from waypost_agent.limits import Meter

# Sentences of the loop to the model, as what was wrong.
_SENTENCES: Final = {
    "Please return text or call a tool.": "the model gave neither text nor a tool call",
    "Please include your response in a tool call.": (
        "the model gave a text that is no output of its outputSchema, and called no tool; for a "
        "model without tool calls set models[].structuredOutput of the ModelProvider"
    ),
}
_GAVE_UP: Final = "Exceeded maximum output retries"


@dataclass
class OutputRetries(AbstractCapability[None]):
    """Counts re-asks, and notes tool calls whose arguments reached no tool.

    Before a model call and not at the model: there a re-ask looks like any other message.
    `without_values` gives what of a problem may be traced.
    """

    meter: Meter
    calls: Calls
    journal: Journal
    without_values: Callable[[str], str]

    async def before_model_request(
        self,
        ctx: RunContext[None],
        request_context: ModelRequestContext,
    ) -> ModelRequestContext:
        """Look at what the loop answers to the model's last answer."""
        last = request_context.messages[-1]
        problems: list[str] = []
        for part in last.parts if isinstance(last, ModelRequest) else ():
            if isinstance(part, RetryFeedbackPart):
                problems.append(_problem(part))
            elif isinstance(part, ToolReturnPart) and part.outcome == "retried":
                problem = _problem(part)
                if not self.calls.rejected(part.tool_call_id, problem):
                    problems.append(problem)
        if problems:
            message = self.without_values(problems[0])
            self.meter.reask(message, replayed=self.journal.replaying)
        return request_context


def unusable(error: UnexpectedModelBehavior) -> str | None:
    """What was wrong with the last answer, of a loop that gave up asking; None where it ended for
    another reason."""
    if not error.message.startswith(_GAVE_UP):
        return None
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, ModelRetry):
            return cause.message
        if isinstance(cause, ToolRetryError):
            return _problem(cause.tool_retry)
        if isinstance(cause, ValidationError):
            return _listed(cause.errors(include_url=False, include_input=False))
        cause = cause.__cause__
    return "the model gave no output"


def _problem(part: RetryFeedbackPart | ToolReturnPart) -> str:
    """What the loop found wrong."""
    content: Any = part.content
    if isinstance(content, list):
        return _listed(content)
    said = one_line(str(content))
    return _SENTENCES.get(said, said)


def _listed(details: Sequence[Any]) -> str:
    """Violations as pydantic tells them, without the values."""
    return "; ".join(f"${_path(each['loc'])}: {each['msg']}" for each in details)


def _path(where: Sequence[int | str]) -> str:
    return "".join(map(ijson.step, where))
