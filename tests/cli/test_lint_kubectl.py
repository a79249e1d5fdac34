"""Documents as kubectl divides and reads them: anchors, merges, separators, escapes, JSON.

The values are those that `kubectl annotate --local -o json` of kubectl 1.34 printed for each text.
"""

from typing import Any

import pytest
from waypost.cli.lint.linter import lint
from waypost.cli.lint.manifests import Unreadable, documents

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
OBJECT = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"spec":'


def row(id: str, text: str, *specs: Any) -> Any:
    return pytest.param(text, list(specs), id=id)


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        row("crlf", HEAD.replace("\n", "\r\n") + "spec:\r\n  v: |\r\n    a\r\n", {"v": "a\n"}),
        row("mark-in-front", "\ufeff" + HEAD + "spec: {v: 1}\n", {"v": 1}),
        row(
            "mark-of-the-second",
            f"{HEAD}spec: {{v: 1}}\n---\n\ufeff{HEAD}spec: {{v: 2}}\n",
            {"v": 1},
            {"v": 2},
        ),
        row(
            "comment-after-separator",
            f"{HEAD}spec: {{v: 1}}\n--- # two\n{HEAD}spec: {{v: 2}}\n",
            {"v": 1},
            {"v": 2},
        ),
        row(
            "indented-separator",
            HEAD + "spec:\n  v: |\n    a\n    ---\n    b\n",
            {"v": "a\n---\nb\n"},
        ),
        row("last-line-breaks", HEAD + "spec:\n  v: |+\n    b\n\n", {"v": "b\n\n"}),
        row("line-separator", HEAD + 'spec: {v: "a\\Lb\u2028c"}\n', {"v": "a\u2028b\u2028c"}),
        row("nul", HEAD + 'spec: {v: "a\\0b"}\n', {"v": "a\0b"}),
        row("long-line", HEAD + f"spec:\n  v: {'x' * 200_000}\n", {"v": "x" * 200_000}),
        row(
            "anchor-again",
            HEAD + "spec: {a: &k 1, b: &k 1e3, c: *k}\n",
            {"a": 1, "b": 1000, "c": 1000},
        ),
        row("alias-as-key", HEAD + "spec:\n  a: &k v\n  *k : 3\n", {"a": "v", "v": 3}),
        row(
            "merge-wins-over-keys-before-it",
            HEAD + "spec:\n  a: &a {v: 1}\n  b: {v: 3, <<: *a}\n",
            {"a": {"v": 1}, "b": {"v": 1}},
        ),
        row(
            "keys-win-over-a-merge-before-them",
            HEAD + "spec:\n  a: &a {v: 1}\n  b: {<<: *a, v: 3}\n",
            {"a": {"v": 1}, "b": {"v": 3}},
        ),
        row(
            "first-of-several-merges",
            HEAD + "spec:\n  a: &a {v: 1, x: 1}\n  c: &c {v: 2}\n  b: {<<: [*a, *c]}\n",
            {"a": {"v": 1, "x": 1}, "c": {"v": 2}, "b": {"v": 1, "x": 1}},
        ),
        row("merge-by-tag", HEAD + "spec: {b: {!!merge <<: {v: 1}}}\n", {"b": {"v": 1}}),
        row("merge-of-nothing", HEAD + "spec: {b: {<<: [], v: 3}}\n", {"b": {"v": 3}}),
        row("merge-sign-as-value", HEAD + "spec: {a: <<, b: [<<]}\n", {"a": "<<", "b": ["<<"]}),
        row("slash-in-json", OBJECT + '{"v": "\\/"}}', {"v": "/"}),
        row("half-a-pair", OBJECT + '{"v": "a\\ud800b"}}', {"v": "a\ufffdb"}),
        row("whole-pair", OBJECT + '{"v": "\\ud83d\\ude00"}}', {"v": "\U0001f600"}),
        row(
            "json-then-yaml",
            OBJECT + '{"v": 1}}\n---\n' + HEAD + "spec: {v: yes}\n",
            {"v": 1},
            {"v": True},
        ),
        row(
            "big-numbers",
            OBJECT + '{"v": 12345678901234567890, "w": 1e3}}',
            {"v": 12345678901234567890.0, "w": 1000},
        ),
    ],
)
def test_documents(text: str, specs: list[Any]) -> None:
    assert [document.value["spec"] for document in documents(text)] == specs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "%YAML 1.1\n---\n" + HEAD, "did not find expected <document start>", id="directive"
        ),
        pytest.param(HEAD + "--- {a: b}\n", "4:1: kubectl cannot read this: only a", id="value"),
        pytest.param(HEAD + "---a: 2\n", "4:1: kubectl cannot read this: only a", id="glued"),
        pytest.param(HEAD + "----\n", "4:1: kubectl cannot read this: only a", id="four"),
        pytest.param(HEAD + "...\n" + HEAD, "5:1: not YAML: ", id="after-the-end"),
        pytest.param(
            HEAD + "---\n\n" + HEAD + "spec: {v: 'a\n",
            "10:1: not YAML: found unexpected end of stream",
            id="place-in-the-file",
        ),
        pytest.param(HEAD + "spec: {<<: 3}\n", "4:12: kubectl cannot read", id="merge-number"),
        pytest.param(HEAD + "spec: {<<: ~}\n", "4:12: kubectl cannot read", id="merge-null"),
        pytest.param(HEAD + "spec: {<<: [[{v: 1}]]}\n", "4:13: kubectl", id="merge-nested"),
        pytest.param(HEAD + 'spec: {v: "a\\/b"}\n', "4:11: kubectl cannot read", id="slash"),
        pytest.param(HEAD + 'spec: {ü: "ü", v: "\\/"}\n', "4:19: kubectl", id="slash-after-umlaut"),
        pytest.param(HEAD + "spec: {v: !!int 3.0}\n", "4:11: kubectl cannot read", id="int-float"),
        pytest.param(HEAD + "spec: {v: !!int 1e3}\n", "4:11: kubectl cannot read", id="int-1e3"),
        pytest.param(OBJECT + '{"v": 1E400}}', "kubectl cannot read this: the number", id="1e400"),
        pytest.param("- a\n", "1:1: kubectl cannot read this: expected an object", id="list"),
        pytest.param("hello\n", "expected an object, found 'hello'", id="text"),
    ],
)
def test_what_kubectl_refuses_is_unreadable(text: str, message: str) -> None:
    with pytest.raises(Unreadable) as refused:
        list(documents(text))
    assert message in str(refused.value)


def test_a_backslash_before_a_slash_is_no_escape() -> None:
    (document,) = documents(HEAD + 'spec: {v: "a\\\\/b"}\n')
    assert document.value["spec"] == {"v": "a\\/b"}


def test_items_have_the_kind_of_their_list() -> None:
    text = "apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: x}}, {kind: Job}]\n"
    assert [one.value["kind"] for one in documents(text)] == ["Pod", "Job"]


def test_a_list_without_items_has_no_objects() -> None:
    assert list(documents("apiVersion: v1\nkind: List\nitems:\n")) == []


def test_a_merge_that_replaces_keys_is_remarked() -> None:
    head = "apiVersion: waypost.dev/v1alpha1\nkind: AgentWorkflow\nmetadata: {name: x}\n"
    nodes = "  - &a {name: a, wait: {duration: 1s}}\n  - {name: b, <<: *a}\n"
    text = f"{head}spec:\n  nodes:\n{nodes}"
    (document,) = documents(text)
    (remark,) = [one for one in lint("x", document) if "<<" in one.message]
    assert (remark.place.line, remark.severity) == (7, "warning")
    assert "(name)" in remark.message
