"""An unknown field is answered by the object that has it: `maxAttempts` in `retry` is its limit."""

from collections.abc import Iterator
from typing import Any

import pytest
from waypost.api.crd.generate import object_schema
from waypost.api.crd.resources import RESOURCES
from waypost.compiler.vocabulary import unknown_field
from waypost.compiler.vocabulary.in_field import IN_FIELD, IN_SPEC

CASES = [
    ("retry", "maxAttempts", "did you mean limit, the number of extra attempts?"),
    ("retry", "max-attempts", "did you mean limit, the number of extra attempts?"),
    ("retry", "expression", "did you mean reasons, or exitCodes of a container?"),
    ("retry.backoff", "duration", "did you mean initial?"),
    ("retry.exitCodes", "codes", "did you mean retry?"),
    ("agent", "systemPrompt", "did you mean instructions?"),
    ("agent", "messages", "did you mean prompt, and instructions for what is always so?"),
    ("agent", "mcpServers", "did you mean tools, each with the name of a ToolServer in server?"),
    ("agent", "max_tokens", "did you mean agent.settings.maxTokens?"),
    ("agent", "response_format", "did you mean outputSchema of the node?"),
    ("agent", "maxTurns", "did you mean limits.requests?"),
    ("agent.model", "temperature", "did you mean agent.settings.temperature?"),
    ("agent.model", "apiKey", "the ModelProvider of the node has it"),
    ("agent.tools[0]", "url", "did you mean a ToolServer, whose name is in server?"),
    ("forEach", "in", "did you mean items?"),
    ("forEach", "as", "read the element as ${item}"),
    ("repeat", "count", "did you mean max?"),
    ("approval", "to", "did you mean approvers: {users: [...], groups: [...]}?"),
    ("approval", "minApprovals", "did you mean approvers.required?"),
    ("approval.approvers", "emails", "did you mean users?"),
    ("wait", "seconds", "did you mean duration, such as 10m?"),
    ("event", "name", "did you mean names, a list?"),
    ("http", "json", "did you mean body?"),
    ("http", "params", "did you mean query?"),
    ("http", "expectedStatus", "did you mean successCodes?"),
    ("container", "workingDir", "the program starts in the directory of its image"),
    ("container", "securityContext", "did you mean isolation of the node?"),
    ("container.env[0].valueFrom", "fieldRef", "write value with an expression"),
    ("python", "requirements", "image names an image that has the packages"),
    ("python.resources", "cpu", "did you mean requests: {cpu: 500m}"),
    ("concurrency", "cancel-in-progress", "did you mean whenFull?"),
]


@pytest.mark.parametrize(("below", "word", "says"), CASES, ids=[f"{b}.{w}" for b, w, _ in CASES])
def test_a_word_is_answered_in_its_field(below: str, word: str, says: str) -> None:
    assert says in unknown_field(word, path=f"spec.nodes[0].{below}", known=("items", "other"))


def test_other_resources_have_other_words() -> None:
    said = unknown_field("type", path="spec.http", known=("url",), kind="ToolServer")
    assert said == "unknown field type in http; known fields: url (see docs/providers.md)"


OF_SOURCES = [
    ("spec.auth", "github", "did you mean hmac: {preset: ..., secrets: [...]}?"),
    ("spec.auth.hmac", "secretRef", "did you mean secrets: [{name: SECRET, key: KEY}]?"),
    ("spec.auth.bearer", "secretKeyRef", "did you mean tokens: [{name: SECRET, key: KEY}]?"),
    ("spec.rules[0]", "dedupeKey", "did you mean id, the same text for the same request?"),
    ("spec.rules[0]", "if", "did you mean when?"),
]


@pytest.mark.parametrize(("path", "word", "says"), OF_SOURCES, ids=[w for _, w, _ in OF_SOURCES])
def test_a_word_is_answered_in_a_field_of_an_event_source(path: str, word: str, says: str) -> None:
    said = unknown_field(word, path=path, known=("other",), kind="EventSource")
    assert says in said
    assert said.endswith("(see docs/webhooks.md)")


SPECS = [
    ("AgentWorkflowSchedule", "cron", "did you mean schedules, a list of cron lines?"),
    ("AgentWorkflowSchedule", "templateRef", "did you mean template? (see docs/schedules.md)"),
    ("AgentWorkflowSchedule", "workflowSpec", "did you mean template?"),
    ("ModelProvider", "auth", "did you mean apiKey: {name: SECRET, key: KEY}?"),
    ("ModelProvider", "endpoint", "did you mean baseURL?"),
    ("ToolServer", "url", "did you mean http: {url: ...}?"),
    ("ToolServer", "sse", "did you mean http: {url: ...}?"),
    ("ToolServer", "command", "did you mean stdio: {image: ..., command: [...]}?"),
    ("WorkflowEvent", "data", "did you mean payload?"),
    ("EventSource", "github", "did you mean auth?"),
    ("AgentWorkflowTemplate", "inputs", "write their defaults in inputSchema"),
]


@pytest.mark.parametrize(("kind", "word", "says"), SPECS, ids=[f"{k}.{w}" for k, w, _ in SPECS])
def test_a_word_is_answered_in_the_spec_of_its_kind(kind: str, word: str, says: str) -> None:
    assert says in unknown_field(word, path="spec", known=("other",), kind=kind)


def test_no_word_is_a_field_of_its_spec() -> None:
    for resource in RESOURCES:
        fields = object_schema(resource)["properties"]["spec"].get("properties", {})
        assert not IN_SPEC.get(resource.kind, {}).keys() & fields.keys(), resource.kind
    assert IN_SPEC.keys() <= {resource.kind for resource in RESOURCES}


def test_no_word_is_a_field_of_its_object() -> None:
    """Else nobody would ever read its answer, and it would be wrong."""
    [workflow] = [one for one in RESOURCES if one.kind == "AgentWorkflow"]
    found = dict(_objects(object_schema(workflow), ""))
    assert IN_FIELD.keys() <= found.keys()
    wrong = {
        (name, word)
        for name, words in IN_FIELD.items()
        for word in words
        if all(word in fields for fields in found[name])
    }
    assert wrong == set()


def _objects(schema: dict[str, Any], name: str) -> dict[str, list[frozenset[str]]]:
    """The fields of all objects, by the name of the field that holds them."""
    found: dict[str, list[frozenset[str]]] = {}
    for at, part in _parts(schema, name):
        found.setdefault(at, []).append(frozenset(part["properties"]))
    return found


def _parts(schema: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "properties" in schema:
        yield name, schema
    for field, part in schema.get("properties", {}).items():
        yield from _parts(part, field)
    for below in ("items", "additionalProperties"):
        if isinstance(schema.get(below), dict):
            yield from _parts(schema[below], name)
