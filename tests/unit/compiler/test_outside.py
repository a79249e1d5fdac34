"""S611: data from outside may be part of a URL, and not choose its host."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.compiler.templates import TemplateBody, define_run, define_template

from tests.support.builders import http, python, spec
from tests.support.events import waits

FIX = "write the host, as in https://api.example.com/items/${...}"
TEXTS = {"type": "object", "properties": {"link": {"type": "string"}}, "required": ["link"]}


def found(*nodes: JsonObject, triggers: bool = False, **fields: Any) -> list[str]:
    """What lint says about addresses in a run of these nodes, or in a template with triggers."""
    body = spec(waits("paid", key="k", schema=TEXTS), *nodes, **fields)
    if triggers:
        body |= {"triggers": [{"eventSource": "github"}], "inputSchema": TEXTS}
        definition = define_template(body, name="t")
    else:
        definition = define(body)
    assert definition.problems == ()
    return [str(one) for one in definition.warnings if "comes from outside" in one.message]


def call(url: str, **fields: Any) -> JsonObject:
    """A node that sends a request there."""
    return http("call", url=url, **fields)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("${nodes.paid.output.payload.link}", id="whole"),
        pytest.param("https://${nodes.paid.output.payload.link}/x", id="host"),
        pytest.param("https://api.${nodes.paid.output.payload.link}", id="domain"),
        pytest.param("https://api.example.com:${nodes.paid.output.payload.link}/x", id="port"),
        pytest.param("https://me@${nodes.paid.output.payload.link}/x", id="after-a-user"),
    ],
)
def test_s611_a_payload_that_chooses_the_host(url: str) -> None:
    says = "nodes.call.http.url: nodes.paid.output.payload.link comes from outside and chooses "
    assert found(call(url)) == [f"{says}the host; {FIX}"]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://api.example.com/${nodes.paid.output.payload.link}", id="path"),
        pytest.param("https://api.example.com?x=${nodes.paid.output.payload.link}", id="query"),
        pytest.param("https://api.example.com/${nodes.paid.output.name}", id="name"),
        pytest.param("${nodes.base.output}/x/${nodes.paid.output.payload.link}", id="own-base"),
        pytest.param("https://${nodes.base.output}/", id="another-node"),
    ],
)
def test_s611_what_is_no_address(url: str) -> None:
    assert found(python("base", outputSchema={"type": "string"}), call(url)) == []


def test_s611_through_inputs_and_items() -> None:
    link = "${nodes.paid.output.payload.link}"
    assert found(call("${self.inputs.to}", inputs={"to": link}))
    assert not found(call("${self.inputs.to}", inputs={"to": "https://a.example", "x": link}))
    each = {"items": "${[nodes.paid.output.payload.link]}"}
    assert found(call("${item}", forEach=each))


def test_s611_the_event_that_a_first_node_has_chosen() -> None:
    other = waits("other", key="o", schema=TEXTS)
    pick = {"name": "pick", "first": {"of": ["paid", "other"]}}
    assert found(other, pick, call("${nodes.pick.output.payload.link}"))


def test_s611_inputs_of_a_template_that_requests_start() -> None:
    node = call("${inputs.link}")
    says = "nodes.call.http.url: inputs.link comes from outside and chooses the host; "
    assert found(node, triggers=True) == [says + FIX]
    assert found(node, inputs={"link": "https://a.example"}, inputSchema=TEXTS) == []


def test_s611_compensations() -> None:
    undo = {"http": {"url": "${nodes.paid.output.payload.link}"}}
    [said] = found(python("charge", dependsOn=["paid"], compensate=undo))
    assert said.startswith("nodes.charge.compensate.http.url: nodes.paid.output.payload.link comes")


def test_s611_a_run_of_an_event_is_warned_of_at_its_template_only() -> None:
    body = TemplateBody("t", spec(call("${inputs.link}"), inputSchema=TEXTS))
    run = {
        "templateRef": {"name": "t"},
        "inputs": {"link": "https://a.example"},
        "origin": {"event": "e1"},
    }
    assert define_run(run, body).warnings == ()
