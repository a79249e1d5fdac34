"""Who may do what to an Approval: the identity matrix, one test for each cell.

Columns: R started the run, A is an approver by name, U may only patch, G is an approver by group,
N is the account of a node's pod, O the operator.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.admission.conftest import ADAM, ANN, GIL, GUS, RITA, UMA, Guarded
from tests.admission.people import Obj, Person
from tests.crds.manifests import approval, workflow
from tests.crds.server import Said

pytestmark = [pytest.mark.real_api, pytest.mark.usefixtures("no_operator")]

_numbers = itertools.count()
APPROVERS = {"users": ["ann"], "groups": ["release-managers"]}
FORBIDDEN = "cannot patch resource"  # the words of RBAC
STARTED = "you started this run or its round (rita), so another approver must answer"
NOT_NAMED = "uma is not among the approvers: users ann; groups release-managers"


def answer(by: Person, decision: str = "Approved", **fields: object) -> Obj:
    """A patch with a decision in one's own name."""
    return {"spec": {"decision": decision, "decidedBy": by.name, **fields}}


@dataclass(frozen=True)
class Row:
    """A request, and what each person who sends it reads; "" is a success."""

    name: str
    body: Callable[[Person], Obj]
    says: dict[str, str]
    asked: Obj = field(default_factory=dict)  # fields of the question
    decided_by: Person | None = None
    recorded: bool = False
    sub: str = ""


DECIDED = "decided by ann, who alone can change the decision until the operator has recorded it"
ROWS = [
    Row(
        "approve",
        answer,
        {"R": STARTED, "A": "", "U": NOT_NAMED, "G": "", "N": FORBIDDEN, "O": FORBIDDEN},
    ),
    Row(
        "deny",
        lambda by: answer(by, "Denied"),
        {"R": STARTED, "A": "", "U": NOT_NAMED, "G": "", "N": FORBIDDEN, "O": FORBIDDEN},
    ),
    Row(
        "change-a-decision",
        lambda by: answer(by, "Denied"),
        {"R": DECIDED, "A": "", "U": DECIDED, "G": DECIDED, "N": FORBIDDEN, "O": FORBIDDEN},
        decided_by=ANN,
    ),
    Row(
        "change-after-recording",
        lambda by: answer(by, "Denied", reason="no"),
        {
            **dict.fromkeys("RAUG", "its spec can no longer change"),
            **dict.fromkeys("NO", FORBIDDEN),
        },
        decided_by=ANN,
        recorded=True,
    ),
    Row(
        "edit-the-question",
        lambda by: {"spec": {"message": "Nothing to see?"}},
        {
            **dict.fromkeys("RAUG", "the question cannot be changed; found a change of message"),
            **dict.fromkeys("NO", FORBIDDEN),
        },
    ),
    Row(
        "take-oneself-out-of-requesters",
        lambda by: {"spec": {"requesters": None}},
        {
            **dict.fromkeys("RAUG", "the question cannot be changed; found a change of requesters"),
            **dict.fromkeys("NO", FORBIDDEN),
        },
    ),
    Row(
        "labels",
        lambda by: {"metadata": {"labels": {"waypost.dev/round": "9"}}},
        {
            **dict.fromkeys("RAUG", "the question is final: its labels, owners, finalizers"),
            **dict.fromkeys("NO", FORBIDDEN),
        },
    ),
    Row(
        "finalizers",
        lambda by: {"metadata": {"finalizers": ["example.org/stay"]}},
        {
            **dict.fromkeys("RAUG", "the question is final: its labels, owners, finalizers"),
            **dict.fromkeys("NO", FORBIDDEN),
        },
    ),
    Row(
        "owners",
        lambda by: {
            "metadata": {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1-2"}
                ]
            }
        },
        {
            **dict.fromkeys("RAUG", "the question is final: its labels, owners, finalizers"),
            **dict.fromkeys("NO", FORBIDDEN),
        },
    ),
    Row(
        "self-approve-though-named",
        answer,
        {"R": STARTED},
        asked={"approvers": {"users": ["rita", "ann"]}},
    ),
    Row(
        "raise-a-round-then-approve",
        answer,
        {"A": "you started this run or its round (ann)", "G": ""},
        asked={"requesters": ["rita", "ann"]},
    ),
    Row(
        "claim-another-s-name",
        lambda by: {"spec": {"decision": "Approved", "decidedBy": "zoe"}},
        {
            **{
                letter: f"decidedBy is zoe, but it must be your own name: {name}"
                for letter, name in {"R": "rita", "A": "ann", "U": "uma", "G": "gus"}.items()
            },
            **dict.fromkeys("NO", FORBIDDEN),
        },
    ),
    Row(
        "vote-for-another",
        lambda by: {"spec": {"votes": {"zoe": {"decision": "Approved"}}}},
        {
            **{
                letter: f"vote under your own name: {name}"
                for letter, name in {"R": "rita", "A": "ann", "U": "uma", "G": "gus"}.items()
            },
            **dict.fromkeys("NO", FORBIDDEN),
        },
        asked={"approvers": {**APPROVERS, "required": 2}},
    ),
    Row(
        "two-votes",
        lambda by: {
            "spec": {"votes": {by.name: {"decision": "Approved"}, "x": {"decision": "Approved"}}}
        },
        {"A": "vote under your own name: ann", "G": "vote under your own name: gus"},
        asked={"approvers": {**APPROVERS, "required": 2}},
    ),
    Row(
        "one-vote",
        lambda by: {"spec": {"votes": {by.name: {"decision": "Approved"}}}},
        {"R": STARTED, "A": "", "U": NOT_NAMED, "G": ""},
        asked={"approvers": {**APPROVERS, "required": 2}},
    ),
    Row(
        "no-verb",
        answer,
        {
            "V": "you are named as approver, but have no right to approve",
            "W": "no right to approve",
        },
        asked={"approvers": {"users": ["adam"], "groups": ["auditors"]}},
    ),
    Row(
        "without-a-name",
        lambda by: {"spec": {"decision": "Approved"}},
        {"A": "the decision has no name; add decidedBy: ann", "G": "add decidedBy: gus"},
    ),
    Row(
        "digest-of-another-question",
        lambda by: answer(by, decidedDigest="sha256:11"),
        {"A": "decidedDigest is that of another question", "G": "of another question"},
    ),
    Row(
        "digest-of-this-question",
        lambda by: answer(by, decidedDigest="sha256:00"),
        {"A": "", "G": ""},
    ),
    Row(
        "write-the-status",
        lambda by: {"status": {"state": "Approved"}},
        {**dict.fromkeys("RAUGN", "cannot patch resource"), "O": ""},
        sub="status",
    ),
]
PEOPLE = {"R": RITA, "A": ANN, "U": UMA, "G": GUS, "V": ADAM, "W": GIL}


