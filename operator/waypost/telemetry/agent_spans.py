"""What an agent did in an attempt, as spans below the attempt's span. Pure.

The pod cannot reach a collector: it uploads a trace, and the operator emits the spans at the
checkpoint. Ids follow from the run, the attempt and the place of an entry in the trace, so a
checkpoint that is reported twice repeats its spans. Messages are left out, for those of a
validator or provider may quote prompts. What tools were given and gave is in spans only if the
installation wants it (`content`).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from waypost.api.kinds.agent import models_of
from waypost.engine.state.observed import Observed
from waypost.engine.state.paths import node_of
from waypost.kube.timestamps import parse_timestamp
from waypost.kube.trace_ids import part_id, span_id, trace_id
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Trace
from waypost.telemetry import conventions
from waypost.telemetry.calls import first_byte, seconds_of
from waypost.telemetry.content import ContentPolicy, content_of
from waypost.telemetry.endings import AttemptEnded
from waypost.telemetry.spans import Attribute, SpanEvent, SpanFact, run_attributes

Entry = Mapping[str, Any]
Timed = tuple[int, Entry, datetime, datetime]  # its place in the trace, start, end
_REASONS: Final = frozenset(reason.value for reason in Reason)
_RECALL: Final = "recall"
_FAILED_TOOL: Final = {"error": "tool_error", "refused": "tool_refused"}


def agent_spans(
    observed: Observed,
    attempt: AttemptEnded,
    trace: Trace,
    *,
    provider: str | None = None,
    content: ContentPolicy = "Off",
) -> tuple[SpanFact, ...]:
    """The spans of one agent attempt, named by the OpenTelemetry GenAI conventions.

    Args:
        observed: The run.
        attempt: The attempt that ended.
        trace: What its agent did. Entries with invalid times are left out.
        provider: `spec.type` of the ModelProvider; None if it is not known.
        content: What spans of tool calls have of arguments and results, whatever the trace has.

    Returns:
        An invoke_agent span, with events for provider waits and reasks, and its chat and
        execute_tool spans. Nothing for an empty trace.
    """
    timed = list(_timed(trace))
    if not timed:
        return ()
    shared = _shared(observed, attempt)
    agent = _agent(observed, attempt, trace, shared, timed=timed, provider=provider)
    parts = (
        _part(agent, observed, attempt, entry, shared, provider=provider, content=content)
        for entry in timed
    )
    return (agent, *(part for part in parts if part is not None))


def provider_type(observed: Observed, attempt: AttemptEnded) -> str | None:
    """`spec.type` of the ModelProvider of the node's first model; None if it no longer exists."""
    node = observed.definition.graph.nodes.get(node_of(attempt.path))
    if node is None or node.agent is None or observed.spec is None:
        return None
    usual = observed.spec.defaults.agent if observed.spec.defaults else None
    models = models_of(node.agent, usual)
    provider = observed.providers.get(models[0].provider) if models else None
    return provider.type if provider else None


def _recalls(observed: Observed, attempt: AttemptEnded) -> bool:
    """Whether the agent can search its notes, with a tool whose name no other tool has."""
    node = observed.definition.graph.nodes.get(node_of(attempt.path))
    given = node.agent.memory if node is not None and node.agent is not None else None
    return given is not None and _RECALL in (given.tools or ())


def _timed(trace: Trace) -> Iterator[Timed]:
    for index, entry in enumerate(trace.entries):
        start, end = parse_timestamp(entry["start"]), parse_timestamp(entry["end"])
        if start is not None and end is not None:
            yield index, entry, start, max(start, end)


def _agent(
    observed: Observed,
    attempt: AttemptEnded,
    trace: Trace,
    shared: Mapping[str, Attribute],
    *,
    timed: list[Timed],
    provider: str | None,
) -> SpanFact:
    # No token sums here: backends would add them to the tokens of the chat spans.
    attributes = {**shared, **_operation(conventions.INVOKE_AGENT, provider)}
    attributes[conventions.AGENT_NAME] = attempt.path
    if trace.dropped:
        attributes[conventions.TRACE_DROPPED] = trace.dropped
    error = "" if attempt.outcome == "Succeeded" else attempt.outcome
    if error:
        attributes[conventions.ERROR_TYPE] = error
    return SpanFact(
        name=f"{conventions.INVOKE_AGENT} {attempt.path}",
        trace_id=trace_id(observed.uid),
        span_id=part_id(observed.uid, attempt.path, attempt.round, attempt.number, "agent"),
        parent_id=span_id(observed.uid, attempt.path, attempt.round, attempt.number),
        start=min(start for _, _, start, _ in timed),
        end=max(end for _, _, _, end in timed),
        error=error,
        attributes=attributes,
        events=tuple(_events(timed)),
    )


