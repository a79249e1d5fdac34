"""Names, labels and annotations that the API server refuses are errors of lint, and no others."""

from typing import Any

import pytest
from waypost.cli.lint.envelope import problems

LONG, SHORT = "a" * 253, "a" * 63


def found(**metadata: Any) -> list[str]:
    value = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow", "metadata": metadata}
    return [problem.field for problem in problems(value)]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"name": LONG}, id="longest-name"),
        pytest.param({"name": "1.a-b.c"}, id="dots"),
        pytest.param({"generateName": "nightly-"}, id="prefix"),
        pytest.param({"generateName": LONG}, id="longest-prefix"),
        pytest.param({"name": "a", "namespace": SHORT}, id="longest-namespace"),
        pytest.param({"name": "a", "labels": {"A_b.c": "1.0_b-C"}}, id="label"),
        pytest.param({"name": "a", "labels": {"x": ""}}, id="empty-label"),
        pytest.param({"name": "a", "labels": {f"example.com/{SHORT}": SHORT}}, id="longest-label"),
        pytest.param(
            {"name": "a", "annotations": {"Example.com/x": "any text ☺"}}, id="annotation"
        ),
    ],
)
def test_accepted(metadata: dict[str, Any]) -> None:
    assert found(**metadata) == []


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        pytest.param({"name": LONG + "a"}, "name", id="long-name"),
        pytest.param({"name": "Nightly"}, "name", id="upper-case"),
        pytest.param({"name": "a..b"}, "name", id="two-dots"),
        pytest.param({"generateName": "Nightly-"}, "generateName", id="prefix-upper-case"),
        pytest.param({"generateName": LONG + "a"}, "generateName", id="long-prefix"),
        pytest.param({"generateName": "a b"}, "generateName", id="prefix-blank"),
        pytest.param({"name": "a", "namespace": "a.b"}, "namespace", id="namespace-dot"),
        pytest.param({"name": "a", "namespace": SHORT + "a"}, "namespace", id="long-namespace"),
        pytest.param({"name": "a", "labels": {"x": "a b"}}, "labels.x", id="label-blank"),
        pytest.param({"name": "a", "labels": {"x": "-a"}}, "labels.x", id="label-begins-with-dash"),
        pytest.param({"name": "a", "labels": {"x": SHORT + "a"}}, "labels.x", id="long-label"),
        pytest.param({"name": "a", "labels": {"a b": "c"}}, "labels.a b", id="key-blank"),
        pytest.param({"name": "a", "labels": {"A.io/x": "c"}}, "labels.A.io/x", id="key-prefix"),
        pytest.param({"name": "a", "labels": {"/x": "c"}}, "labels./x", id="no-prefix"),
        pytest.param(
            {"name": "a", "labels": {SHORT + "a": "c"}}, f"labels.{SHORT}a", id="long-key"
        ),
        pytest.param(
            {"name": "a", "annotations": {"a/b/c": "d"}}, "annotations.a/b/c", id="slashes"
        ),
        pytest.param({"name": "a", "labels": {"x": 3}}, "labels.x", id="label-number"),
    ],
)
def test_refused(metadata: dict[str, Any], field: str) -> None:
    assert found(**metadata) == [f"metadata.{field}"]


def sized(size: int, **metadata: Any) -> dict[str, Any]:
    """A run whose inputs have so many bytes."""
    head = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    return {**head, "metadata": {"name": "a", **metadata}, "spec": {"inputs": {"x": "x" * size}}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(sized(260_000), [], id="fits-into-the-copy-of-kubectl"),
        pytest.param(sized(262_100), ["warning metadata"], id="does-not-fit"),
        pytest.param(sized(0, annotations={"a": "x" * 261_000}), ["warning metadata"], id="both"),
        pytest.param(sized(0, annotations={"a": "x" * 262_144}), ["error metadata.annotations"],
                     id="annotations"),
        pytest.param(sized(0, annotations={"a": "é" * 131_100}), ["error metadata.annotations"],
                     id="annotations-in-bytes"),
        pytest.param({**sized(0), "spec": {"x": "<" * 50_000}}, ["warning metadata"], id="escaped"),
    ],
)  # fmt: skip
def test_what_kubectl_apply_cannot_keep(value: dict[str, Any], expected: list[str]) -> None:
    assert [f"{one.severity} {one.field}" for one in problems(value)] == expected
