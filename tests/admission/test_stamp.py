"""What a MutatingAdmissionPolicy fills in, and that the validating policies judge what it wrote."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from waypost.kube.admission.guard import guard_of

from tests.admission.conftest import ANN, GUS, RITA, UMA, Guarded
from tests.admission.people import MERGE, Obj, Person
from tests.crds.manifests import approval, workflow
from tests.crds.schedules import schedule

pytestmark = [pytest.mark.real_api, pytest.mark.usefixtures("no_operator")]

_numbers = itertools.count()
PEOPLE = {"R": RITA, "A": ANN, "U": UMA, "G": GUS}
APPROVERS = {"users": ["ann"], "groups": ["release-managers"]}
FORBIDDEN = "cannot patch resource"  # the words of RBAC
STARTED = "you started this run or its round (rita), so another approver must answer"
NOT_NAMED = "uma is not among the approvers"
DECIDED = "decided by ann, who alone can change the decision"


@dataclass(frozen=True)
class Row:
    """A patch of an Approval, and what each person reads; "" is a success."""

    name: str
    spec: Obj
    says: dict[str, str]
    decided_by: Person | None = None
    asked: Obj = field(default_factory=dict)


ROWS = [
    Row(
        "approve-without-a-name",
        {"decision": "Approved"},
        {"R": STARTED, "A": "", "U": NOT_NAMED, "G": "", "N": FORBIDDEN, "O": FORBIDDEN},
    ),
    Row(
        "deny-without-a-name",
        {"decision": "Denied"},
        {"R": STARTED, "A": "", "U": NOT_NAMED, "G": "", "N": FORBIDDEN, "O": FORBIDDEN},
    ),
    Row(
        "claim-another-s-name",
        {"decision": "Approved", "decidedBy": "zoe"},
        {
            letter: f"decidedBy is zoe, but it must be your own name: {person.name}"
            for letter, person in PEOPLE.items()
        },
    ),
    Row(
        "change-a-decision",
        {"decision": "Denied"},
        {"R": DECIDED, "A": "", "U": DECIDED, "G": DECIDED},
        decided_by=ANN,
    ),
    Row(
        "take-the-name-off",
        {"decidedBy": None},
        {"R": DECIDED, "A": "", "U": DECIDED, "G": DECIDED},
        decided_by=ANN,
    ),
    Row(
        "self-approve-though-named",
        {"decision": "Approved"},
        {"R": STARTED},
        asked={"approvers": {"users": ["rita", "ann"]}},
    ),
]


def person(stamped: Guarded, letter: str) -> Person:
    ours = {"N": stamped.node, "O": stamped.operator}
    return ours[letter] if letter in ours else PEOPLE[letter]


CELLS = [
    pytest.param(row, letter, says, id=f"{row.name}-{letter}")
    for row in ROWS
    for letter, says in row.says.items()
]


@pytest.mark.parametrize(("row", "letter", "says"), CELLS)
def test_s602_each_cell_of_the_matrix(stamped: Guarded, row: Row, letter: str, says: str) -> None:
    place, name = stamped.inside, f"stamp-{next(_numbers)}"
    spec = {"approvers": APPROVERS, "requesters": ["rita"], **row.asked}
    place.must(place.create("approvals", approval(name, **spec), by=stamped.operator))
    if row.decided_by is not None:
        decision = {"spec": {"decision": "Approved"}}
        place.must(place.patch("approvals", name, decision, by=row.decided_by))
    by = person(stamped, letter)
    said = place.patch("approvals", name, {"spec": row.spec}, by=by)
    assert said.refused == bool(says), said.text
    assert says in said.text
    if not says:
        assert said.body["spec"]["decidedBy"] == by.name


# --- runs ----------------------------------------------------------------------------------------


def started(stamped: Guarded, *, by: Person = RITA, **spec: object) -> Obj:
    """A run that this person has created, as stored."""
    run = workflow(name=f"stamp-{next(_numbers)}", **spec)
    return stamped.inside.must(stamped.inside.create("agentworkflows", run, by=by))


@pytest.mark.parametrize("by", [RITA, ANN], ids=["rita", "ann"])
def test_s602_a_run_says_who_created_it(stamped: Guarded, by: Person) -> None:
    assert started(stamped, by=by)["spec"]["requestedBy"] == by.name
    first = started(stamped, by=by, rerun={"round": 2})["spec"]
    assert first["rerun"]["requestedBy"] == by.name


def test_s602_another_s_name_is_refused_and_not_replaced(stamped: Guarded) -> None:
    run = workflow(name="claimed", requestedBy="zoe")
    said = stamped.inside.create("agentworkflows", run, by=RITA)
    assert "requestedBy is zoe, but it must be your own name: rita" in said.text


def test_s602_a_round_says_who_raised_it(stamped: Guarded) -> None:
    place, name = stamped.inside, started(stamped)["metadata"]["name"]

    def raised(by: Person, **rerun: object) -> Obj:
        said = place.patch("agentworkflows", name, {"spec": {"rerun": rerun}}, by=by)
        spec: Obj = place.must(said)["spec"]
        return spec

    assert raised(ANN, round=2)["rerun"]["requestedBy"] == "ann"
    assert raised(RITA, round=3)["rerun"]["requestedBy"] == "rita", "the old name stays in a patch"
    assert raised(UMA, round=4)["requestedBy"] == "rita", "the run is still hers"


@pytest.mark.parametrize("by", [RITA, ANN], ids=["own", "another-s"])
def test_s602_the_name_of_a_round_cannot_be_taken_off(stamped: Guarded, by: Person) -> None:
    """Before the round has begun, too: then its approvals would not list this person."""
    place, name = stamped.inside, started(stamped, rerun={"round": 2})["metadata"]["name"]
    taken = {"spec": {"rerun": {"requestedBy": None}}}
    said = place.patch("agentworkflows", name, taken, by=by)
    assert "rerun.requestedBy of run" in said.text


def test_s602_a_name_stays_when_the_object_is_replaced_or_applied(stamped: Guarded) -> None:
    place, run = stamped.inside, workflow(name="replaced")
    made = place.must(place.create("agentworkflows", run, by=RITA))
    metadata = {"name": "replaced", "resourceVersion": made["metadata"]["resourceVersion"]}
    whole = {**run, "metadata": metadata}
    stored = place.must(place.replace("agentworkflows", whole, by=ANN))
    assert stored["spec"]["requestedBy"] == "rita"
    applied = workflow(name="applied")
    for suspend, by in ((False, RITA), (True, ANN)):
        body = {**applied, "spec": {**applied["spec"], "suspend": suspend}}
        stored = place.must(place.apply("agentworkflows", body, by=by))
        assert (stored["spec"]["requestedBy"], stored["spec"]["suspend"]) == ("rita", suspend)


# --- schedules -----------------------------------------------------------------------------------


def planned(stamped: Guarded, by: Person = RITA, **spec: object) -> Obj:
    body = schedule(f"plan-{next(_numbers)}", **spec)
    return stamped.inside.must(stamped.inside.create("agentworkflowschedules", body, by=by))


def test_s603_a_schedule_says_who_wrote_its_template(stamped: Guarded) -> None:
    place, stored = stamped.inside, planned(stamped)
    name = stored["metadata"]["name"]
    assert stored["spec"]["requestedBy"] == "rita"
    steps: list[tuple[Person, Obj, str]] = [
        (ANN, {"suspend": True}, "rita"),
        (ANN, {"template": {"spec": {"inputs": {"a": 1}}}}, "ann"),
        (RITA, {"requestedBy": None}, "ann"),
    ]
    for by, spec, expected in steps:
        said = place.patch("agentworkflowschedules", name, {"spec": spec}, by=by)
        assert place.must(said)["spec"]["requestedBy"] == expected


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param({"requestedBy": "ann"}, "it changes only with template", id="alone"),
        pytest.param(
            {"requestedBy": "zoe", "template": {"spec": {"inputs": {"a": 2}}}},
            "requestedBy is zoe, but it must be the name of the person who writes template: ann",
            id="another-s",
        ),
    ],
)
def test_s603_nobody_writes_a_schedule_in_the_name_of_another(
    stamped: Guarded, spec: Obj, says: str
) -> None:
    place, name = stamped.inside, planned(stamped)["metadata"]["name"]
    said = place.patch("agentworkflowschedules", name, {"spec": spec}, by=ANN)
    assert says in said.text


# --- without a stamp -----------------------------------------------------------------------------


def test_s603_without_a_stamp_a_changed_template_needs_the_new_name(guarded: Guarded) -> None:
    place, changed = guarded.inside, {"template": {"spec": {"inputs": {"a": 1}}}}
    name = planned(guarded, requestedBy="rita")["metadata"]["name"]
    said = place.patch("agentworkflowschedules", name, {"spec": changed}, by=ANN)
    assert "requestedBy is rita, but it must be the name of the person" in said.text
    own = {"spec": {**changed, "requestedBy": "ann"}}
    place.must(place.patch("agentworkflowschedules", name, own, by=ANN))


def test_s603_only_the_operator_says_what_started_a_run(guarded: Guarded) -> None:
    run = workflow(name="origin", origin={"schedule": "nightly", "requestedBy": "zoe"})
    said = guarded.inside.create("agentworkflows", run, by=RITA)
    assert "only the operator writes spec.origin" in said.text


STRICT = [
    pytest.param("agentworkflows", workflow(name="stamp"), "add requestedBy: rita", id="run"),
    pytest.param(
        "agentworkflows",
        workflow(name="stamp", requestedBy="rita", rerun={"round": 2}),
        "add rerun.requestedBy: rita",
        id="round",
    ),
    pytest.param("agentworkflowschedules", schedule(), "add requestedBy: rita", id="schedule"),
]


@pytest.mark.parametrize(("plural", "body", "says"), STRICT)
def test_s605_strict_refuses_what_does_not_say_who_starts_it(
    strict: Guarded, plural: str, body: Obj, says: str
) -> None:
    said = strict.inside.create(plural, body, by=RITA, dry=True)
    assert says in said.text


_DIGEST = {"decidedDigest": "sha256:00"}
DECISIONS = [
    pytest.param({"decision": "Approved", "decidedBy": "ann"}, 1, "add decidedDigest:", id="none"),
    pytest.param({"decision": "Approved", "decidedBy": "ann", **_DIGEST}, 1, "", id="given"),
    pytest.param({"votes": {"ann": {"decision": "Denied"}}}, 2, "decidedDigest to it", id="vote"),
    pytest.param({"votes": {"ann": {"decision": "Denied", **_DIGEST}}}, 2, "", id="vote-given"),
    pytest.param(
        {"votes": {"ann": {"decision": "Denied", "decidedDigest": "sha256:11"}}},
        2,
        "a vote has the decidedDigest of another question",
        id="vote-on-another",
    ),
]


@pytest.mark.parametrize(("spec", "required", "says"), DECISIONS)
def test_s605_strict_refuses_an_answer_without_the_digest(
    strict: Guarded, spec: Obj, required: int, says: str
) -> None:
    place, name = strict.inside, f"stamp-{next(_numbers)}"
    approvers = {"users": ["ann", "bob"], "required": required}
    question = approval(name, approvers=approvers)
    place.must(place.create("approvals", question, by=strict.operator))
    said = place.patch("approvals", name, {"spec": spec}, by=ANN)
    assert said.refused == bool(says), said.text
    assert says in said.text


def test_s604_the_mark_of_the_policy_on_a_question_cannot_be_changed(guarded: Guarded) -> None:
    place, name = guarded.inside, f"stamp-{next(_numbers)}"
    place.must(place.create("approvals", approval(name), by=guarded.operator))
    mark = {"metadata": {"annotations": {"waypost.dev/guard": "1.1.2.1"}}}
    said = place.patch("approvals", name, mark, by=ANN)
    assert "the question is final" in said.text


# --- what the operator reads ----------------------------------------------------------------------

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.mark.parametrize("covered", [True, False], ids=["served", "other-namespace"])
def test_s604_the_operator_reads_the_policy_as_the_api_server_stores_it(
    guarded: Guarded, covered: bool
) -> None:
    api, name = guarded.inside.api, f"{guarded.operator.name.rpartition(':')[2]}-approvals"
    policy, bound = (
        api.ask("GET", f"{path}/{name}", by=guarded.operator) for path in (POLICIES, BINDINGS)
    )
    assert not policy.refused, policy.text
    assert not bound.refused, bound.text
    place = guarded.inside if covered else guarded.outside
    later = datetime.now(UTC) + timedelta(hours=1)
    found = guard_of(name, policy.body, bound.body, namespace=place.namespace, now=later)
    assert bool(found.seal) == covered, found.problem
    changed = {"metadata": {"labels": {"a": "b"}}}  # of an upgrade that changes nothing else
    path = f"{POLICIES}/{name}"
    labelled = guarded.inside.must(api.ask("PATCH", path, changed, content_type=MERGE))
    same = guard_of(name, labelled, bound.body, namespace=place.namespace, now=later)
    assert same.seal == found.seal


def test_s604_the_operator_reads_no_other_policy(guarded: Guarded) -> None:
    name = f"{guarded.operator.name.rpartition(':')[2]}-runs"
    for path in (POLICIES, BINDINGS):
        said = guarded.inside.api.ask("GET", f"{path}/{name}", by=guarded.operator)
        assert said.code == 403
