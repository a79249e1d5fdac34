"""`identity.stamp` and `approvals.mode`: what is installed, and which combinations are refused."""

import pytest

from tests.charts.conftest import Helm, Manifest, one
from tests.charts.test_render import environment

pytestmark = pytest.mark.chart

_SERVED = "--api-versions=admissionregistration.k8s.io/{}/MutatingAdmissionPolicy"
STAMPS = {"wp-waypost-stamp-runs", "wp-waypost-stamp-schedules", "wp-waypost-stamp-approvals"}


def stamps(manifests: list[Manifest]) -> set[tuple[str, str, str]]:
    """API version, kind and name of what fills in names."""
    return {
        (m["apiVersion"], m["kind"], m["metadata"]["name"])
        for m in manifests
        if m["kind"].startswith("MutatingAdmissionPolicy")
    }


@pytest.mark.parametrize("stamp", ["Auto", "Policy"])
@pytest.mark.parametrize(
    ("served", "version"),
    [
        pytest.param(("v1beta1",), "v1beta1", id="1.34"),
        pytest.param(("v1", "v1beta1"), "v1", id="1.36"),
    ],
)
def test_s602_names_are_filled_in_where_that_is_served(
    helm: Helm, stamp: str, served: tuple[str, ...], version: str
) -> None:
    arguments = tuple(_SERVED.format(one_) for one_ in served)
    found = stamps(helm.manifests(f'identity.stamp="{stamp}"', arguments=arguments))
    api = f"admissionregistration.k8s.io/{version}"
    kinds = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
    assert found == {(api, kind, name) for kind in kinds for name in STAMPS}


@pytest.mark.parametrize(
    ("sets", "served"),
    [
        pytest.param((), "", id="not-served"),
        pytest.param(('identity.stamp="None"',), "v1", id="none"),
        pytest.param(("policies.admission=false",), "v1", id="without-the-policies"),
    ],
)
def test_s602_otherwise_nothing_fills_in_names(
    helm: Helm, sets: tuple[str, ...], served: str
) -> None:
    arguments = (_SERVED.format(served),) if served else ()
    assert stamps(helm.manifests(*sets, arguments=arguments)) == set()


def test_s602_the_stamp_covers_the_namespaces_that_are_served(helm: Helm) -> None:
    manifests = helm.manifests('watchNamespaces=["a"]', arguments=(_SERVED.format("v1"),))
    for name in STAMPS:
        spec = one(manifests, "MutatingAdmissionPolicyBinding", name)["spec"]
        (found,) = spec["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert found["values"] == ["a"]
        assert "validationActions" not in spec


REFUSED = [
    pytest.param('identity.stamp="Webhook"', "Webhook is not implemented yet", id="webhook"),
    pytest.param('identity.stamp="Policy"', "needs an API server that serves", id="not-served"),
    pytest.param('identity.stamp="Always"', "identity", id="unknown"),
    pytest.param('approvals.mode="Open"', "approvals", id="unknown-mode"),
]


@pytest.mark.parametrize(("value", "says"), REFUSED)
def test_what_cannot_be_is_refused(helm: Helm, value: str, says: str) -> None:
    done = helm.try_template(value)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize(
    "value", ['identity.stamp="Policy"', 'approvals.mode="Strict"'], ids=["stamp", "strict"]
)
def test_without_the_policies_names_prove_nothing(helm: Helm, value: str) -> None:
    done = helm.try_template(value, "policies.admission=false")
    assert "needs policies.admission=true" in done.stderr


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        pytest.param((), ("wp-waypost-approvals", "false"), id="default"),
        pytest.param(('approvals.mode="Strict"',), ("wp-waypost-approvals", "true"), id="strict"),
        pytest.param(("policies.admission=false",), (None, None), id="without-policies"),
    ],
)
def test_s604_the_operator_gets_the_name_of_the_policy(
    helm: Helm, sets: tuple[str, ...], expected: tuple[str | None, str | None]
) -> None:
    manifests = helm.manifests(*sets)
    found = environment(one(manifests, "Deployment", "wp-waypost"))
    names = ("WAYPOST_APPROVALS_POLICY", "WAYPOST_APPROVALS_STRICT")
    assert tuple(found.get(name) for name in names) == expected
    if expected[0] is not None:
        one(manifests, "ValidatingAdmissionPolicy", expected[0])
        one(manifests, "ValidatingAdmissionPolicyBinding", expected[0])
