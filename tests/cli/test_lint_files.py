"""Files that hold more than one YAML object: lists, several documents, JSON; and keys."""

from typing import Any

import pytest
from waypost.cli.lint.linter import lint
from waypost.cli.lint.manifests import Document, Unreadable, documents

HEAD = "apiVersion: waypost.dev/v1alpha1\nkind: AgentWorkflow\nmetadata: {name: x}\n"
LIST = """\
apiVersion: v1
kind: List
items:
- apiVersion: waypost.dev/v1alpha1
  kind: AgentWorkflow
  metadata: {name: a}
  spec:
    parallelism: yes
- {apiVersion: v1, kind: Pod}
- apiVersion: waypost.dev/v1alpha1
  kind: AgentWorkflowList
  items:
  - apiVersion: waypost.dev/v1alpha1
    kind: AgentWorkflow
    metadata: {name: b}
    spec: {parallelism: 0}
"""
JSON = """\
{
\t"apiVersion": "waypost.dev/v1alpha1",
\t"kind": "AgentWorkflow",
\t"metadata": {"name": "x"},
\t"spec": {"parallelism": 1e3, "inputs": {"face": "\\ud83d\\ude00", "slash": "\\/"}}
}
"""


def read(text: str) -> list[Document]:
    return list(documents(text))


def places(text: str) -> list[tuple[str, int]]:
    """Field and line of everything that lint finds about the parallelism."""
    found = [one for document in read(text) for one in lint("x", document)]
    return [(f"{one.name}.{one.field}", one.place.line) for one in found if "para" in one.field]


def test_items_of_lists_are_objects_of_their_own() -> None:
    assert [document.value["kind"] for document in read(LIST)] == [
        *("AgentWorkflow", "Pod", "AgentWorkflow")
    ]
    assert places(LIST) == [
        ("a.parallelism", 8),  # a boolean is no integer
        ("a.parallelism", 8),  # and what YAML made of it
        ("b.parallelism", 16),
    ]


def test_json_with_a_key_that_no_yaml_has() -> None:
    """S783: kubectl reads it. Lint knows the place of the object alone."""
    long = f'"{"k" * 1100}": 1'
    (document,) = read(JSON.replace('"inputs": {', f'"inputs": {{{long}, '))
    assert document.value["spec"]["inputs"]["k" * 1100] == 1
    assert document.place_of("spec.parallelism").line == 1


def test_an_unknown_field_without_a_name() -> None:
    """S783"""
    (document,) = read(HEAD + 'spec: {nodes: []}\n"": 1\n')
    messages = [one.message for one in lint("x", document) if "unknown field" in one.message]
    assert messages
    assert messages[0].startswith('unknown field "" in the object')


def test_a_field_called_items_is_no_list() -> None:
    (document,) = read(HEAD + "spec: {nodes: []}\nitems: [{}]\n")
    assert document.value["kind"] == "AgentWorkflow"


def test_json() -> None:
    (document,) = read(JSON)
    assert document.value["spec"] == {
        "parallelism": 1000,
        "inputs": {"face": "\U0001f600", "slash": "/"},
    }
    assert document.remarks == [], "1e3 is a number in JSON"
    assert places(JSON) == [("x.parallelism", 5)]


def test_several_json_objects() -> None:
    first, second = read(JSON + JSON)
    assert first.value == second.value
    assert second.place_of("kind").line == first.place_of("kind").line + JSON.count("\n")


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1,}', "{a: 1}"])
def test_what_is_not_json_is_read_as_yaml(text: str) -> None:
    assert len(read(text)) == 1


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    (document,) = read("\ufeff" + HEAD)
    assert document.value["kind"] == "AgentWorkflow"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("010: a", {"8": "a"}, id="octal"),
        pytest.param("1e3: a", {"1000": "a"}, id="exponent"),
        pytest.param("1.5: a", {"1.5": "a"}, id="fraction"),
        pytest.param("yes: a", {"true": "a"}, id="boolean"),
        pytest.param("'yes': a", {"yes": "a"}, id="quoted"),
        pytest.param("2026-11-24: a", {"2026-11-24": "a"}, id="date"),
        pytest.param("<<: [{a: 1}, {a: 2, c: 3}]\nc: 4", {"a": 1, "c": 4}, id="merged"),
        pytest.param('"<<": {a: 1}', {"<<": {"a": 1}}, id="not-merged"),
    ],
)
def test_keys_are_those_of_kubectl(text: str, value: Any) -> None:
    (document,) = read(text)
    assert document.value == value


@pytest.mark.parametrize("text", ["~: a", "? [a]\n: b"])
def test_keys_that_kubectl_refuses(text: str) -> None:
    (document,) = read(text)
    assert [remark.message for remark in document.remarks] == ["a key must be text"]


def test_too_deep() -> None:
    with pytest.raises(Unreadable, match="too deep"):
        read('{"a": ' + "[" * 300 + "]" * 300 + "}")
