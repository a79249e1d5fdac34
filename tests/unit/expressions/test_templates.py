"""`${...}` inside text and JSON values: where it ends, what it becomes, where it is refused."""

from __future__ import annotations

import pytest
from waypost.expressions.expression import ExpressionError, Json, Reference
from waypost.expressions.templates import (
    NullPolicy,
    RenderError,
    Template,
    TemplateProblem,
    parse_template,
    problems_in,
    references_in,
    render_condition,
    render_json,
    render_text,
)
from waypost.kube.manifests.pod import escape_pod_string

DATA: dict[str, Json] = {
    "inputs": {
        "text": "abc",
        "n": 3,
        "whole": 2.0,
        "price": 0.1,
        "huge": 1e300,
        "yes": True,
        "nothing": None,
        "list": [1, {"b": 1, "a": "é"}],
        "attack": "${inputs.secret} $(SECRET) $${x} {{inputs.secret}}",
        "secret": "s3cret",
    },
    "nodes": {"gone": {"phase": "Skipped"}},
}


def text_of(text: str, null: NullPolicy = NullPolicy.TEXT) -> str | RenderError:
    return render_text(text, DATA, null=null)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("plain {} $ $5 }", "plain {} $ $5 }", id="no-template"),
        pytest.param("a ${inputs.text} b", "a abc b", id="inside"),
        pytest.param("${inputs.text}${inputs.n}", "abc3", id="neighbours"),
        pytest.param("$${inputs.text}", "${inputs.text}", id="escaped"),
        pytest.param("$$${inputs.text}", "$${inputs.text}", id="dollar-before-escaped"),
        pytest.param("$$ ${inputs.n}", "$$ 3", id="dollars-apart"),
        pytest.param("${ {'a': '}'}.a }", "}", id="map-and-brace-in-string"),
        pytest.param('${"}"}', "}", id="double-quotes"),
        pytest.param("${'''}'}'''}", "}'}", id="triple-quotes"),
        pytest.param("${'\\'}'}", "'}", id="escaped-quote"),
        pytest.param("${r'a\\d}'}", "a\\d}", id="raw-string"),
        pytest.param("${inputs.n // }'\n}", "3", id="comment"),
        pytest.param("${\n  inputs.n\n}", "3", id="lines"),
        pytest.param("${inputs.list.map(x, {'k': 1})[0].k}", "1", id="nested-braces"),
    ],
)
def test_where_an_expression_ends(text: str, expected: str) -> None:
    assert text_of(text) == expected


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        pytest.param("${", 0, id="nothing-after"),
        pytest.param("a ${inputs.n", 2, id="never-closed"),
        pytest.param("${'}", 0, id="string-never-closed"),
        pytest.param("${ {'a': 1} ", 0, id="map-closes-only-itself"),
        pytest.param("${inputs.n // }", 0, id="comment-never-ends"),
        pytest.param("ok ${}", 5, id="empty"),
        pytest.param("ok ${  foo }", 7, id="offset-inside-text"),
        pytest.param("${inputs.n} ${foo}", 14, id="second"),
        pytest.param("${inputs.n}}${'a\n'}", 12, id="short-string-over-lines"),
    ],
)
def test_broken_templates(text: str, offset: int) -> None:
    error = parse_template(text)
    assert isinstance(error, ExpressionError)
    assert error.offset == offset, "counted in the whole text"
    assert isinstance(text_of(text), RenderError)
    assert isinstance(render_json({"a": [text]}, DATA), RenderError)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("inputs.text", "abc", id="string-raw"),
        pytest.param("inputs.yes", "true", id="bool"),
        pytest.param("inputs.n == 1", "false", id="computed-bool"),
        pytest.param("inputs.n", "3", id="integer"),
        pytest.param("inputs.whole", "2", id="double-without-fraction"),
        pytest.param("inputs.price", "0.1", id="shortest-double"),
        pytest.param("inputs.price + 0.2", "0.30000000000000004", id="shortest-that-is-exact"),
        pytest.param("inputs.huge", "1e+300", id="huge-double"),
        pytest.param("-0.0", "0", id="minus-zero"),
        pytest.param("inputs.list", '[1,{"a":"é","b":1}]', id="compact-json-sorted"),
        pytest.param("inputs.nothing", "null", id="null-in-a-message"),
    ],
)
def test_text_conversion(expression: str, expected: str) -> None:
    assert text_of(f"${{{expression}}}") == expected, "S11"
    assert text_of(f"<${{{expression}}}>") == f"<{expected}>"


def test_null_and_absent_have_no_text_in_arguments() -> None:
    refused = text_of("--x=${inputs.nothing}", NullPolicy.REFUSE)
    assert isinstance(refused, RenderError), "S13: args, env, url, query, headers"
    assert "inputs.nothing is null" in refused.message
    for null in NullPolicy:
        absent = text_of("--x=${inputs.?none}", null)
        assert isinstance(absent, RenderError)
        assert "orValue" in absent.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("${inputs.n}", 3, id="lone-keeps-integer"),
        pytest.param("${inputs.list}", [1, {"b": 1, "a": "é"}], id="lone-keeps-list"),
        pytest.param("${inputs.nothing}", None, id="lone-null"),
        pytest.param(" ${inputs.n}", " 3", id="blank-makes-text"),
        pytest.param("n=${inputs.nothing}", "n=null", id="interpolated-null"),
        pytest.param({"a": "${inputs.?none}", "b": 1}, {"b": 1}, id="absent-key-left-out"),
        pytest.param(["${inputs.?none}", 1], [None, 1], id="absent-in-list-is-null"),
        pytest.param({"a": ["${inputs.?none}"]}, {"a": [None]}, id="absent-in-nested-list"),
        pytest.param("${inputs.?none}", None, id="absent-alone"),
        pytest.param({"${inputs.n}": 1}, {"${inputs.n}": 1}, id="keys-are-not-evaluated"),
        pytest.param({"a": {"b": [True, None, 1.5]}}, {"a": {"b": [True, None, 1.5]}}, id="data"),
    ],
)
def test_json_fields(value: Json, expected: Json) -> None:
    rendered = render_json(value, DATA)
    assert rendered == expected
    assert type(rendered) is type(expected)


