"""The static check of an EventSource: schema, headers, and the expressions of its rules."""

import re
from collections.abc import Iterator
from typing import Final

from waypost.api.event.model import EVENT_NAME_PATTERN
from waypost.api.source.model import EventSourceSpec, SourceRule
from waypost.compiler.problems import Problem, did_you_mean
from waypost.expressions.expression import Compiled
from waypost.expressions.messages.rejected import VARIABLES
from waypost.expressions.references import Path
from waypost.expressions.templates import Template, parse_template, paths_in, problems_in
from waypost.protocol import schema
from waypost.protocol.ijson import Json

# What a CloudEvent says of itself, as headers, whether it came in binary or in structured mode.
CLOUD_EVENT: Final = ("ce-id", "ce-source", "ce-type", "ce-subject", "ce-time")
# These prove who the sender is; nothing may store them in an event.
_SECRET: Final = frozenset(
    (
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-hub-signature",
        "x-hub-signature-256",
        "stripe-signature",
        "x-slack-signature",
        "webhook-signature",
    )
)
_VARIABLES: Final = ("body", "headers")


def source_problems(spec: EventSourceSpec) -> tuple[Problem, ...]:
    """Everything that is wrong with a source, beyond what the CRD refuses."""
    return tuple(_problems(spec))


def _problems(spec: EventSourceSpec) -> Iterator[Problem]:
    if spec.body_schema is not None and (text := schema.check_schema(spec.body_schema)):
        yield Problem("schema", text)
    for at, header in enumerate(spec.headers or ()):
        if header in _SECRET:
            text = f"{header} proves who the sender is, so no event may have it; remove it"
            yield Problem(f"headers[{at}]", text)
    readable = (*(spec.headers or ()), *CLOUD_EVENT)
    for at, rule in enumerate(spec.rules):
        for field, value in fields_of(rule):
            yield from _of_field(f"rules[{at}].{field}", value, readable)
        yield from _of_rule(f"rules[{at}]", rule, signed=spec.auth.hmac is not None)
    yield from _unreachable(spec)


def fields_of(rule: SourceRule) -> Iterator[tuple[str, Json]]:
    """The fields of a rule in which ${...} is evaluated."""
    if rule.when is not None:
        yield "when", rule.when
    if rule.id is not None:
        yield "id", rule.id
    if rule.event is not None:
        yield "event.name", rule.event.name
        yield "event.key", rule.event.key
        if rule.event.payload is not None:
            yield "event.payload", rule.event.payload
    if rule.start is not None and rule.start.inputs is not None:
        yield "start.inputs", rule.start.inputs


def _of_field(place: str, value: Json, readable: tuple[str, ...]) -> Iterator[Problem]:
    for problem in problems_in(value):
        inner = problem.path if problem.path.startswith("[") else f".{problem.path}"
        yield Problem(place + inner.rstrip("."), _of_rules(problem.message))
    for path in dict.fromkeys((path.root, path.fields) for path in paths_in(value)):
        if text := _path_problem(*path, readable):
            yield Problem(place, text)


def _of_rules(message: str) -> str:
    """A message about an expression, with the variables of a rule."""
    found, of_runs, _ = message.partition(VARIABLES)
    if not of_runs:
        return message
    hint = did_you_mean(found.split("`")[1], _VARIABLES)
    return f"{found}there are body and headers{hint}"


def _path_problem(root: str, fields: tuple[str, ...], readable: tuple[str, ...]) -> str:
    if root not in _VARIABLES:
        return f"{root} does not exist in a rule; a rule reads body and headers"
    if root != "headers" or not fields or fields[0] in readable:
        return ""
    name = fields[0]
    if name != name.lower() or "_" in name:
        return f"header {name!r} is never found; write headers['{name.lower().replace('_', '-')}']"
    hint = did_you_mean(name, readable)
    return f"header {name!r} is not listed in spec.headers; add it there{hint}"


def _of_rule(place: str, rule: SourceRule, *, signed: bool) -> Iterator[Problem]:
    if rule.when is not None and not _is_single(rule.when):
        yield Problem(
            f"{place}.when", "expected one ${...} that is true or false, and no other text"
        )
    if signed and rule.id is not None and any(map(_reads_headers, paths_in(rule.id))):
        text = (
            "headers are not signed, so anyone who has seen a request could send it again with "
            "another id; read the id from body, or remove id for the one of the preset"
        )
        yield Problem(f"{place}.id", text)
    if rule.event is None:
        return
    name = parse_template(rule.event.name)
    literal = isinstance(name, Template) and not name.references and _is_literal(name)
    if literal and not re.fullmatch(EVENT_NAME_PATTERN, rule.event.name):
        text = (
            f"{rule.event.name!r:.80} is not the name of an event: use up to 128 letters, digits "
            "and . _ / : -, with a letter or digit at both ends"
        )
        yield Problem(f"{place}.event.name", text)


def _unreachable(spec: EventSourceSpec) -> Iterator[Problem]:
    for at, rule in enumerate(spec.rules[:-1]):
        if rule.when is None:
            text = f"is never used: rules[{at}] has no when, so it always applies"
            yield Problem(f"rules[{at + 1}]", text, "warning")
            return


def _is_single(text: str) -> bool:
    template = parse_template(text)
    return not isinstance(template, Template) or template.is_single


def _is_literal(template: Template) -> bool:
    return not any(isinstance(part, Compiled) for part in template.parts)


def _reads_headers(path: Path) -> bool:
    return path.root == "headers"
