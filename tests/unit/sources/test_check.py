"""The static check of an EventSource: what it refuses, and what it says."""

from datetime import UTC, datetime
from typing import Any

import pytest
from waypost.ports.cluster import Kind
from waypost.sources.status import judged, read

from tests.ingress.place import BEARER, RULE, hmac_auth, source_spec
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def rule(**fields: Any) -> dict[str, Any]:
    """A rule; fields with __ are those of its event."""
    event = {"name": "push", "key": "k"}
    event |= {name[2:]: value for name, value in fields.items() if name.startswith("e_")}
    return {**{n: v for n, v in fields.items() if not n.startswith("e_")}, "event": event}


GOOD = [
    pytest.param(source_spec(), id="plain"),
    pytest.param(source_spec(auth=BEARER, rules=[rule(id="${headers['ce-id']}")]), id="id"),
    pytest.param(
        source_spec(headers=["x-a"], rules=[rule(when="${headers['x-a'] == 'b'}")]), id="header"
    ),
    pytest.param(
        source_spec(rules=[rule(e_payload={"n": "${body.n}", "l": [1, "$${x}"]})]), id="p"
    ),
    pytest.param(source_spec(rules=[rule(e_name="${body.type}")]), id="computed-name"),
]


@pytest.mark.parametrize("spec", GOOD)
def test_what_is_accepted(spec: Any) -> None:
    """S678"""
    assert read(spec)[1] == ()


BAD = [
    pytest.param(source_spec(schema={"type": "int"}), "schema: ", "expected one of", id="schema"),
    pytest.param(
        source_spec(headers=["authorization"]), "headers[0]: ", "no event may have it", id="secret"
    ),
    pytest.param(
        source_spec(rules=[rule(when="${inputs.a}")]),
        "rules[0].when: ",
        "inputs does not exist in a rule; a rule reads body and headers",
        id="variable",
    ),
    pytest.param(
        source_spec(rules=[rule(when="${header['x-a'] == 'b'}")]),
        "rules[0].when: ",
        "nothing is named `header` here: there are body and headers; did you mean 'headers'?",
        id="misspelt-variable",
    ),
    pytest.param(source_spec(rules=[rule(when="${body.a +}")]), "rules[0].when: ", "", id="cel"),
    pytest.param(
        source_spec(rules=[rule(when="body.a")]), "rules[0].when: ", "one ${...}", id="no-template"
    ),
    pytest.param(
        source_spec(rules=[rule(e_key="${headers['x-a']}")]),
        "rules[0].event.key: ",
        "is not listed in spec.headers",
        id="unlisted",
    ),
    pytest.param(
        source_spec(headers=["x-github-event"], rules=[rule(e_key="${headers['X-GitHub-Event']}")]),
        "rules[0].event.key: ",
        "write headers['x-github-event']",
        id="capitals",
    ),
    pytest.param(
        source_spec(headers=["x-id"], rules=[rule(id="${headers['x-id']}")]),
        "rules[0].id: ",
        "headers are not signed",
        id="unsigned-id",
    ),
    pytest.param(
        source_spec(rules=[rule(e_name="two words")]),
        "rules[0].event.name: ",
        "is not the name of an event",
        id="name",
    ),
    pytest.param(
        source_spec(rules=[rule(e_payload={"a": [{"b": "${body.}"}]})]),
        "rules[0].event.payload.a[0].b: ",
        "",
        id="payload",
    ),
    pytest.param(
        source_spec(rules=[{"start": {"templateRef": {"name": "t"}, "inputs": {"a": "${run.x}"}}}]),
        "rules[0].start.inputs: ",
        "run does not exist in a rule",
        id="inputs",
    ),
    pytest.param(source_spec(rules=[]), "rules", "", id="no-rules"),
    pytest.param(source_spec(extra=1), "extra: ", "unknown field extra", id="unknown-field"),
]


@pytest.mark.parametrize(("spec", "place", "says"), BAD)
def test_what_is_refused(spec: Any, place: str, says: str) -> None:
    """S678"""
    found = [str(problem) for problem in read(spec)[1]]
    assert any(text.startswith(place) and says in text for text in found), found
    status = judged({"metadata": {"generation": 3}, "spec": spec}, NOW)
    [condition] = status.conditions
    assert (condition.status, condition.reason) == ("False", "InvalidSpec")
    assert says in condition.message


def test_a_rule_that_is_never_used_is_a_warning() -> None:
    """S678"""
    [warning] = read(source_spec(rules=[RULE, RULE]))[1]
    assert (warning.severity, warning.field) == ("warning", "rules[1]")
    body = {"metadata": {"name": "s", "namespace": "n"}, "spec": source_spec(rules=[RULE, RULE])}
    [condition] = judged(body, NOW).conditions
    assert condition.status == "True"
    assert "/v1/events/n/s. warning: rules[1]" in condition.message


@pytest.mark.parametrize("spec", [None, 7, [], {}, {"auth": None}, {"rules": [None]}])
def test_no_spec_raises(spec: Any) -> None:
    [condition] = judged({"metadata": {}, "spec": spec}, NOW).conditions
    assert condition.status == "False"


@virtual
async def test_the_operator_writes_the_condition() -> None:
    """S678: of a new source, and again after an edit."""
    async with World() as world:
        world.start()
        body = {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "EventSource",
            "metadata": {"name": "github"},
            "spec": source_spec(auth=hmac_auth(), rules=[rule(when="${inputs.a}")]),
        }
        await world.user.create(Kind.EVENT_SOURCE, namespace=NAMESPACE, body=body)
        await world.quiet(1)
        found = await world.user.get(Kind.EVENT_SOURCE, namespace=NAMESPACE, name="github")
        [condition] = found["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("Accepted", "False")
        await world.patch(Kind.EVENT_SOURCE, "github", {"rules": [RULE]})
        await world.quiet(1)
        found = await world.user.get(Kind.EVENT_SOURCE, namespace=NAMESPACE, name="github")
        [condition] = found["status"]["conditions"]
        assert (condition["status"], found["status"]["observedGeneration"]) == ("True", 2)
