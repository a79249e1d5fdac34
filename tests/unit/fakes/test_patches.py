"""Patches as RFC 6902, RFC 7386 and the API server have them."""

from typing import Any

import pytest
from waypost.ports.cluster import Obj, PatchType, Rejected

from tests.fakes.api.patches import apply

BODY: Obj = {"metadata": {"name": "x"}, "a": {"b": [1, 2, 3], "c/d": 1, "e~f": 2}, "n": None}

JSON = [
    pytest.param({"op": "add", "path": "/new", "value": 1}, ("new",), 1, id="add"),
    pytest.param({"op": "add", "path": "/a/b", "value": 9}, ("a", "b"), 9, id="add-replaces"),
    pytest.param(
        {"op": "add", "path": "/a/b/1", "value": 9}, ("a", "b"), [1, 9, 2, 3], id="insert"
    ),
    pytest.param(
        {"op": "add", "path": "/a/b/-", "value": 9}, ("a", "b"), [1, 2, 3, 9], id="append"
    ),
    pytest.param(
        {"op": "add", "path": "/a/b/3", "value": 9}, ("a", "b"), [1, 2, 3, 9], id="at-end"
    ),
    pytest.param({"op": "add", "path": "/k", "value": None}, ("k",), None, id="null-is-kept"),
    pytest.param(
        {"op": "add", "path": "/k", "value": [{"y": None}]}, ("k",), [{"y": None}], id="deep"
    ),
    pytest.param({"op": "remove", "path": "/a/b/0"}, ("a", "b"), [2, 3], id="remove-item"),
    pytest.param(
        {"op": "replace", "path": "/a/b/2", "value": 9}, ("a", "b"), [1, 2, 9], id="replace"
    ),
    pytest.param({"op": "replace", "path": "/a/c~1d", "value": 9}, ("a", "c/d"), 9, id="slash"),
    pytest.param({"op": "replace", "path": "/a/e~0f", "value": 9}, ("a", "e~f"), 9, id="tilde"),
    pytest.param({"op": "move", "from": "/a/b/0", "path": "/m"}, ("m",), 1, id="move"),
    pytest.param({"op": "copy", "from": "/a/b", "path": "/m"}, ("m",), [1, 2, 3], id="copy"),
    pytest.param({"op": "test", "path": "/a/b/0", "value": 1.0}, ("a", "b"), [1, 2, 3], id="test"),
]


@pytest.mark.parametrize(("operation", "place", "expected"), JSON)
def test_json_patch(operation: Obj, place: tuple[str, ...], expected: Any) -> None:
    value: Any = apply(BODY, [operation], PatchType.JSON)
    for key in place:
        value = value[key]
    assert value == expected


REFUSED = [
    pytest.param({"op": "remove", "path": "/nope"}, id="remove-absent"),
    pytest.param({"op": "replace", "path": "/nope", "value": 1}, id="replace-absent"),
    pytest.param({"op": "add", "path": "/no/pe", "value": 1}, id="parent-absent"),
    pytest.param({"op": "add", "path": "/a/b/4", "value": 1}, id="beyond-the-end"),
    pytest.param({"op": "replace", "path": "/a/b/3", "value": 1}, id="replace-beyond"),
    pytest.param({"op": "replace", "path": "/a/b/01", "value": 1}, id="leading-zero"),
    pytest.param({"op": "replace", "path": "/a/b/-1", "value": 1}, id="negative-index"),
    pytest.param({"op": "add", "path": "/metadata/name/x", "value": 1}, id="into-a-string"),
    pytest.param({"op": "add", "path": "a", "value": 1}, id="no-pointer"),
    pytest.param({"op": "test", "path": "/a/b/0", "value": True}, id="true-is-not-one"),
    pytest.param({"op": "test", "path": "/a/b", "value": [1, 2]}, id="test-shorter"),
    pytest.param({"op": "test", "path": "/nope", "value": 1}, id="test-absent"),
    pytest.param({"op": "frob", "path": "/a"}, id="unknown-operation"),
]


@pytest.mark.parametrize("operation", REFUSED)
def test_json_patch_refuses(operation: Obj) -> None:
    with pytest.raises(Rejected) as caught:
        apply(BODY, [operation], PatchType.JSON)
    assert caught.value.code == 422


MERGE = [
    pytest.param({"a": None}, {"n": None, "metadata": {"name": "x"}}, id="null-removes"),
    pytest.param(
        {"a": {"b": None, "x": {"y": None, "z": 1}}},
        {**BODY, "a": {"c/d": 1, "e~f": 2, "x": {"z": 1}}},
        id="nulls-in-new-maps-vanish",
    ),
    pytest.param(
        {"a": [{"y": None, "z": 1}, None]}, {**BODY, "a": [{"z": 1}, None]}, id="and-inside-lists"
    ),
    pytest.param({"a": {"b": [4]}}, {**BODY, "a": {**BODY["a"], "b": [4]}}, id="lists-replaced"),
    pytest.param({"n": {"k": 1}}, {**BODY, "n": {"k": 1}}, id="a-map-over-a-scalar"),
]


@pytest.mark.parametrize(("patch", "expected"), MERGE)
def test_merge_patch(patch: Obj, expected: Obj) -> None:
    assert apply(BODY, patch, PatchType.MERGE) == expected


def test_the_body_stays_as_it_was() -> None:
    before = {"metadata": {"finalizers": ["a/b"]}, "spec": {"list": [{"k": 1}]}}
    for patch, kind in (
        ([{"op": "add", "path": "/spec/list/0/k", "value": 2}], PatchType.JSON),
        ({"spec": {"list": None}}, PatchType.MERGE),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]}}, PatchType.STRATEGIC),
    ):
        apply(before, patch, kind)
    assert before == {"metadata": {"finalizers": ["a/b"]}, "spec": {"list": [{"k": 1}]}}


def test_a_patch_is_copied_in() -> None:
    value = {"deep": [1]}
    result = apply(BODY, [{"op": "add", "path": "/k", "value": value}], PatchType.JSON)
    value["deep"].append(2)
    assert result["k"] == {"deep": [1]}


STRATEGIC = [
    pytest.param({"spec": {"containers": [{"name": "a"}]}}, id="a-list"),
    pytest.param({"metadata": {"$setElementOrder/finalizers": []}}, id="another-directive"),
    pytest.param({"$patch": "replace"}, id="patch-directive"),
]


@pytest.mark.parametrize("patch", STRATEGIC)
def test_strategic_merge_is_not_pretended(patch: Obj) -> None:
    with pytest.raises(NotImplementedError):
        apply(BODY, patch, PatchType.STRATEGIC)


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        pytest.param({"op": "add"}, PatchType.JSON, id="json-patch-is-a-list"),
        pytest.param([], PatchType.MERGE, id="merge-patch-is-an-object"),
    ],
)
def test_another_formats_body_is_refused(patch: Any, kind: PatchType) -> None:
    with pytest.raises(Rejected) as caught:
        apply(BODY, patch, kind)
    assert caught.value.code == 400
