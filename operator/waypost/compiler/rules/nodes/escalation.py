"""Rules for the escalation of an approval: whether each level can be asked, and who can answer."""

from collections.abc import Iterator
from itertools import pairwise

from waypost.api.base import parse_duration
from waypost.api.kinds.approval import ApprovalKind, Approvers, EscalationLevel, levels_of
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem


def escalation_warnings(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Levels that change nothing: the same people again, or after the deadline of the run."""
    for node in spec.all_nodes:
        if node.approval is not None:
            place = f"{node.place}.approval"
            yield from _repetitions(place, node.approval)
            yield from _too_late(spec, place, node.approval)


def problems(node: Node, gate: ApprovalKind) -> Iterator[Problem]:
    """What is wrong with the escalation of a gate."""
    place = f"{node.place}.approval"
    levels = gate.escalation or []
    if gate.on_timeout != "Escalate":
        if levels:
            text = "escalation is only used with onTimeout: Escalate; add it, or remove escalation"
            yield Problem(f"{place}.escalation", text)
        return
    if not levels:
        text = "onTimeout: Escalate needs escalation: who is asked next, and for how long"
        yield Problem(f"{place}.onTimeout", text)
    if gate.timeout is None:
        text = "onTimeout: Escalate needs a timeout: without one nobody else is ever asked"
        yield Problem(f"{place}.onTimeout", text)
    for at, level in enumerate(levels):
        yield from _of_level(f"{place}.escalation[{at}]", level, last=at == len(levels) - 1)


def durations(gate: ApprovalKind) -> Iterator[tuple[str, str | None]]:
    """The timeouts of the levels that are durations, with their fields in the node."""
    for at, level in enumerate(gate.escalation or ()):
        if _seconds(level.timeout) is not None:
            yield f"approval.escalation[{at}].timeout", level.timeout


def _of_level(place: str, level: EscalationLevel, *, last: bool) -> Iterator[Problem]:
    yield from _people(f"{place}.approvers", level.approvers)
    if level.timeout is not None:
        try:
            parse_duration(level.timeout)
        except ValueError as error:
            yield Problem(f"{place}.timeout", str(error))
    if level.timeout is None and not last:
        text = "only the last level may have no timeout: those after it would never be asked"
        yield Problem(f"{place}.timeout", text)
    if level.on_timeout is not None and not last:
        text = "only the last level has onTimeout: after this one the next is asked; remove it"
        yield Problem(f"{place}.onTimeout", text)
    if level.on_timeout is not None and last and level.timeout is None:
        yield Problem(f"{place}.onTimeout", "it has no effect without a timeout; add timeout")


def _people(place: str, approvers: Approvers) -> Iterator[Problem]:
    """As the CRD checks `approval.approvers`."""
    users, groups = approvers.users or [], approvers.groups or []
    if not users and not groups:
        yield Problem(place, "no approver is named; add at least one user or group")
    if not groups and users and (approvers.required or 1) > len(users):
        text = "required is greater than the number of users, and there are no groups"
        yield Problem(f"{place}.required", text)
    for group in groups:
        if group.startswith("system:"):
            text = "groups of the domain system: cannot approve; name a group of people, or users"
            yield Problem(f"{place}.groups", text)


def _repetitions(place: str, gate: ApprovalKind) -> Iterator[Problem]:
    """Levels that ask the same people as the one before."""
    asked = [_named(one.approvers) for one in levels_of(gate)]
    for at, (before, after) in enumerate(pairwise(asked)):
        if before == after:
            text = "the same people are asked as before; name others, or set a longer timeout"
            yield Problem(f"{place}.escalation[{at}].approvers", text, "warning")


def _too_late(spec: AgentWorkflowSpec, place: str, gate: ApprovalKind) -> Iterator[Problem]:
    """The first level that would be asked after the deadline of the run."""
    if spec.deadline is None:
        return
    deadline, after = parse_duration(spec.deadline), 0.0
    for at, level in enumerate(levels_of(gate)[:-1]):
        after += _seconds(level.timeout) or 0.0
        if after >= deadline:
            text = f"never asked: the run ends after {spec.deadline}, its deadline"
            yield Problem(f"{place}.escalation[{at}]", text, "warning")
            return


def _named(approvers: Approvers) -> tuple[frozenset[str], frozenset[str], int]:
    users, groups = approvers.users or (), approvers.groups or ()
    return frozenset(users), frozenset(groups), approvers.required or 1


def _seconds(text: str | None) -> float | None:
    """A duration; None if it is absent or none."""
    try:
        return parse_duration(text) if text is not None else None
    except ValueError:
        return None
