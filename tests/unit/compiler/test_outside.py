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


def found(
    *nodes: JsonObject,
    triggers: bool = False,
    known: dict[str, JsonObject] | None = None,
    **fields: Any,
) -> list[str]:
    """What lint says about addresses in a run of these nodes, or in a template with triggers."""
    body = spec(waits("paid", key="k", schema=TEXTS), *nodes, **fields)
    if triggers:
        body |= {"triggers": [{"eventSource": "github"}], "inputSchema": TEXTS}
        definition = define_template(body, name="t", templates=known)
    else:
        definition = define(body, templates=known)
    assert definition.problems == ()
    warned = [str(one) for one in definition.warnings if "comes from outside" in one.message]
    assert [str(one) for one in definition.outside] == [
        one for one in warned if not one.startswith("templates.")
    ], "what strict mode refuses"
    return warned


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


LINK = "${nodes.paid.output.payload.link}"
GIVES: JsonObject = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "own": {"type": "string"}},
    "required": ["to", "own"],
}


def template(*nodes: JsonObject, takes: str = "link", **fields: Any) -> JsonObject:
    """A template with one input."""
    shape = {"type": "object", "properties": {takes: {"type": "string"}}, "required": [takes]}
    return spec(*nodes, inputSchema=shape, **fields)


def calls(name: str, called: str, *, local: bool = False, **fields: Any) -> JsonObject:
    """A node that calls a template."""
    block = {"template": called} if local else {"templateRef": {"name": called}}
    return {"name": name, "workflow": block, **fields}


SENDS = template(call("${inputs.link}"))
RETURNS = template(
    python("a"), outputs={"to": "${inputs.link}", "own": "https://a.example"}, outputSchema=GIVES
)
LISTENS = spec(
    waits("hook", key="h", schema=TEXTS), outputs={"to": "${nodes.hook.output.payload.link}"}
)
DEEP = template(calls("inner", "sends", inputs={"link": "${inputs.link}"}))
KNOWN = {"sends": SENDS, "returns": RETURNS, "listens": LISTENS, "deep": DEEP}


@pytest.mark.parametrize("local", [False, True], ids=["template", "local"])
def test_s785_an_input_of_a_child_run_that_chooses_its_host(local: bool) -> None:
    node = calls("sub", "sends", local=local, inputs={"link": LINK})
    known = {} if local else KNOWN
    fields: dict[str, Any] = {"templates": [{"name": "sends", **SENDS}]} if local else {}
    called = "sends (local)" if local else "sends"
    assert found(node, known=known, **fields) == [
        "nodes.sub.inputs.link: nodes.paid.output.payload.link comes from outside and chooses the "
        f"host of nodes.call.http.url of template {called}; there {FIX}"
    ]