def test_errors_name_the_path() -> None:
    value = {"items": [{"url": "x"}, {"url": "a ${inputs.gone} b"}]}
    error = render_json(value, DATA)
    assert isinstance(error, RenderError)
    assert error.path == "items[1].url"
    assert error.message.startswith("inputs.gone: no such field")


@pytest.mark.parametrize("text", ["${inputs.attack}", "${[inputs.attack][0]}"])
def test_data_is_never_evaluated(text: str) -> None:
    attack = DATA["inputs"]["attack"]
    assert render_json(text, DATA) == attack
    assert text_of(text) == attack
    assert text_of(f"a {text} b") == f"a {attack} b"
    assert "s3cret" not in str(text_of(f"{text}{text}"))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        pytest.param("$(SECRET)", "$$(SECRET)", id="expansion"),
        pytest.param("$$(SECRET)", "$$$$(SECRET)", id="escaped-expansion"),
        pytest.param("$$$(SECRET)", "$$$$$$(SECRET)", id="odd-dollars"),
        pytest.param("costs $5", "costs $$5", id="plain-dollar"),
        pytest.param("none", "none", id="none"),
    ],
)
def test_pod_strings(text: str, escaped: str) -> None:
    assert escape_pod_string(text) == escaped
    assert kubelet(escaped) == text, "what the container sees is the text itself"


def kubelet(text: str) -> str:
    """k8s.io/kubernetes/third_party/forked/golang/expansion with SECRET set."""
    seen, at = "", 0
    while at < len(text):
        if text.startswith("$$", at):
            seen, at = seen + "$", at + 2
        elif text.startswith("$(SECRET)", at):
            seen, at = seen + "s3cret", at + len("$(SECRET)")
        else:
            seen, at = seen + text[at], at + 1
    return seen


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        pytest.param("${inputs.yes}", True, id="true"),
        pytest.param("${inputs.n > 5}", False, id="false"),
        pytest.param("${'true'}", None, id="text-true"),
        pytest.param("${inputs.gone}", None, id="error"),
        pytest.param("${nodes.gone.output == 'Approved'}", None, id="error-value"),
        pytest.param("true", None, id="no-expression"),
        pytest.param("", None, id="empty"),
        pytest.param(" ${true}", None, id="text-around"),
        pytest.param("${true}${true}", None, id="two"),
    ],
)
def test_conditions(text: str, verdict: bool | None) -> None:
    found = render_condition(text, DATA)
    if verdict is None:
        assert isinstance(found, RenderError), "only an exact true or false decides"
    else:
        assert found is verdict


@pytest.mark.parametrize(
    ("text", "is_single"),
    [
        pytest.param("${inputs.n}", True, id="single"),
        pytest.param("${inputs.n} ", False, id="blank-after"),
        pytest.param("plain", False, id="plain"),
        pytest.param("{{inputs.parameters.x}}", False, id="braces-of-others"),
        pytest.param("${ {'a': {'b': 1}}.a.b }", True, id="braces-of-ours"),
    ],
)
def test_shape(text: str, is_single: bool) -> None:
    template = parse_template(text)
    assert isinstance(template, Template)
    assert template.is_single is is_single


def test_references_of_a_whole_field() -> None:
    value = {
        "a": "${nodes.x.output.t} and ${has(nodes.y.output)}",
        "l": ["${nodes.y.output.u}", "$${nodes.no.output}", "${broken", 3],
        "${nodes.key.output}": 1,
    }
    assert references_in(value) == (
        Reference("x", ("output", "t"), soft=False),
        Reference("y", ("output",), soft=True),
        Reference("y", ("output", "u"), soft=True),
    ), "one soft use makes the node soft; keys and escapes are no references"


def test_problems_of_a_whole_field() -> None:
    assert problems_in({"ok": "${inputs.a}", "l": [{"x": "a ${foo}"}]}) == (
        TemplateProblem(
            "l[0].x",
            "nothing is named `foo` here: there are inputs, nodes.<name>, self and run"
            "; write $${foo} if a shell is to read it",
            4,
        ),
    )


@pytest.mark.parametrize("source", ["HOME", "TARGET:-staging", "FILE%.txt", "@", "#ARGS", "a[0]"])
def test_what_a_shell_reads_is_recognised(source: str) -> None:
    """S19."""
    (problem,) = problems_in(f"cat ${{{source}}}")
    assert f"write $${{{source}}} if a shell is to read it" in problem.message


@pytest.mark.parametrize(
    ("text", "constants"),
    [
        pytest.param("archived ${1} as ${2}", ("1", "2"), id="positional"),
        pytest.param("${'x'}", ("'x'",), id="text"),
        pytest.param("${inputs.a}", (), id="path"),
        pytest.param("$${1}", (), id="escaped"),
    ],
)
def test_constants_are_recognised(text: str, constants: tuple[str, ...]) -> None:
    """S19."""
    template = parse_template(text)
    assert isinstance(template, Template)
    assert template.constants == constants
