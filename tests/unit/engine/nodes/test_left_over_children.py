"""Child runs that no node waits for: which ones are cancelled, and what they are asked (S213)."""

from typing import Any

import pytest
from waypost.api.state.child import ChildStatus
from waypost.engine.state.decision import PatchChild
from waypost.kube.facts.children import ChildFact, Requests

from tests.support.builders import NOW, SETTINGS, node_status, observed, python, spec, status
from tests.support.passes import decide

CALLS = {"name": "check", "workflow": {"templateRef": {"name": "review"}}}


def left(**fields: Any) -> ChildFact:
    """A child run that runs."""
    fact: dict[str, Any] = {
        "name": "run-check", "uid": "child", "owner_uid": "parent", "resource_version": "1",
        "path": "check", "template": "review", "inputs_digest": "", "phase": "Running",
    }  # fmt: skip
    return ChildFact(**{**fact, **fields})


def asked(fact: ChildFact, reason: str, **fields: Any) -> Any:
    """What a pass writes into `spec.parent` of this child run; None if nothing."""
    mine = ChildStatus(name=fact.name, uid=fact.uid, generation=1, round=1)
    node = node_status("check", "Failed", reason=reason, child=mine)
    other = python("a")
    seen = observed(
        spec(CALLS, other, **fields),
        status=status(node, node_status("a", "Pending")),
        children={fact.name: fact},
    )
    found = [one for one in decide(seen, NOW, SETTINGS).after if isinstance(one, PatchChild)]
    return found[0].body["spec"]["parent"] if found else None


@pytest.mark.parametrize(
    ("reason", "fields", "wanted"),
    [
        pytest.param("ChildDeleted", {}, {"cancel": True}, id="seen again"),
        pytest.param("LaunchRejected", {}, {"cancel": True}, id="created after all"),
        pytest.param("ChildDeleted", {"deleting": True}, None, id="being deleted"),
        pytest.param("LaunchRejected", {"finished": True}, None, id="has ended"),
        pytest.param("ChildFailed", {}, None, id="a person has begun a round of it"),
    ],
)
def test_s213_an_unfinished_child_of_a_node_that_ended_without_it_is_cancelled(
    reason: str, fields: dict[str, Any], wanted: Any
) -> None:
    assert asked(left(**fields), reason) == wanted


@pytest.mark.parametrize(
    ("run", "has", "wanted"),
    [
        pytest.param(
            {}, Requests(cancel=True, suspend=True), {"suspend": None}, id="the parent continues"
        ),
        pytest.param(
            {"suspend": True}, Requests(cancel=True), {"suspend": True}, id="it is suspended"
        ),
        pytest.param(
            {"cancel": True, "skipFinally": True},
            Requests(cancel=True),
            {"skipFinally": True},
            id="finally is skipped later",
        ),
        pytest.param({}, Requests(cancel=True), None, id="it has all of it"),
    ],
)
def test_s213_a_left_over_child_is_asked_what_its_parent_says_now(
    run: dict[str, Any], has: Requests, wanted: Any
) -> None:
    assert asked(left(requests=has), "ChildDeleted", **run) == wanted