@pytest.mark.parametrize(
    ("nodes", "place"),
    [
        pytest.param(
            [calls("sub", "deep", inputs={"link": LINK})], "nodes.sub.inputs.link", id="two-levels"
        ),
        pytest.param(
            [
                calls(
                    "each",
                    "sends",
                    forEach={"items": "${[nodes.paid.output.payload.link]}"},
                    inputs={"link": "${item}"},
                )
            ],
            "nodes.each.inputs.link",
            id="items",
        ),
        pytest.param(
            [
                calls("sub", "returns", inputs={"link": LINK}),
                call("${nodes.sub.output.to}"),
            ],
            "nodes.call.http.url",
            id="output-of-a-child",
        ),
        pytest.param(
            [calls("sub", "listens"), call("${nodes.sub.output.to}")],
            "nodes.call.http.url",
            id="event-of-a-child",
        ),
        pytest.param(
            [
                calls("each", "returns", forEach={"items": "${[1]}"}, inputs={"link": LINK}),
                call("${nodes.each.output[0].to}"),
            ],
            "nodes.call.http.url",
            id="outputs-of-a-map",
        ),
        pytest.param(
            [
                calls("sub", "returns", inputs={"link": LINK}),
                calls("other", "returns", inputs={"link": "https://a.example"}),
                {"name": "pick", "first": {"of": ["other", "sub"]}},
                call("${nodes.pick.output.to}"),
            ],
            "nodes.call.http.url",
            id="first-of-children",
        ),
        pytest.param(
            [
                calls(
                    "again",
                    "listens2",
                    repeat={"until": "${index > 1}", "max": 3},
                    inputs={"link": "${previous.?output.?to.orValue('https://a.example')}"},
                )
            ],
            "nodes.again.inputs.link",
            id="iterations",
        ),
    ],
)
def test_s785_values_are_followed_through(nodes: list[JsonObject], place: str) -> None:
    both = template(
        waits("hook", key="h", schema=TEXTS),
        call("${inputs.link}"),
        outputs={"to": "${nodes.hook.output.payload.link}"},
    )
    [said] = found(*nodes, known={**KNOWN, "listens2": both})
    assert said.startswith(f"{place}: ")


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([calls("sub", "sends", inputs={"link": "https://a.example"})], id="own-input"),
        pytest.param(
            [
                calls("sub", "returns", inputs={"link": LINK}),
                call("${nodes.sub.output.own}"),
            ],
            id="own-output",
        ),
        pytest.param(
            [
                calls(
                    "each",
                    "returns",
                    forEach={"items": "${[1]}", "collect": "None"},
                    inputs={"link": LINK},
                ),
                call("https://a.example/${nodes.each.output.total}"),
            ],
            id="counts",
        ),
        pytest.param([calls("sub", "missing", inputs={"link": LINK})], id="unknown-template"),
        pytest.param(
            [
                python("made", inputs={"x": LINK}, outputSchema={"type": "string"}),
                call("${nodes.made.output}"),
            ],
            id="a-program-makes-a-new-value",
        ),
        pytest.param(
            [
                {"name": "pause", "wait": {"until": LINK}},
                call("https://a.example/${nodes.pause.output.until}"),
            ],
            id="a-wait-gives-a-time",
        ),
    ],
)
def test_s785_what_is_not_followed(nodes: list[JsonObject]) -> None:
    assert found(*nodes, known=KNOWN) == []


def test_s785_a_template_with_triggers_passes_its_inputs_on() -> None:
    node = calls("sub", "sends", inputs={"link": "${inputs.link}"})
    [said] = found(node, triggers=True, known=KNOWN)
    assert said.startswith("nodes.sub.inputs.link: inputs.link comes from outside and chooses")


def test_s785_only_the_part_of_an_input_that_is_from_outside() -> None:
    given = {"msg": {"to": "https://a.example", "text": LINK}}
    assert found(call("${self.inputs.msg.to}", inputs=given)) == []
    assert found(call("${self.inputs.msg.text}", inputs=given))


def test_s785_what_an_earlier_run_remembered() -> None:
    reads = call("${memory.?last.?outputs.?to.orValue('https://a.example')}")
    memory = {"key": "k", "remember": {"to": LINK, "own": "x"}}
    assert found(reads, memory=memory)
    own = call("https://${memory.?last.?outputs.?own.orValue('a')}.example/")
    assert found(own, memory=memory) == []
    again = {**memory, "remember": {"to": "${memory.?last.?outputs.?to}", "from": LINK}}
    assert found(reads, memory=again) == []
    facts = {"facts": [{"text": "${self.output.payload.link}"}]}
    stated = call("${memory.bySubject[?'x'].?text.orValue('https://a.example')}")
    body = spec(
        {**waits("paid", key="k", schema=TEXTS), "remember": facts},
        stated,
        memory={"key": "k"},
    )
    assert [one for one in define(body).outside if one.field == "nodes.call.http.url"]


def test_s785_compensations() -> None:
    undo = {"http": {"url": "${self.inputs.back}"}, "inputs": {"back": "${self.inputs.link}"}}
    [said] = found(python("charge", inputs={"link": LINK}, compensate=undo))
    assert said.startswith("nodes.charge.compensate.http.url: self.inputs.back comes from outside")


def test_s785_templates_that_call_each_other() -> None:
    """The recursion is reported elsewhere; following it ends."""
    one = template(calls("go", "two", inputs={"link": "${inputs.link}"}))
    two = template(calls("go", "one", inputs={"link": "${inputs.link}"}), call("${inputs.link}"))
    assert found(calls("sub", "one", inputs={"link": LINK}), known={"one": one, "two": two})
