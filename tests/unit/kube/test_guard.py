"""S604: which policy counts as in force: that of the chart, and what others make of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from waypost.kube.admission.guard import Guard, guard_of
from waypost.kube.timestamps import timestamp

from tests.support.guarding import NAME, binding, policy

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SERVED = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team", "other"]}


def stored(body: Any, uid: str, *, age: float = 60.0, **metadata: Any) -> Any:
    made = timestamp(NOW - timedelta(seconds=age))
    known = {"uid": uid, "generation": 1, "creationTimestamp": made, **metadata}
    return {**body, "metadata": {**body["metadata"], **known}}


def look(policy_: Any, binding_: Any) -> Guard:
    return guard_of(NAME, policy_, binding_, namespace="team", now=NOW)


P, B = stored(policy(), "p"), stored(binding(), "b")


def bound(**spec: Any) -> Any:
    return stored(binding(**spec), "b")


def ruled(**spec: Any) -> Any:
    return stored({**policy(), "spec": {**policy()["spec"], **spec}}, "p")


def selected(*expressions: Any, **more: Any) -> Any:
    return bound(matchResources={"namespaceSelector": {"matchExpressions": [*expressions]}, **more})


IN_FORCE = [
    pytest.param(B, id="everywhere"),
    pytest.param(selected(SERVED), id="this-namespace"),
    pytest.param(selected(SERVED, matchPolicy="Equivalent"), id="defaulted"),
    pytest.param(bound(matchResources={"namespaceSelector": {}}), id="empty-selector"),
]


@pytest.mark.parametrize("binding_", IN_FORCE)
def test_s604_it_is_in_force(binding_: Any) -> None:
    assert look(P, binding_) == Guard(seal="p.1.b.1")


NOT = [
    pytest.param(None, B, "ValidatingAdmissionPolicy waypost-approvals does not", id="no-policy"),
    pytest.param(P, None, "PolicyBinding waypost-approvals does not exist", id="no-binding"),
    pytest.param(stored(policy(), "p", deletionTimestamp="x"), B, "being deleted", id="deleting"),
    pytest.param(ruled(failurePolicy="Ignore"), B, "does not check all answers", id="ignores"),
    pytest.param(ruled(validations=[]), B, "does not check all answers", id="empty"),
    pytest.param(ruled(matchConstraints={}), B, "does not check all answers", id="elsewhere"),
    pytest.param(P, bound(validationActions=["Audit"]), "does not deny", id="audits"),
    pytest.param(P, bound(policyName="other"), "does not deny", id="of-another"),
    pytest.param(
        P, selected({**SERVED, "values": ["other"]}), "does not cover namespace team", id="others"
    ),
    pytest.param(
        P, selected({**SERVED, "operator": "NotIn"}), "does not cover", id="unknown-selector"
    ),
    pytest.param(P, selected(SERVED, SERVED), "does not cover", id="two-expressions"),
    pytest.param(
        P, bound(matchResources={"objectSelector": {"a": 1}}), "does not cover", id="objects"
    ),
]


@pytest.mark.parametrize(("policy_", "binding_", "says"), NOT)
def test_s604_it_is_not_in_force(policy_: Any, binding_: Any, says: str) -> None:
    found = look(policy_, binding_)
    assert found.seal == ""
    assert says in found.problem


@pytest.mark.parametrize(
    ("policy_", "binding_"),
    [
        pytest.param(stored(policy(), "q"), B, id="policy-replaced"),
        pytest.param(stored(policy(), "p", generation=2), B, id="policy-changed"),
        pytest.param(P, stored(binding(), "c"), id="binding-replaced"),
        pytest.param(P, stored(binding(), "b", generation=3), id="binding-changed"),
    ],
)
def test_s604_a_change_has_another_mark(policy_: Any, binding_: Any) -> None:
    found = look(policy_, binding_)
    assert found.seal
    assert found.seal != look(P, B).seal


RECENT = [
    pytest.param(stored(policy(), "p", age=9), B, id="a-new-policy"),
    pytest.param(P, stored(binding(), "b", age=9), id="a-new-binding"),
    pytest.param(
        P, stored(binding(), "b", managedFields=[{"time": timestamp(NOW)}]), id="just-changed"
    ),
]


@pytest.mark.parametrize(("policy_", "binding_"), RECENT)
def test_s604_a_policy_that_was_just_changed_is_not_counted_on_for_a_question(
    policy_: Any, binding_: Any
) -> None:
    assert look(policy_, binding_) == Guard(seal="p.1.b.1", recent=True)