def _cells() -> Iterator[object]:
    for row in ROWS:
        for letter, says in row.says.items():
            yield pytest.param(row, letter, says, id=f"{row.name}-{letter}")


def asked(guarded: Guarded, *, decided_by: Person | None = None, **fields: object) -> str:
    """A question of the operator, for a run that rita started; its name."""
    name = f"question-{next(_numbers)}"
    spec = {"approvers": APPROVERS, "requesters": ["rita"], **fields}
    place = guarded.inside
    place.must(place.create("approvals", approval(name, **spec), by=guarded.operator))
    if decided_by is not None:
        place.must(place.patch("approvals", name, answer(decided_by), by=decided_by))
    return name


def person(guarded: Guarded, letter: str) -> Person:
    ours = {"N": guarded.node, "O": guarded.operator}
    return ours[letter] if letter in ours else PEOPLE[letter]


def judged(said: Said, says: str) -> None:
    assert said.refused == bool(says), said.text
    assert says in said.text


@pytest.mark.parametrize(("row", "letter", "says"), [*_cells()])
def test_s360_each_cell_of_the_matrix(guarded: Guarded, row: Row, letter: str, says: str) -> None:
    name = asked(guarded, decided_by=row.decided_by, **row.asked)
    if row.recorded:
        status = {"status": {"state": "Approved"}}
        guarded.inside.must(
            guarded.inside.patch("approvals", name, status, by=guarded.operator, sub="status")
        )
    by = person(guarded, letter)
    judged(guarded.inside.patch("approvals", name, row.body(by), by=by, sub=row.sub), says)


@pytest.mark.parametrize(
    ("letter", "says"),
    [
        *[(letter, "only the operator creates Approvals") for letter in "RAUG"],
        ("N", "cannot create resource"),
        ("O", ""),
    ],
)
def test_s360_only_the_operator_asks(guarded: Guarded, letter: str, says: str) -> None:
    question = approval(f"forged-{next(_numbers)}", approvers=APPROVERS)
    judged(guarded.inside.create("approvals", question, by=person(guarded, letter)), says)


def test_s360_the_administrator_is_no_approver_either(guarded: Guarded) -> None:
    name = asked(guarded)
    said = guarded.inside.patch("approvals", name, {"spec": {"decision": "Approved"}})
    assert "is not among the approvers" in said.text


