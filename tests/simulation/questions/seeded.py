"""Seeded bugs of questions: each breaks the operator on purpose and must be caught."""

from dataclasses import replace
from typing import Any, Final

import pytest
from waypost.api.approval import ApprovalStatus
from waypost.api.items.states import ItemState
from waypost.engine.items import advance, questions
from waypost.engine.nodes import approval
from waypost.engine.nodes.gates import escalation, identity, of_items, policy
from waypost.engine.nodes.gates.status import write_status
from waypost.engine.nodes.gates.votes import count
from waypost.engine.nodes.table import KINDS
from waypost.engine.state.observed import Observed
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.items import open_items
from waypost.kube.items.open_map import OpenMap

from tests.simulation.focused.hunting import Bugs
from tests.simulation.questions.plan import UNGUARD, Plan, plan
from tests.simulation.questions.play import play

bug: Final = Bugs("questions", plan, play, limit=30)
BUGS: Final = bug.all


def _asks(planned: Plan) -> bool:
    return bool(planned.values)


def _asks_some(planned: Plan) -> bool:
    return len(planned.values) > 3 and planned.breaks is None and planned.deadline is None


def _is_denied(planned: Plan) -> bool:
    return _asks_some(planned) and any(planned.people[v].act != "yes" for v in planned.values)


def _stops(planned: Plan) -> bool:
    return _asks(planned) and (bool(planned.breaks) or "cancel" in planned.kinds)


def _raises_price(planned: Plan) -> bool:
    return _asks_some(planned) and "price" in planned.kinds


@bug("VQ3", "I12", focus=_stops)
def _open_questions_end_with_their_map(patch: pytest.MonkeyPatch) -> None:
    """The items are cancelled at once, and their Approvals stay open."""
    before = OpenMap.cancel_waiting

    def all_of_them(self: OpenMap) -> None:
        before(self)
        for index in self.asking:
            self.open.pop(index)
            self.states[index] = ItemState("C")

    patch.setattr(OpenMap, "cancel_waiting", all_of_them)
    patch.setattr(of_items, "closed_as", lambda *how: None)


