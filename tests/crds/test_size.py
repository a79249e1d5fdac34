"""The CRDs stay small enough for kubectl and the API server. A second list of nodes, as finally is
one, costs as much as its bounds say."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from waypost.api.crd import generate
from waypost.api.crd.resources import RESOURCES
from waypost.api.workflow import MAX_FINALLY_NODES, MAX_NODES

from tests.crds.manifests import node
from tests.crds.transitions import checkpoint

# kubectl apply without --server-side keeps the object in an annotation of at most 262,144 bytes.
# The rest is for labels and annotations that installers add, and for the next fields.
LARGEST: Final = 230_000
# How many rules one object can make the API server evaluate: 200 nodes with everything in them.
MOST_RULES: Final = 400_000


def rules(schema: dict[str, Any], times: int = 1) -> Iterator[tuple[int, int]]:
    """(rules, how often each can be evaluated for one object) of each schema."""
    yield len(schema.get("x-kubernetes-validations", ())), times
    for child in schema.get("properties", {}).values():
        yield from rules(child, times)
    if "items" in schema:
        yield from rules(schema["items"], times * schema["maxItems"])
    if "additionalProperties" in schema:
        yield from rules(schema["additionalProperties"], times * schema["maxProperties"])


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_size(resource: Any) -> None:
    size = len(json.dumps(generate.manifest(resource), separators=(",", ":")))
    assert size < LARGEST


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_rules(resource: Any) -> None:
    schema = generate.manifest(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert sum(count * times for count, times in rules(schema)) < MOST_RULES


def evaluated(schema: dict[str, Any], value: Any) -> int:
    """The rules that the API server evaluates for an object: those at each value that is set."""
    count = len(schema.get("x-kubernetes-validations", ()))
    if isinstance(value, dict):
        known = schema.get("properties", {})
        count += sum(evaluated(known[name], inner) for name, inner in value.items())
    elif isinstance(value, list):
        count += sum(evaluated(schema["items"], item) for item in value)
    return count


def test_rules_of_a_node_at_each_write() -> None:
    """S608: the API server evaluates the rules of the spec also when the status is written, so a
    rule about a field that is not set stands at that field."""
    (resource,) = [one for one in RESOURCES if one.kind == "AgentWorkflow"]
    schema = generate.object_schema(resource)["properties"]
    few, more = (
        {"nodes": [node(f"n{at}", dependsOn=["a"]) for at in range(count)]} for count in (1, 2)
    )
    assert evaluated(schema["spec"], more) - evaluated(schema["spec"], few) == 13
    ends = [checkpoint(f"n{at}", outputDigest="sha256:1") for at in range(2)]
    one, two = ({"nodes": ends[:count]} for count in (1, 2))
    assert evaluated(schema["status"], two) - evaluated(schema["status"], one) == 1


def test_no_rule_counts_fields_with_a_list() -> None:
    """S608: each field that a rule asks for costs; `at_most_one_of` asks for few."""
    for name, text in generate.render().items():
        assert ".filter(found" not in text, name


@pytest.mark.parametrize("kind", ["AgentWorkflow", "AgentWorkflowTemplate"])
def test_local_templates_cost_little(kind: str) -> None:
    """S342: the nodes in them have no schema, which would be a third of the CRD again."""
    (resource,) = [one for one in RESOURCES if one.kind == kind]
    spec = generate.object_schema(resource, with_status=False)["properties"]["spec"]["properties"]
    assert len(json.dumps(spec["templates"], separators=(",", ":"))) < 5_000
    assert sum(count * times for count, times in rules(spec["templates"])) < 100


def test_finally_costs_a_tenth_of_nodes() -> None:
    """It has the rules of nodes, and a tenth of the items."""
    (resource,) = [one for one in RESOURCES if one.kind == "AgentWorkflow"]
    spec = generate.object_schema(resource, with_status=False)["properties"]["spec"]["properties"]
    nodes, last = (
        sum(count * times for count, times in rules(spec[field])) for field in ("nodes", "finally")
    )
    assert last * MAX_NODES <= nodes * MAX_FINALLY_NODES