@pytest.mark.parametrize(
    ("users", "says"),
    [
        pytest.param(["ann"], "is not among the approvers", id="unnamed"),
        pytest.param(["system:serviceaccount:ci:bot"], "", id="named"),
    ],
)
def test_s360_a_service_account_answers_only_by_name(
    guarded: Guarded, users: list[str], says: str
) -> None:
    bot = Person("system:serviceaccount:ci:bot", ("release-managers",))
    name = asked(guarded, approvers={"users": users})
    judged(guarded.inside.patch("approvals", name, answer(bot), by=bot), says)


def test_s360_a_service_account_does_not_answer_as_member_of_a_group(guarded: Guarded) -> None:
    bot = Person("system:serviceaccount:ci:bot", ("release-managers",))
    said = guarded.inside.patch("approvals", asked(guarded), answer(bot), by=bot)
    assert "membership in a group is not enough" in said.text


def test_s360_groups_of_the_system_are_refused(guarded: Guarded) -> None:
    question = approval("groups", approvers={"groups": ["system:authenticated"]})
    said = guarded.inside.create("approvals", question, by=guarded.operator)
    assert "groups of the domain system: cannot approve" in said.text


# --- who starts a run ----------------------------------------------------------------------------

STARTS = [
    pytest.param({"requestedBy": "rita"}, "", id="own-name"),
    pytest.param({}, "", id="no-name"),
    pytest.param({"requestedBy": "zoe"}, "requestedBy is zoe", id="another-s-name"),
    pytest.param(
        {"rerun": {"round": 2, "requestedBy": "zoe"}}, "rerun.requestedBy is zoe", id="round"
    ),
    pytest.param(
        {
            "parent": {
                "run": "a",
                "uid": "1",
                "root": "1",
                "path": "b",
                "templates": [""],
                "children": 0,
            }
        },
        "only the operator writes spec.parent",
        id="a-parent",
    ),
]


@pytest.mark.parametrize(("fields", "says"), STARTS)
def test_s361_a_run_is_started_in_one_s_own_name(guarded: Guarded, fields: Obj, says: str) -> None:
    run = workflow(name=f"run-{next(_numbers)}", **fields)
    judged(guarded.inside.create("agentworkflows", run, by=RITA), says)


CHANGES = [
    pytest.param({"rerun": {"round": 2, "requestedBy": "ann"}}, ANN, "", id="own-round"),
    pytest.param({"rerun": {"round": 2}}, ANN, "", id="a-round-without-a-name"),
    pytest.param(
        {"rerun": {"round": 2, "requestedBy": "rita"}},
        ANN,
        "rerun.requestedBy is rita, but it must be the name of the person who raises the",
        id="another-s-round",
    ),
    pytest.param({"suspend": True}, ANN, "", id="suspend"),
    pytest.param({"requestedBy": "ann"}, ANN, "cannot be added, changed or removed", id="starter"),
    pytest.param({"requestedBy": None}, RITA, "found none, expected rita", id="starter-removed"),
]


@pytest.mark.parametrize(("fields", "by", "says"), CHANGES)
def test_s361_who_started_it_stays(guarded: Guarded, fields: Obj, by: Person, says: str) -> None:
    name = f"run-{next(_numbers)}"
    run = workflow(name=name, requestedBy="rita")
    guarded.inside.must(guarded.inside.create("agentworkflows", run, by=RITA))
    judged(guarded.inside.patch("agentworkflows", name, {"spec": fields}, by=by), says)


def test_s361_the_round_of_another_is_not_raised_again_in_the_same_name(guarded: Guarded) -> None:
    name = f"run-{next(_numbers)}"
    run = workflow(name=name, rerun={"round": 2, "requestedBy": "rita"})
    guarded.inside.must(guarded.inside.create("agentworkflows", run, by=RITA))
    patch = {"spec": {"rerun": {"round": 3}}}  # a merge patch: the name of the last round stays
    said = guarded.inside.patch("agentworkflows", name, patch, by=ANN)
    assert "rerun.requestedBy is rita" in said.text


# --- the weaknesses, where no policy is -----------------------------------------------------------


def test_without_a_policy_one_person_votes_twice_and_relabels_the_question(
    guarded: Guarded,
) -> None:
    """What the policies are for (W3, W11): the CRD alone allows all of it."""
    place, name = guarded.outside, f"question-{next(_numbers)}"
    spec = {"approvers": {"users": ["ann", "bob"], "required": 2}}
    place.must(place.create("approvals", approval(name, **spec), by=UMA))
    votes = {"ann": {"decision": "Approved"}, "bob": {"decision": "Approved"}}
    place.must(place.patch("approvals", name, {"spec": {"votes": votes}}, by=UMA))
    labels = {"metadata": {"labels": {"waypost.dev/round": "9"}}}
    place.must(place.patch("approvals", name, labels, by=UMA))
