"""The expressions of the admission policies use nothing that the oldest supported Kubernetes lacks.

The tests run one version of the API server. This table has the version in which the environment of
an API server (`pkg/cel/environment/base.go` of k8s.io/apiserver) got each function and operator.
It does not show what an older version says of types or costs.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from tests.charts.conftest import CHART, Helm, Manifest

pytestmark = pytest.mark.chart

_LANGUAGE: Final = ("all", "exists", "filter", "has", "size", "startsWith")
# What is not in this table, no policy may use before it is looked up.
SINCE: Final[dict[str, tuple[int, int]]] = {
    **dict.fromkeys(_LANGUAGE, (1, 25)),  # the language itself
    "join": (1, 25),  # strings, version 0
    **dict.fromkeys(("group", "resource", "namespace", "name", "check", "allowed"), (1, 27)),
    **dict.fromkeys((".?", "[?", "orValue", "hasValue"), (1, 28)),  # optional types; 1.29 as stable
}
_TEXT: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_USED: Final = re.compile(r"\b([A-Za-z_][A-Za-z0-9_.]*)\(|(\.\?|\[\?)")
ALL: Final = (
    "policies.bounds=true",
    "archive.enabled=true",
    'approvals.mode="Strict"',
    'identity.stamp="Policy"',
)
MUTATING: Final = "--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"


def expressions(value: Any) -> Iterator[str]:
    """All expressions of a policy, and of its messages."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("expression", "messageExpression"):
                yield each
            else:
                yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)


def used(expression: str) -> set[str]:
    """The functions and operators of optional types in an expression."""
    bare = _TEXT.sub('""', expression)
    return {(name.rpartition(".")[2] if name else mark) for name, mark in _USED.findall(bare)}


@pytest.fixture(scope="module")
def policies(helm: Helm) -> list[Manifest]:
    made = helm.manifests(*ALL, arguments=(MUTATING,))
    return [one for one in made if one["kind"].endswith("AdmissionPolicy")]


def test_each_policy_is_looked_at(policies: list[Manifest]) -> None:
    assert len(policies) >= 15
    assert all(list(expressions(policy)) for policy in policies)
    assert sum(len(list(expressions(policy))) for policy in policies) > 100


def test_the_oldest_kubernetes_has_all_of_it(policies: list[Manifest]) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    found = re.fullmatch(r">=(\d+)\.(\d+)\.0-0", chart["kubeVersion"])
    assert found is not None
    oldest = (int(found[1]), int(found[2]))
    for policy in policies:
        for name in (name for text in expressions(policy) for name in used(text)):
            place = f"{name} in {policy['metadata']['name']}"
            assert name in SINCE, f"{place}: which version has it first?"
            assert SINCE[name] <= oldest, place


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("object.spec.?a.orValue('ip(x)')", {".?", "orValue"}),
        ("ip(request.x) && sets.contains(a, b)", {"ip", "contains"}),
        ("a[?'b'].hasValue() && m.transformMap(k, v, v)", {"[?", "hasValue", "transformMap"}),
    ],
    ids=["texts-are-not-read", "functions", "operators"],
)
def test_what_an_expression_uses(expression: str, names: set[str]) -> None:
    assert used(expression) == names
