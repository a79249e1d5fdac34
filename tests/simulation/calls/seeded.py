"""Seeded bugs of gated calls: each breaks the operator on purpose and must be caught."""

from dataclasses import replace
from typing import Any, Final

import pytest
from waypost.api.approval import ApprovalStatus
from waypost.engine.nodes.calls import advance, closing, question
from waypost.engine.nodes.gates.status import write_status
from waypost.engine.nodes.table import KINDS
from waypost.engine.state import parked
from waypost.kube import names
from waypost.protocol.agents.gated_calls import DecidedCall
from waypost.protocol.reasons import Reason

from tests.simulation.calls.plan import Plan, plan
from tests.simulation.calls.play import play
from tests.simulation.focused.hunting import Bugs

bug: Final = Bugs("calls", plan, play, limit=30)
BUGS: Final = bug.all


def _asks(planned: Plan) -> bool:
    return bool(planned.gated) and planned.breaks is None and planned.deadline is None


def _says(*acts: str) -> Any:
    return lambda planned: _asks(planned) and any(p.act in acts for p in planned.people.values())


def _has(*kinds: str) -> Any:
    return lambda planned: _asks(planned) and bool({*kinds} & planned.kinds)


@bug("VG1", "VG2", focus=_says("no"))
def _a_denial_is_an_approval(patch: pytest.MonkeyPatch) -> None:
    put = parked.put_decisions

    def kindly(transition: Any, path: str, decisions: list[DecidedCall]) -> None:
        put(transition, path, [each._replace(verdict="Approved") for each in decisions])

    patch.setattr(parked, "put_decisions", kindly)


@bug("VG1", "VG2", focus=_says("edit"))
def _an_edit_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    put = parked.put_decisions

    def as_asked(transition: Any, path: str, decisions: list[DecidedCall]) -> None:
        put(transition, path, [each._replace(arguments=None) for each in decisions])

    patch.setattr(parked, "put_decisions", as_asked)


@bug("VG1", "VG2", "I11", focus=lambda planned: _asks(planned) and len(planned.gated) > 1)
def _one_answer_counts_for_all_calls(patch: pytest.MonkeyPatch) -> None:
    """The name of an Approval does not depend on its call."""
    name = names.call_approval_name
    patch.setattr(names, "call_approval_name", lambda **how: name(**{**how, "digest": "same"}))
    patch.setattr(question, "fits", lambda *how: True)
    patch.setattr(advance, "fits", lambda *how: True)


@bug("VG2", "T11", "I11", "VG1", focus=_asks)
def _open_questions_count_as_decided(patch: pytest.MonkeyPatch) -> None:
    real = advance._decision_on

    def hasty(transition: Any, path: str, asked: Any) -> DecidedCall | None:
        found = real(transition, path, asked)
        known = asked.name in transition.observed.approvals
        return found or (DecidedCall(asked.call.digest, "Approved") if known else None)

    patch.setattr(advance, "_decision_on", hasty)


@bug("VG4", "I12", focus=_has("cancel", "change", "replace"))
def _questions_stay_open(patch: pytest.MonkeyPatch) -> None:
    """Nothing withdraws what is asked: an agent that ends or changes leaves its questions."""
    patch.setattr(closing, "_closed_as", lambda *how: None)

    def ends(transition: Any, path: str) -> None:
        transition.end(path, "Cancelled", Reason.CANCELLED, "")

    patch.setattr(advance, "_withdraw", ends)


@bug("VG4", focus=lambda planned: _asks(planned) and planned.timeout is not None)
def _silence_is_a_yes(patch: pytest.MonkeyPatch) -> None:

    def kindly(transition: Any, fact: Any, status: ApprovalStatus, tally: Any) -> None:
        if status.expired:
            status = ApprovalStatus(state="Approved")
        write_status(transition, fact, status, tally)

    patch.setattr(advance, "write_status", kindly)


@bug("I11", "T11", focus=_has("delete"))
def _a_deleted_approval_is_not_asked_again(patch: pytest.MonkeyPatch) -> None:
    opened = advance._open

    def once(transition: Any, path: str, asked: Any) -> None:
        if transition.statuses[path].approval is None:
            opened(transition, path, asked)

    patch.setattr(advance, "_open", once)


@bug("I11", "simulation", "T11", focus=_asks)
def _a_parked_agent_is_never_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(KINDS, "agent", replace(KINDS["agent"], advance=lambda *how, **more: None))