@bug("VQ1", focus=lambda planned: _asks_some(planned) and planned.max_parallel is not None)
def _open_questions_hold_no_place(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(advance, "_busy", lambda opened: opened.running)


@bug("VQ2", "I9", "VM4", "T11", focus=_raises_price)
def _an_answer_is_kept_for_another_text(patch: pytest.MonkeyPatch) -> None:
    """Items are matched by their value alone, and a changed price keeps their answers."""
    patch.setitem(KINDS, "approval", replace(KINDS["approval"], shown=lambda *how: None))


@bug("T11", "VM4", "VQ2", focus=_stops)
def _a_withdrawal_is_no_end(patch: pytest.MonkeyPatch) -> None:
    """A map whose questions were all withdrawn succeeds."""
    patch.setattr(advance, "_CANCELLED", frozenset())
    real = questions.advance

    def without_reason(transition: Any, advance_of: Any, why: Any) -> None:
        step = (
            (lambda path: lambda t, p, *, withdraw: advance_of(path)(t, p, withdraw=True))
            if why is not None
            else advance_of
        )
        real(transition, step, None)

    patch.setattr(questions, "advance", without_reason)


@bug("VQ2", "T11", focus=_is_denied)
def _a_denial_is_an_approval(patch: pytest.MonkeyPatch) -> None:
    follow = approval._follow

    def kindly(transition: Any, path: str, recorded: ApprovalStatus) -> None:
        if "/" in path and recorded.state == "Denied":
            recorded = recorded.model_copy(update={"state": "Approved", "expired": None})
        follow(transition, path, recorded)

    patch.setattr(approval, "_follow", kindly)


@bug("VQ2", "VQ3", focus=lambda planned: _asks_some(planned) and planned.timeout is not None)
def _the_expiry_of_an_item_is_rounded(patch: pytest.MonkeyPatch) -> None:
    """The text of an item has it less exactly than the Approval."""
    moment = open_items._moment

    def coarse(place: open_items.Place, seconds: str) -> str:
        return moment(place, str(float(seconds) // 20 * 20))

    patch.setattr(open_items, "_moment", coarse)


@bug("VQ3", focus=lambda planned: _asks_some(planned) and "shuffle" in planned.kinds)
def _questions_of_the_last_list_stay_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(of_items, "closed_as", lambda *how: None)


def _unguards(planned: Plan) -> bool:
    return _asks_some(planned) and UNGUARD in planned.kinds


@bug("VQ4", focus=_unguards)
def _strict_mode_counts_what_is_not_verified(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(identity, "judged", lambda transition, fact: count(fact.spec))


@bug("VQ4", focus=_unguards)
def _the_policy_is_not_looked_at_again(patch: pytest.MonkeyPatch) -> None:
    """What a look of some seconds ago found counts for an answer that came after it."""
    patch.setattr(policy, "needs_look", lambda observed: False)
    doubt = policy.doubt

    def trusting(observed: Observed, fact: ApprovalFact) -> str:
        guard = observed.guard
        fresh = replace(guard, fresh=True) if guard is not None else None
        return doubt(replace(observed, guard=fresh), fact)

    patch.setattr(policy, "doubt", trusting)


@bug("VQ4", focus=_unguards)
def _a_policy_that_was_away_meanwhile_counts(patch: pytest.MonkeyPatch) -> None:
    """Only whether it is in force now is asked."""
    doubt = policy.doubt

    def now_alone(observed: Observed, fact: ApprovalFact) -> str:
        seal = observed.guard.seal if observed.guard is not None else ""
        return doubt(observed, replace(fact, guard=seal or "none"))

    patch.setattr(policy, "doubt", now_alone)


@bug("I11", "T11", focus=lambda planned: _asks_some(planned) and "delete" in planned.kinds)
def _a_deleted_approval_is_not_asked_again(patch: pytest.MonkeyPatch) -> None:
    missing = approval._missing

    def only_nodes(transition: Any, path: str, *, withdraw: bool) -> None:
        if "/" not in path or withdraw:
            missing(transition, path, withdraw=withdraw)

    patch.setattr(approval, "_missing", only_nodes)


def _escalates(planned: Plan) -> bool:
    silent = any(planned.people[v].act == "never" for v in planned.values)
    calm = planned.breaks is None and planned.deadline is None
    return bool(planned.levels) and silent and calm and not planned.strict


@bug("VQ5", focus=_escalates)
def _the_next_level_is_never_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(escalation, "can", lambda transition, path: False)


@bug("VQ5", focus=_escalates)
def _a_level_is_asked_while_the_last_one_may_answer(patch: pytest.MonkeyPatch) -> None:
    """The next Approval is created before the one before it is withdrawn."""

    def eager(transition: Any, fact: ApprovalFact, status: ApprovalStatus, tally: Any) -> None:
        if status.escalated_to is None or fact.spec is None:
            write_status(transition, fact, status, tally)
        else:
            approval._escalate(transition, fact.spec.path)

    patch.setattr(approval, "write_status", eager)


@bug("VQ5", focus=_escalates)
def _a_level_has_what_is_left_of_the_time_of_the_gate(patch: pytest.MonkeyPatch) -> None:
    """Counted from the start of the gate, as its own timeout is."""
    expiry = escalation.expiry

    def from_start(transition: Any, path: str) -> str | None:
        found, status = expiry(transition, path), transition.statuses[path]
        return status.wake_at if status.level else found

    patch.setattr(escalation, "expiry", from_start)


@bug("VQ5", focus=_escalates)
def _two_operators_name_a_level_differently(patch: pytest.MonkeyPatch) -> None:
    name_of = escalation.name_of
    patch.setattr(
        escalation,
        "name_of",
        lambda transition, *what: f"{name_of(transition, *what)}-{transition.now.microsecond}",
    )


@bug("VQ4", focus=_unguards)
def _an_answered_question_is_marked_again(patch: pytest.MonkeyPatch) -> None:
    """An answer from before the policy changed counts like one that came after it."""
    patch.setattr(policy, "is_answered", lambda fact: False)
