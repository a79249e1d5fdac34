"""Who may say what later runs read, and in whose name."""

import itertools
from typing import Any

import pytest

from tests.admission.conftest import Guarded, wait_until
from tests.admission.people import Obj, Person, Place, binding, role
from tests.crds.memory import entry

pytestmark = [pytest.mark.real_api, pytest.mark.usefixtures("no_operator")]

REVA = Person("reva")  # bound to the role memory-reviewer
KAY = Person("kay")  # bound to the role memory-keeper
PAM = Person("pam")  # may create and patch entries, without the verb review
EDDA = Person("edda")  # bound to the role edit
NO_RIGHT = "has no right to say what later runs read: a RoleBinding to the role "
NAME = "decidedBy is bob, but it must be your own name: reva"
FORBIDDEN = "cannot {verb} resource"  # the words of RBAC

_numbers = itertools.count()


@pytest.fixture(scope="module")
def place(guarded: Guarded) -> Place:
    """The namespace, with the bindings of these tests."""
    inside, full = guarded.inside, guarded.operator.name.rpartition(":")[2]
    verbs = ["get", "create", "patch"]
    inside.must(inside.create("roles", role("memory", "waypost.dev", ["memoryentries"], verbs)))
    for name, to, person in (
        ("memory-reviewers", ("ClusterRole", f"{full}-memory-reviewer"), REVA),
        ("memory-keepers", ("ClusterRole", f"{full}-memory-keeper"), KAY),
        ("memory-patchers", ("Role", "memory"), PAM),
        ("memory-editors", ("ClusterRole", f"{full}-edit"), EDDA),
    ):
        inside.must(inside.create("rolebindings", binding(name, to, person)))
    wait_until(
        lambda: NO_RIGHT in inside.create("memoryentries", entry(), by=PAM, dry=True).text,
        "the policy of memory holds",
    )
    return inside


def stored(place: Place, **spec: Any) -> str:
    """The name of a new entry."""
    name = f"entry-{next(_numbers)}"
    place.must(place.create("memoryentries", entry(name=name, **spec)))
    return name


def decision(by: str, word: str = "Accepted") -> Obj:
    return {"spec": {"decision": word, "decidedBy": by, "note": "seen"}}


@pytest.mark.parametrize(
    ("person", "body", "says"),
    [
        pytest.param(REVA, decision("reva"), "", id="reviewer"),
        pytest.param(KAY, decision("kay"), "", id="keeper"),
        pytest.param(REVA, decision("bob"), NAME, id="in-the-name-of-another"),
        pytest.param(PAM, decision("pam"), NO_RIGHT, id="patch-alone"),
        pytest.param(PAM, {"spec": {"note": "x"}}, NO_RIGHT, id="note-alone"),
        pytest.param(EDDA, decision("edda"), FORBIDDEN.format(verb="patch"), id="editor"),
        pytest.param(
            REVA, {"metadata": {"labels": {"waypost.dev/memory": "x"}}}, "labels", id="labels"
        ),
        pytest.param(PAM, {"metadata": {"annotations": {"team": "x"}}}, "", id="annotation"),
        pytest.param(
            REVA, {"spec": {"value": {"text": "x"}}}, "what was remembered cannot", id="value"
        ),
    ],
)
def test_s682_who_decides(place: Place, person: Person, body: Obj, says: str) -> None:
    said = place.patch("memoryentries", stored(place), body, by=person)
    assert said.refused == bool(says), said.text
    assert says in said.text


def test_s682_another_reviewer_may_change_a_decision(place: Place) -> None:
    name = stored(place, decision="Accepted", decidedBy="bob")
    changed = place.must(place.patch("memoryentries", name, decision("reva", "Rejected"), by=REVA))
    assert (changed["spec"]["decision"], changed["spec"]["decidedBy"]) == ("Rejected", "reva")


@pytest.mark.parametrize(
    ("person", "spec", "says"),
    [
        pytest.param(KAY, {}, "", id="keeper"),
        pytest.param(KAY, {"decision": "Accepted", "decidedBy": "bob"}, "", id="import"),
        pytest.param(PAM, {}, NO_RIGHT, id="create-alone"),
        pytest.param(PAM, {"review": "Automatic"}, NO_RIGHT, id="automatic"),
        pytest.param(REVA, {}, FORBIDDEN.format(verb="create"), id="reviewer"),
        pytest.param(EDDA, {}, FORBIDDEN.format(verb="create"), id="editor"),
    ],
)
def test_s682_who_creates(place: Place, person: Person, spec: Obj, says: str) -> None:
    said = place.create("memoryentries", entry(**spec), by=person, dry=True)
    assert said.refused == bool(says), said.text
    assert says in said.text


def test_s682_the_operator_creates_and_does_not_decide(guarded: Guarded, place: Place) -> None:
    ours = guarded.operator
    name = f"entry-{next(_numbers)}"
    place.must(place.create("memoryentries", entry(name=name), by=ours))
    alone = {"spec": {"decision": "Accepted"}}
    assert "cannot patch resource" in place.patch("memoryentries", name, alone, by=ours).text
    status = {"status": {"phase": "Proposed", "reason": "ReviewRequired"}}
    place.must(place.patch("memoryentries", name, status, by=ours, sub="status"))
    said = place.create("memoryentries", entry(decision="Accepted"), by=ours, dry=True)
    assert "decision and decidedBy belong together" in said.text


def test_s682_only_our_account_writes_statuses(place: Place) -> None:
    """With `policies.bounds`, which these tests install."""
    said = place.patch(
        "memoryentries", stored(place), {"status": {"phase": "Active"}}, sub="status"
    )
    assert "only the accounts of Waypost write results and statuses" in said.text


@pytest.mark.parametrize(
    ("person", "says"),
    [(KAY, ""), (REVA, "cannot delete"), (EDDA, "cannot delete"), (PAM, "cannot delete")],
)
def test_s682_who_deletes(place: Place, person: Person, says: str) -> None:
    said = place.delete("memoryentries", stored(place), by=person)
    assert said.refused == bool(says), said.text
    assert says in said.text
