"""Strict JSON at the boundaries: what is refused, what is equal."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.protocol import ijson

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-ijson.MAX_SAFE_INTEGER, ijson.MAX_SAFE_INTEGER)
    | st.floats(-1e15, 1e15)
    | st.floats(1e21, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)  # a loaded machine is not an error
@given(values)
def test_the_canonical_form_reads_back_as_an_equal_value(value: Any) -> None:
    assert ijson.parse(ijson.canonical(value)) == value


@settings(deadline=None)
@given(values)
def test_a_digest_survives_a_round_trip(value: Any) -> None:
    assert ijson.digest(ijson.parse(ijson.canonical(value))) == ijson.digest(value)


@settings(deadline=None)
@given(st.binary() | st.text())
def test_parse_gives_a_value_or_an_ijson_error(text: bytes | str) -> None:
    with contextlib.suppress(ijson.IJsonError):
        ijson.check(ijson.parse(text))


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        pytest.param('{"a":1,"a":2}', '$: the key "a" stands twice', id="duplicate-key"),
        pytest.param(
            '{"a":[{"b":1,"b":1}]}', '$.a[0]: the key "b" stands twice', id="duplicate-key-nested"
        ),
        pytest.param("[NaN]", "$[0]: NaN", id="nan"),
        pytest.param("-Infinity", "$: -Infinity", id="infinity"),
        pytest.param("[9007199254740992]", "beyond 2^53", id="big-integer"),
        pytest.param("1e20", "beyond 2^53", id="integral-float"),
        pytest.param('{"a": 1e400}', "$.a: Infinity", id="overflowing-float"),
        pytest.param(b'"\xff"', "not UTF-8", id="not-utf-8"),
        pytest.param('"\\ud800"', "lone surrogate", id="lone-surrogate"),
        pytest.param('"\\uFFFE"', "U+FFFE is not a character", id="noncharacter"),
        pytest.param('"\\uFDD0"', "U+FDD0 is not a character", id="noncharacter-in-the-middle"),
        pytest.param('"\\uD83F\\uDFFF"', "U+1FFFF is not a character", id="of-another-plane"),
        pytest.param("[" * 200 + "]" * 200, "nested deeper", id="deep"),
        pytest.param("[" * 100_000, "$", id="very-deep"),
        pytest.param("9" * 5000, "$", id="endless-integer"),
        pytest.param("", "not JSON", id="empty"),
        pytest.param("{'a': 1}", "not JSON", id="python-literal"),
    ],
)
def test_refused_text(text: bytes | str, fragment: str) -> None:
    with pytest.raises(ijson.IJsonError, match=re.escape(fragment)):
        ijson.parse(text)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        pytest.param({"a b": [float("nan")]}, '$["a b"][0]', id="odd-key"),
        pytest.param({"a\nb": 2**60}, '$["a\\nb"]', id="key-of-two-lines-stays-on-one"),
        pytest.param({"k" * 500: 2**60}, f'$["{"k" * 63}…]', id="long-key-is-shown-short"),
        pytest.param({"a": [0, 2**53]}, "$.a[1]", id="integer"),
        pytest.param({"a": {"b": float("inf")}}, "$.a.b", id="infinity"),
        pytest.param([(1, 2)], "$[0]", id="tuple"),
        pytest.param({"a": {1: 2}}, "$.a", id="key-that-is-no-string"),
        pytest.param({"a": {1, 2}}, "$.a", id="set"),
        pytest.param(["\udc00"], "$[0]", id="surrogate"),
    ],
)
def test_refused_value_is_named_by_path(value: object, path: str) -> None:
    with pytest.raises(ijson.IJsonError) as caught:
        ijson.check(value)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(1.0, 1, id="integral-float: the API server stores 1.0 as 1"),
        pytest.param(-0.0, 0, id="negative-zero"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="key-order"),
        pytest.param(1e3, 1000, id="exponent"),
    ],
)
def test_equal_digests(one: Any, other: Any) -> None:
    assert ijson.digest(one) == ijson.digest(other)


def test_null_and_absent_differ() -> None:
    assert ijson.digest({"a": None}) != ijson.digest({})


@pytest.mark.parametrize(
    ("text", "meant_as_text"),
    [
        pytest.param("deployed v1.2", True, id="prose"),
        pytest.param("", True, id="empty"),
        pytest.param('{"a":1,"a":2}', False, id="duplicate key: JSON, though not I-JSON"),
        pytest.param("12345678901234567890", False, id="unsafe integer: JSON, though not I-JSON"),
    ],
)
def test_what_is_not_json_at_all_is_told_apart(text: str, meant_as_text: bool) -> None:
    with pytest.raises(ijson.IJsonError) as caught:
        ijson.parse(text)
    assert isinstance(caught.value, ijson.NotJsonError) is meant_as_text
