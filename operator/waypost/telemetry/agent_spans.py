"""What an agent did in an attempt, as spans under the attempt's own. Pure.

The pod has no way to a collector: it hands in a trace, and the operator emits it at the
checkpoint. Ids follow from the run, the attempt and the place of an entry in the trace, so a
checkpoint that is reported twice repeats spans. Messages stay behind: what a validator or a
provider says may quote what a model was told.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from waypost.engine.state.observed import Observed
from waypost.kube.timestamps import parse_timestamp
from waypost.kube.trace_ids import part_id, span_id, trace_id
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Trace
from waypost.telemetry import conventions
from waypost.telemetry.spans import AttemptEnded, Attribute, SpanEvent, SpanFact, run_attributes

Entry = Mapping[str, Any]
_REASONS: Final = frozenset(reason.value for reason in Reason)
_FAILED_TOOL: Final = {"error": "tool_error", "refused": "tool_refused"}


def agent_spans(
    observed: Observed, attempt: AttemptEnded, trace: Trace, *, provider: str | None = None
) -> tuple[SpanFact, ...]:
    """One invoke_agent with its chat and execute_tool spans; none for an empty trace.

    Waits for the provider and questions asked again are events of invoke_agent. `provider` is
    the type of the ModelProvider. An entry whose times cannot be read is left out.
    """
    timed = list(_timed(trace))
    if not timed:
        return ()
    agent = _agent(observed, attempt, trace, timed=timed, provider=provider)
    parts = (
        _part(agent, observed, attempt, entry, index=index, start=start, end=end, provider=provider)
        for index, entry, start, end in timed
    )
    return (agent, *(part for part in parts if part is not None))


def provider_type(observed: Observed, attempt: AttemptEnded) -> str | None:
    """The type of the ModelProvider that an agent node names, while it exists."""
    node = observed.definition.graph.nodes.get(attempt.path)
    if node is None or node.agent is None or observed.spec is None:
        return None
    usual = observed.spec.defaults.agent if observed.spec.defaults else None
    model = node.agent.model or (usual.model if usual else None)
    provider = observed.providers.get(model.provider) if model else None
    return provider.type if provider else None


def _timed(trace: Trace) -> Iterator[tuple[int, Entry, datetime, datetime]]:
    for index, entry in enumerate(trace.entries):
        start, end = parse_timestamp(entry["start"]), parse_timestamp(entry["end"])
        if start is not None and end is not None:
            yield index, entry, start, max(start, end)


def _agent(
    observed: Observed,
    attempt: AttemptEnded,
    trace: Trace,
    *,
    timed: list[tuple[int, Entry, datetime, datetime]],
    provider: str | None,
) -> SpanFact:
    # No token sums here: backends add up what they find, and the chat spans carry the tokens.
    attributes = _common(observed, attempt, conventions.INVOKE_AGENT, provider=provider)
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


def _events(timed: list[tuple[int, Entry, datetime, datetime]]) -> Iterator[SpanEvent]:
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
    entry: Entry,
    *,
    index: int,
    start: datetime,
    end: datetime,
    provider: str | None,
) -> SpanFact | None:
    if entry["type"] == "model":
        operation, subject, remote = conventions.CHAT, str(entry.get("model", "")), True
        error = _reason(entry["error"]) if entry.get("error") else ""
        own = _chat(entry, model=subject)
    elif entry["type"] == "tool":
        operation, subject, remote = conventions.EXECUTE_TOOL, str(entry.get("name", "")), False
        error = _FAILED_TOOL.get(str(entry.get("outcome")), "")
        own, provider = _tool(entry, name=subject), None
    else:
        return None
    attributes = {
        **_common(observed, attempt, operation, provider=provider),
        **own,
        **_replayed(entry),
    }
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


def _common(
    observed: Observed, attempt: AttemptEnded, operation: str, *, provider: str | None
) -> dict[str, Attribute]:
    attributes = run_attributes(observed, round_=attempt.round)
    attributes |= {
        conventions.OPERATION: operation,
        conventions.NODE_PATH: attempt.path,
        conventions.NODE_ATTEMPT: attempt.number,
    }
    if provider is not None:
        attributes[conventions.PROVIDER] = conventions.PROVIDERS.get(provider, provider)
    return attributes


def _chat(entry: Entry, *, model: str) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {conventions.REQUEST_MODEL: model}
    counted = {
        conventions.INPUT_TOKENS: entry.get("inputTokens"),
        conventions.CACHED_TOKENS: entry.get("cachedTokens"),
        conventions.OUTPUT_TOKENS: entry.get("outputTokens"),
    }
    attributes |= {name: count for name, count in counted.items() if isinstance(count, int)}
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
    }
    return attributes | {key: str(value) for key, value in optional.items() if value}


def _replayed(entry: Entry) -> dict[str, Attribute]:
    """The mark of what an earlier attempt has done and this one took from the journal."""
    return {conventions.REPLAYED: True} if entry.get("replayed") is True else {}


def _reason(text: object) -> str:
    """The reason that a text is or begins with; anything else is not told."""
    word = str(text).partition(":")[0]
    return word if word in _REASONS else conventions.OTHER_ERROR