def _events(timed: list[Timed]) -> Iterator[SpanEvent]:
    for _, entry, start, end in timed:
        if entry["type"] == "reask":
            yield SpanEvent(conventions.REASK_EVENT, start, _replayed(entry))
        elif entry["type"] == "wait":
            attributes: dict[str, Attribute] = {
                conventions.WAIT_REASON: _reason(entry.get("reason")),
                conventions.WAIT_SECONDS: (end - start).total_seconds(),
            }
            yield SpanEvent(conventions.WAIT_EVENT, start, attributes)


def _part(
    agent: SpanFact,
    observed: Observed,
    attempt: AttemptEnded,
    timed: Timed,
    shared: Mapping[str, Attribute],
    *,
    provider: str | None,
    content: ContentPolicy,
) -> SpanFact | None:
    index, entry, start, end = timed
    if entry["type"] == "model":
        operation, subject, remote = conventions.CHAT, str(entry.get("model", "")), True
        error = _reason(entry["error"]) if entry.get("error") else ""
        own = _chat(entry, model=subject)
        if entry.get("provider"):  # one of several that the node may use
            answering = observed.providers.get(str(entry["provider"]))
            provider = answering.type if answering else None
    elif entry["type"] == "tool":
        subject, remote = str(entry.get("name", "")), False
        recalls = subject == _RECALL and not entry.get("server") and _recalls(observed, attempt)
        operation = conventions.SEARCH_MEMORY if recalls else conventions.EXECUTE_TOOL
        error = _FAILED_TOOL.get(str(entry.get("outcome")), "")
        own, provider = _tool(entry, name=subject) | dict(content_of(entry, content)), None
    else:
        return None
    attributes = {**shared, **_operation(operation, provider), **own, **_replayed(entry)}
    if error:
        attributes[conventions.ERROR_TYPE] = error
    return SpanFact(
        name=f"{operation} {subject}".rstrip(),
        trace_id=agent.trace_id,
        span_id=part_id(observed.uid, attempt.path, attempt.round, attempt.number, str(index)),
        parent_id=agent.span_id,
        start=start,
        end=end,
        error=error,
        attributes=attributes,
        remote=remote,
    )


def _shared(observed: Observed, attempt: AttemptEnded) -> dict[str, Attribute]:
    """What all spans of an attempt have."""
    return {
        **run_attributes(observed, round_=attempt.round),
        conventions.NODE_PATH: attempt.path,
        conventions.NODE_ATTEMPT: attempt.number,
    }


def _operation(operation: str, provider: str | None) -> dict[str, Attribute]:
    if provider is None:
        return {conventions.OPERATION: operation}
    named = conventions.PROVIDERS.get(provider, provider)
    return {conventions.OPERATION: operation, conventions.PROVIDER: named}


def _chat(entry: Entry, *, model: str) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {conventions.REQUEST_MODEL: model}
    counted = {
        conventions.INPUT_TOKENS: entry.get("inputTokens"),
        conventions.CACHED_TOKENS: entry.get("cachedTokens"),
        conventions.OUTPUT_TOKENS: entry.get("outputTokens"),
    }
    attributes |= {name: count for name, count in counted.items() if isinstance(count, int)}
    seconds = {
        conventions.FIRST_BYTE_SECONDS: first_byte(entry),
        conventions.GATEWAY_WAIT_SECONDS: seconds_of(entry, "gatewayWaitSeconds"),
    }
    attributes |= {name: each for name, each in seconds.items() if each is not None}
    if entry.get("finish"):
        attributes[conventions.FINISH_REASONS] = (str(entry["finish"]),)
    return attributes


def _tool(entry: Entry, *, name: str) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {
        conventions.TOOL_NAME: name,
        # The conventions call a tool that runs beside the agent an extension.
        conventions.TOOL_TYPE: "extension" if entry.get("server") else "function",
        conventions.TOOL_OUTCOME: str(entry.get("outcome", "ok")),
    }
    optional = {
        conventions.TOOL_CALL_ID: entry.get("callId"),
        conventions.TOOL_SERVER: entry.get("server"),
        conventions.TOOL_DECISION: entry.get("decision"),  # of a person, before it was made
    }
    return attributes | {key: str(value) for key, value in optional.items() if value}


def _replayed(entry: Entry) -> dict[str, Attribute]:
    """Marks what an earlier attempt did and this one took from the journal."""
    return {conventions.REPLAYED: True} if entry.get("replayed") is True else {}


def _reason(text: object) -> str:
    """The reason that a text begins with, or _OTHER: the rest may quote prompts."""
    word = str(text).partition(":")[0]
    return word if word in _REASONS else conventions.OTHER_ERROR
