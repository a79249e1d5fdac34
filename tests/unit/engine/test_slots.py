"""Slots of `concurrency`: which one an attempt takes, and what it says while none is free."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.engine.state.decision import Decision, FreeSlot, Launch
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.facts.slots import (
    Holder,
    KeySlots,
    Place,
    SlotClaim,
    SlotFact,
    SlotWait,
    slot_fact,
)
from waypost.kube.names import slot_digest, slot_name

from tests.support.builders import (
    NOW,
    RUN_UID,
    SETTINGS,
    after,
    done,
    exited,
    failure_record,
    job,
    job_of,
    observed,
    python,
    spec,
)
from tests.support.passes import decide

CRM = slot_digest("crm")


def limited(name: str = "a", *, key: str = "crm", limit: int | None = 3, **fields: Any) -> Any:
    block: JsonObject = {"key": key}
    block |= {"limit": limit} if limit is not None else {}
    if (skip := fields.pop("whenFull", None)) is not None:
        block["whenFull"] = skip
    return python(name, concurrency=block, **fields)


def held(number: int, *, limit: int = 3, run: str = "other", key: str = "crm") -> SlotFact:
    name, holder = slot_name(slot_digest(key), number), Holder(f"uid-{run}", "call", 1)
    return SlotFact(name, f"l{number}", slot_digest(key), number, limit, holder, run)


def waits(seconds: float, *, limit: int = 3, run: str = "other") -> SlotWait:
    """Something of another run that was created `seconds` after this run."""
    return SlotWait(CRM, limit, Place(NOW + timedelta(seconds=seconds), run))


def slots(*holders: SlotFact, claims: tuple[int, ...] = (), waiting: Any = ()) -> KeySlots:
    return KeySlots(holders, tuple(SlotClaim(CRM, k, 3) for k in claims), tuple(waiting))


def first_pass(given: KeySlots | None, *nodes: JsonObject) -> Decision:
    seen = observed(spec(*(nodes or (limited(),))))
    known = {CRM: given} if given is not None else {}
    return decide(replace(seen, slots=known), NOW, SETTINGS)


def taken(decision: Decision) -> list[int]:
    """The numbers of the slots whose Leases the decision creates, with those in the status."""
    made = [a.slot for a in decision.after if isinstance(a, Launch) and a.slot is not None]
    facts = [fact for body in made if (fact := slot_fact(body)) is not None]
    recorded = [
        attempt.slot
        for node in decision.status.nodes
        for attempt in node.attempts or []
        if attempt.slot
    ]
    assert [fact.name for fact in facts] == recorded
    return [fact.number for fact in facts]


CHOICES = [
    pytest.param(slots(), [1], id="S251 the lowest free one"),
    pytest.param(slots(held(1), held(3)), [2], id="S251 one between others"),
    pytest.param(slots(held(1), held(2), held(3)), [], id="S251 none above the limit"),
    pytest.param(slots(held(1), claims=(2,)), [3], id="one that another pass takes is taken"),
    pytest.param(slots(held(1, limit=1)), [], id="S257 the limit of a holder counts"),
    pytest.param(slots(held(5, limit=9), held(7, limit=9)), [1], id="S257 those above it count"),
    pytest.param(
        slots(held(4, limit=9), held(5, limit=9), held(6, limit=9)),
        [],
        id="S257 free numbers are not enough while holders are as many as the limit",
    ),
    pytest.param(slots(waiting=[waits(-1)]), [2], id="S258 an older run takes the first"),
    pytest.param(slots(waiting=[waits(1)]), [1], id="S258 a younger run comes later"),
    pytest.param(slots(waiting=[waits(0, run="zzz")]), [1], id="S258 names decide at one time"),
    pytest.param(slots(waiting=[waits(0, run="aaa")]), [2], id="S258 names decide, the other"),
    pytest.param(slots(held(1), held(2), waiting=[waits(-1)]), [], id="S258 the last is not its"),
    pytest.param(slots(waiting=[waits(-1, limit=1)]), [], id="S257 the limit of one before counts"),
    pytest.param(slots(waiting=[waits(1, limit=1)]), [1], id="the limit of one behind does not"),
]


@pytest.mark.parametrize(("given", "numbers"), CHOICES)
def test_which_slot_an_attempt_takes(given: KeySlots, numbers: list[int]) -> None:
    assert taken(first_pass(given)) == numbers


def test_slots_must_be_read_before_one_is_taken() -> None:
    """S252: what is not read is asked for, and the decision does not count."""
    decision = first_pass(None)
    assert decision.slots.unread == {CRM}
    assert taken(decision) == []


def test_nodes_of_one_run_take_different_slots() -> None:
    nodes = [limited("a", limit=2), limited("b", limit=2), limited("c", limit=2)]
    decision = first_pass(slots(), *nodes)
    assert taken(decision) == [1, 2]
    assert [wait.digest for wait in decision.slots.waits] == [CRM]
    assert [(c.number, c.limit) for c in decision.slots.claims] == [(1, 2), (2, 2)]
    assert decision.slots.held == 2


def test_the_lease_names_the_attempt_and_belongs_to_the_run() -> None:
    """S252"""
    (launch,) = [a for a in first_pass(slots()).after if isinstance(a, Launch)]
    assert launch.slot is not None
    metadata = launch.slot["metadata"]
    assert launch.slot["spec"]["holderIdentity"] == f"{RUN_UID}/a/1"
    assert metadata["ownerReferences"][0]["uid"] == RUN_UID
    assert metadata["annotations"]["waypost.dev/slot-key"] == "crm"
    assert metadata["annotations"]["waypost.dev/slot-limit"] == "3"


MESSAGES = [
    pytest.param(
        slots(held(1), held(2), held(3)),
        3,
        "waits for key 'crm': 3 of 3 slots are taken, held by run other (node call), run other "
        "(node call), run other (node call); it is the first in the queue",
        id="all are taken",
    ),
    pytest.param(
        slots(held(1, limit=1)),
        3,
        "waits for key 'crm': 1 of 1 slots are taken, held by run other (node call); its own limit "
        "is 3, the smallest limit of the key counts; it is the first in the queue",
        id="S257 a smaller limit",
    ),
    pytest.param(
        slots(held(1), waiting=[waits(-2), waits(-1)]),
        1,
        "waits for key 'crm': 1 of 1 slots are taken, held by run other (node call); 2 before it "
        "in the queue",
        id="S258 the place in the queue",
    ),
    pytest.param(
        slots(held(1), waiting=[waits(-1)] * 25),
        1,
        "waits for key 'crm': 1 of 1 slots are taken; more than 10 before it in the queue",
        id="S635 a long queue is rounded, without holders, so that its moves are no writes",
    ),
    pytest.param(
        slots(held(1), waiting=[waits(-1)] * 1001),
        1,
        "waits for key 'crm': 1 of 1 slots are taken; more than 1000 before it in the queue",
        id="S635 by powers of ten",
    ),
    pytest.param(
        slots(*(held(k, limit=5) for k in range(1, 6))),
        5,
        "waits for key 'crm': 5 of 5 slots are taken, held by run other (node call), run other "
        "(node call), run other (node call) and 2 more; it is the first in the queue",
        id="three holders are named",
    ),
]


@pytest.mark.parametrize(("given", "limit", "message"), MESSAGES)
def test_what_a_node_says_while_it_waits(given: KeySlots, limit: int, message: str) -> None:
    """S255: it is Pending, without a pod and without an attempt."""
    decision = first_pass(given, limited(limit=limit))
    (node,) = decision.status.nodes
    assert (node.phase, node.reason, node.attempts) == ("Pending", "WaitingForSlot", None)
    assert node.message == message
    assert decision.requeue_at is not None
    assert decision.requeue_at <= after(300 if "1000" in message else 60)


FAR = [
    pytest.param({}, True, id="a hundred before it"),
    pytest.param({"whenFull": "Skip"}, False, id="who skips must see the slots"),
    pytest.param({"limit": 100}, False, id="with as many slots as that, one may be free"),
]


@pytest.mark.parametrize(("fields", "waits_unread"), FAR)
def test_s635_far_from_its_turn_nothing_is_read(fields: JsonObject, waits_unread: bool) -> None:
    before = tuple(waits(-number, limit=100) for number in range(100, 0, -1))
    seen = observed(spec(limited(**{"limit": 1, **fields})))
    decision = decide(replace(seen, long_queues={CRM: before}), NOW, SETTINGS)
    assert (decision.slots.unread == frozenset()) is waits_unread
    if waits_unread:
        assert decision.requeue_at == after(300)
        assert decision.status.nodes[0].reason == "WaitingForSlot"


def test_a_waiting_node_takes_no_place_of_parallelism() -> None:
    """S255"""
    seen = observed(spec(limited("a", limit=1), python("b"), parallelism=1))
    decision = decide(replace(seen, slots={CRM: slots(held(1))}), NOW, SETTINGS)
    assert [node.phase for node in decision.status.nodes] == ["Pending", "Running"]


def test_a_suspended_run_does_not_queue() -> None:
    """S261"""
    seen = observed(spec(limited(), suspend=True))
    decision = decide(replace(seen, slots={CRM: slots(held(1))}), NOW, SETTINGS)
    assert decision.slots.waits == ()


KEYS = [
    pytest.param("${inputs.n}", "expected a text, found a number", id="a number"),
    pytest.param("${inputs.list}", "expected a text, found a list", id="a list"),
    pytest.param("${inputs.none}", "expected a text, found null", id="null"),
    pytest.param("${inputs.yes}", "expected a text, found a boolean", id="a boolean"),
    pytest.param("x-${inputs.none}", "inputs.none is null", id="null inside of a text"),
    pytest.param("${inputs.empty}", "the key is empty", id="an empty text"),
    pytest.param("${inputs.long}", "the key has 201 characters, the limit is 200", id="too long"),
    pytest.param("${inputs.lines}", "characters that cannot be printed", id="two lines"),
]
VALUES: JsonObject = {
    "n": 5,
    "list": ["x"],
    "none": None,
    "yes": True,
    "empty": " ",
    "long": "x" * 201,
    "lines": "a\nb",
}


@pytest.mark.parametrize(("key", "text"), KEYS)
def test_a_key_that_cannot_be_used_fails_the_node(key: str, text: str) -> None:
    """S250"""
    node = limited(key="${self.inputs.key}", inputs={"key": key})
    if key.startswith("x-"):
        node = limited(key=key)
    seen = observed(spec(node, inputs=VALUES))
    (status,) = decide(seen, NOW, SETTINGS).status.nodes
    assert (status.phase, status.reason) == ("Failed", "InputInvalid")
    assert text in (status.message or "")
    assert (status.message or "").startswith("concurrency.key: ")


def test_numbers_inside_of_a_text_are_text() -> None:
    """S250"""
    seen = observed(spec(limited(key="crm-${inputs.n}"), inputs=VALUES))
    assert decide(seen, NOW, SETTINGS).slots.unread == {slot_digest("crm-5")}


# --- S256: whenFull: Skip ------------------------------------------------------------------------


def test_skip_ends_the_node_at_once() -> None:
    """S256"""
    decision = first_pass(slots(held(1)), limited(limit=1, whenFull="Skip"), python("b"))
    node = decision.status.nodes[0]
    assert (node.phase, node.reason) == ("Skipped", "SlotTaken")
    assert node.message == (
        "whenFull is Skip: key 'crm': 1 of 1 slots are taken, held by run other (node call)"
    )
    assert decision.slots.waits == ()


def test_a_node_that_has_begun_waits_instead_of_being_skipped() -> None:
    """S256, S254: its retry holds no slot in the meantime, and finds it taken."""
    node = limited(limit=1, whenFull="Skip", retry={"limit": 1, "backoff": {"initial": "1s"}})
    first = first_pass(slots(), node)
    failed = exited("a", code=1, message=failure_record())
    seen = observed(spec(node), status=first.status, pods=(failed,))
    second = decide(replace(seen, slots={CRM: slots()}), after(5), SETTINGS)
    assert second.status.nodes[0].phase == "Backoff"
    freed = [action for action in second.after if isinstance(action, FreeSlot)]
    assert freed == [FreeSlot(slot_name(CRM, 1), Holder(RUN_UID, "a", 1))]
    seen = observed(spec(node), status=second.status)
    third = decide(replace(seen, slots={CRM: slots(held(1))}), after(60), SETTINGS)
    assert third.status.nodes[0].reason == "WaitingForSlot"


# --- S253, S254: giving back ---------------------------------------------------------------------


def test_the_end_of_an_attempt_frees_its_slot() -> None:
    """S254: after the write that closes the attempt."""
    first = first_pass(slots())
    seen = observed(spec(limited()), status=first.status, pods=(done({}),))
    decision = decide(seen, after(5), SETTINGS)
    assert decision.status.nodes[0].phase == "Succeeded"
    assert FreeSlot(slot_name(CRM, 1), Holder(RUN_UID, "a", 1)) in decision.after
    assert decision.slots.held == 0


def test_the_same_attempt_is_launched_again_with_its_slot() -> None:
    """S252: an operator died between its status and the slot."""
    first = first_pass(slots(held(1)))
    seen = observed(spec(limited()), status=first.status, live=True, live_at=after(5))
    decision = decide(seen, after(5), SETTINGS)
    (again,) = [a for a in decision.after if isinstance(a, Launch)]
    (before,) = [a for a in first.after if isinstance(a, Launch)]
    assert again.slot == before.slot is not None


def test_an_attempt_whose_slot_is_taken_is_no_attempt() -> None:
    """S253: stopped, closed after the time of a fence, and nothing is counted."""
    node = limited(limit=1)
    first = first_pass(slots(), node)
    problem = WriteProblem("run other (node call) took slot 1 first", False, slot_taken=True)
    problems = {job_of("a"): problem}

    def at(seconds: float, status: Any) -> Decision:
        seen = observed(
            spec(node),
            status=status,
            live=True,
            live_at=after(seconds),
            child_problems=problems,
        )
        return decide(replace(seen, slots={CRM: slots(held(1))}), after(seconds), SETTINGS)

    second = at(1, first.status)
    assert second.status.nodes[0].attempts[0].stopping == "SlotTaken"  # type: ignore[index]
    assert not [a for a in second.after if isinstance(a, Launch)]
    third = at(2, second.status)
    assert at(13, third.status).status.nodes[0].phase == "Running"
    last = at(15, third.status).status.nodes[0]
    assert (last.phase, last.reason) == ("Pending", "WaitingForSlot")
    attempt = (last.attempts or [])[0]
    assert (attempt.reason, attempt.never_started) == ("SlotTaken", True)
    assert (last.retries, last.disruptions, last.launch_retries) == (None, None, None)


def test_a_program_that_ran_with_a_lost_slot_counts_as_disrupted() -> None:
    """S253, with effect: once: a person decides."""
    node = limited(limit=1, effect="once")
    status = first_pass(slots(), node).status
    attempt = status.nodes[0].attempts[0].model_copy(update={"stopping": "SlotTaken"})  # type: ignore[index]
    stopped = status.nodes[0].model_copy(update={"attempts": [attempt]})
    status = status.model_copy(update={"nodes": [stopped]})
    killed = exited("a", code=143)
    seen = observed(spec(node), status=status, pods=(killed,), jobs={job_of("a"): job("a")})
    (ended,) = decide(seen, after(5), SETTINGS).status.nodes
    assert (ended.phase, ended.reason) == ("Failed", "UnknownEffect")
