"""What becomes of a request whose sender is known: an event, nothing, or a refusal.

Nothing here raises because of a request. Expressions and schemas are evaluated within the bounds of
docs/adr/0018-bounded-evaluation.md.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.event.model import (
    EVENT_NAME_PATTERN,
    MAX_KEY,
    MAX_NAME,
    MAX_ORIGIN_ID,
    MAX_PAYLOAD_BYTES,
)
from waypost.api.source.model import EventSourceSpec, SentEvent, SourceRule, StartedRun
from waypost.expressions.templates import (
    NullPolicy,
    RenderError,
    render_condition,
    render_json,
    render_text,
)
from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json
from waypost.protocol.violation import Violation

_NAME_PART: Final = 200  # characters of the name of a source in that of an event
_DIGITS: Final = 24


@dataclass(frozen=True)
class Content:
    """What a request says.

    Attributes:
        body: Its JSON.
        headers: All that rules may read; one that was not sent is "".
        id: Its id, if no rule gives another one.
    """

    body: Json
    headers: Mapping[str, str]
    id: str


@dataclass(frozen=True)
class NoRule:
    """No rule applies."""


@dataclass(frozen=True)
class Unfit:
    """A request that becomes no event: which field of the source refuses it, why, and what in the
    body violates its schema."""

    field: str
    message: str
    violations: tuple[Violation, ...] = ()


Judgement: TypeAlias = JsonObject | NoRule | Unfit


def judge(source: str, spec: EventSourceSpec, content: Content) -> Judgement:
    """The WorkflowEvent that a request becomes.

    Args:
        source: Name of the EventSource.
        spec: Its spec, which `source_problems` accepts.
        content: What the request says.

    Returns:
        Its manifest without a namespace; or why there is none.
    """
    found = rule_for(spec, content)
    if not isinstance(found, int):
        return found
    return _Use(source, f"rules[{found}]", spec.rules[found], _data(content)).manifest(content.id)


def rule_for(spec: EventSourceSpec, content: Content) -> int | NoRule | Unfit:
    """The index of the first rule that applies to a request; or why there is none."""
    if spec.body_schema is not None:
        violations = schema.validate(spec.body_schema, content.body)
        if violations:
            return Unfit("schema", "the body does not match the schema of the source", violations)
    data = _data(content)
    for at, rule in enumerate(spec.rules):
        applies = rule.when is None or render_condition(rule.when, data)
        if isinstance(applies, RenderError):
            return Unfit(f"rules[{at}].when", applies.message)
        if applies:
            return at
    return NoRule()


def _data(content: Content) -> dict[str, Json]:
    """What rules read."""
    return {"body": content.body, "headers": dict(content.headers)}


def event_name(source: str, id_: str) -> str:
    """Name of the event of a request: the same id of the same source gives the same name."""
    digest = hashlib.sha256(f"{source}\0{id_}".encode()).hexdigest()[:_DIGITS]
    return f"{source[:_NAME_PART].rstrip('-.')}-{digest}"


class _Refused(Exception):
    def __init__(self, why: Unfit) -> None:
        super().__init__(why.message)
        self.why = why


@dataclass(frozen=True)
class _Use:
    """One use of a rule."""

    source: str
    place: str
    rule: SourceRule
    data: Mapping[str, Json]

    def manifest(self, default_id: str) -> Judgement:
        """The event, or why there is none."""
        try:
            id_ = default_id if self.rule.id is None else self._id(self.rule.id)
            spec: JsonObject = {"source": {"name": self.source, "id": id_}}
            if self.rule.event is not None:
                spec |= self._event(self.rule.event)
            elif self.rule.start is not None:
                spec |= self._start(self.rule.start)
        except _Refused as refused:
            return refused.why
        return {
            "apiVersion": meta.API_VERSION,
            "kind": meta.WORKFLOW_EVENT.kind,
            "metadata": {"name": event_name(self.source, id_)},
            "spec": spec,
        }

    def _id(self, text: str) -> str:
        id_ = self._text("id", text)
        if not 0 < len(id_) <= MAX_ORIGIN_ID:
            raise self._refused("id", f"expected 1 to {MAX_ORIGIN_ID} characters, found {len(id_)}")
        return id_

    def _event(self, sent: SentEvent) -> JsonObject:
        spec = {"name": self._name(sent.name), "key": self._key(sent.key)}
        if sent.payload is None:
            return spec
        return {**spec, "payload": self._data("event.payload", sent.payload)}

    def _start(self, started: StartedRun) -> JsonObject:
        start: JsonObject = {"templateRef": {"name": started.template_ref.name}}
        if started.inputs is not None:
            start["inputs"] = self._data("start.inputs", started.inputs)
        return {"name": self.source[:MAX_NAME].rstrip("-."), "start": start}

    def _name(self, template: str) -> str:
        name = self._text("event.name", template)
        if not re.fullmatch(EVENT_NAME_PATTERN, name):
            text = f"{name!r:.80} is not the name of an event: up to 128 letters, digits, . _ / : -"
            raise self._refused("event.name", text)
        return name

    def _key(self, template: str) -> str:
        key = self._text("event.key", template)
        if not 0 < len(key) <= MAX_KEY or not key.isprintable():
            text = f"expected 1 to {MAX_KEY} printable characters, found {key!r:.80}"
            raise self._refused("event.key", text)
        return key

    def _data(self, field: str, template: Json) -> Json:
        value = render_json(template, self.data)
        if isinstance(value, RenderError):
            raise self._refused(field, value.message, value.path)
        size = len(ijson.canonical(value))
        if size > MAX_PAYLOAD_BYTES:
            text = f"{size} bytes of JSON, the limit is {MAX_PAYLOAD_BYTES}; take parts of the body"
            raise self._refused(field, text)
        return value

    def _text(self, field: str, template: str) -> str:
        found = render_text(template, self.data, null=NullPolicy.REFUSE)
        if isinstance(found, RenderError):
            raise self._refused(field, found.message, found.path)
        return found

    def _refused(self, field: str, message: str, inner: str = "") -> _Refused:
        dot = "." if inner and not inner.startswith("[") else ""
        return _Refused(Unfit(f"{self.place}.{field}{dot}{inner}", message))
