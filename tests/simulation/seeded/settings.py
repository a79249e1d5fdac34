"""Seeded bugs in the settings of nodes: exit codes, computed waits, keys, egress. Those of runs
that share keys or policies are in `tests/simulation/slots` and `tests/simulation/egress`."""

from typing import Any

import pytest
from waypost.engine.attempts import retries
from waypost.engine.slots import take
from waypost.expressions.templates import render_text
from waypost.runtime.egress.policies import EgressPolicies
from waypost.runtime.slots.leases import Slots

from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.scenario.programs import exit_code_of
from tests.simulation.seeded.hunting import bug


def _codes_forbid(node: Node) -> bool:
    """Whether the first attempt ends with an exit code after which nothing may follow."""
    if node.codes is None or node.upstream or node.never_twice:
        return False
    rule, listed = node.codes
    code = exit_code_of(node, node.acts[0])
    return code is not None and (code == listed) == (rule == "fail")


@bug("T11", focus=lambda plan: any(map(_codes_forbid, plan.nodes)))
def _exit_codes_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(retries, "_obstacle", lambda rules, failure: "")


def _computes(plan: Scenario) -> bool:
    return any(n.computed and n.seconds > 9 and not n.upstream for n in plan.nodes)


@bug("T11", focus=_computes)
def _computed_waits_cut_short(patch: pytest.MonkeyPatch) -> None:
    def first_digit(text: str, data: Any, **how: Any) -> Any:
        found = render_text(text, data, **how)
        return f"{found[0]}s" if "${" in text and isinstance(found, str) else found

    patch.setattr("waypost.engine.nodes.wait.render_text", first_digit)


def _compete(plan: Scenario) -> bool:
    """Whether several nodes hold the key."""
    return sum(bool(node.places) for node in plan.nodes) > 1


@bug("VK1", focus=_compete)
def _slots_are_only_counted(patch: pytest.MonkeyPatch) -> None:
    async def take_nothing(self: Slots, run: Any, manifest: Any) -> None:
        return

    patch.setattr(Slots, "take", take_nothing)


@bug("VK1", "I11", "I12", focus=_compete)
def _slots_of_attempts_are_kept(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Slots, *how: Any) -> Any:
        return 0

    patch.setattr(take, "free", lambda *how: None)
    patch.setattr(Slots, "sweep", nothing)
    patch.setattr(Slots, "_reclaimed", nothing)


def _is_limited_at_once(plan: Scenario) -> bool:
    return any(node.egress and not node.upstream and node.when is None for node in plan.nodes)


@bug("VE1", focus=_is_limited_at_once)
def _policies_are_never_made(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: EgressPolicies, key: Any, policy: Any) -> None:
        return

    patch.setattr(EgressPolicies, "ensure", nothing)
