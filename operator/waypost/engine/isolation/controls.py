"""What became of the isolation of each attempt, counted in `status.isolation` (S626)."""

from collections.abc import Sequence
from typing import Final

from waypost.api.isolation.model import Isolation
from waypost.api.state.isolation import CONTROLS, STATES, Control, ControlStatus, State
from waypost.api.status import AttemptStatus
from waypost.compiler.node_settings import isolation_of
from waypost.engine.state.transition import Transition
from waypost.kube.egress.policy import is_limited
from waypost.kube.facts.pods import PodFact
from waypost.kube.pod_isolation import IsolationFact
from waypost.protocol.isolation import PROBE
from waypost.protocol.text import printable, shorten

_MESSAGE: Final = 256
# Of several pods of an attempt, the one that counts: the worst first.
_WORST: Final[tuple[State, ...]] = ("unavailable", "off", "applied", "verified")
_DROPPED: Final[dict[Control, str]] = {
    "Egress": "the pod lacks the label that its NetworkPolicy selects",
    "UserNamespace": "the cluster dropped hostUsers: false, or the pod was changed",
    "RuntimeClass": "the pod has no runtimeClassName, so it was changed",
    "Seccomp": "the pod has no seccomp profile, so it was changed",
    "Restricted": "the securityContext of the pod was changed",
}
_MISSING: Final = "the probe in the pod saw that it does not hold"

Found = tuple[State, str]  # with the reason for unavailable


def count(transition: Transition, path: str, attempt: AttemptStatus) -> None:
    """Add an attempt that ends in this pass: once, because the same write closes it.

    Counted is what pods show whose program has started. One that its probe has refused counts for
    Egress only: nothing of the node has run.
    """
    wanted = isolation_of(transition.spec, transition.node(path))
    found = [_of_pod(pod, wanted) for pod in transition.observed.pods_of(path, attempt)]
    for control in CONTROLS:
        seen = [one[control] for one in found if control in one]
        if seen:
            state, why = min(seen, key=lambda one: _WORST.index(one[0]))
            text = shorten(f"{path}: {printable(why)}", _MESSAGE) if why else ""
            transition.isolation = _added(transition.isolation, control, state, text)


def _of_pod(pod: PodFact, wanted: Isolation) -> dict[Control, Found]:
    refused = pod.init is not None and pod.init.reason == "Failed" and pod.init.name == PROBE
    if refused and pod.init is not None:
        return {"Egress": ("unavailable", pod.init.text)}
    if pod.started_at is None:
        return {}
    asked = _asked(wanted)
    return {control: _state(control, pod.isolation, control in asked) for control in CONTROLS}


def _asked(wanted: Isolation) -> set[Control]:
    asked: set[Control] = {"Seccomp", "Restricted"}
    if is_limited(wanted):
        asked.add("Egress")
    if wanted.host_users is False:
        asked.add("UserNamespace")
    if wanted.runtime_class_name is not None:
        asked.add("RuntimeClass")
    return asked


def _state(control: Control, fact: IsolationFact, asked: bool) -> Found:
    if control not in fact.declared:
        return ("unavailable", _DROPPED[control]) if asked else ("off", "")
    if control in fact.measured.missing:
        return "unavailable", fact.measured.problem if control == "Egress" else _MISSING
    # A probe that ended well has let the program start because egress held.
    passed = control == "Egress" and fact.probe_ended and not fact.report_only
    verified = passed or control in fact.measured.held
    return ("verified" if verified else "applied"), ""


def _added(
    counts: Sequence[ControlStatus], control: Control, state: State, text: str
) -> tuple[ControlStatus, ...]:
    """The counts with one more, in the order of the controls."""
    known = {one.control: one for one in counts}
    before = known.get(control, ControlStatus(control=control))
    numbers = {name: getattr(before, name) for name in STATES}
    numbers[state] = (numbers[state] or 0) + 1
    known[control] = ControlStatus(control=control, **numbers, message=text or before.message)
    return tuple(known[name] for name in CONTROLS if name in known)
