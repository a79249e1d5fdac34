"""What a kind of node provides to the engine, with defaults for most kinds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from waypost.api.base import JsonObject, JsonValue
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.api.workflow import Node
from waypost.engine.state.inputs import Inputs, Invalid, Missing
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.kube.manifests.pod import Rendered
from waypost.kube.workflow_events import Selector
from waypost.protocol.reasons import Reason
from waypost.protocol.request import PythonWork

Stop = Callable[[Transition, str, Reason], None]
Watch = Callable[[Transition, str], None]
Start = Callable[[Transition, str, Inputs], None]
Shown = Callable[[Transition, str, JsonObject, JsonObject], JsonValue | Invalid]
Render = Callable[[Transition, str, JsonObject, AttemptStatus], Rendered | Invalid | Missing]


def nothing_rendered(
    transition: Transition, path: str, view: JsonObject, attempt: AttemptStatus
) -> Rendered:
    """For kinds of which no field is evaluated for the pod."""
    return Rendered()


def no_python(node: Node) -> PythonWork | None:
    """For kinds that run no function of the user."""
    return None


def ends_by_itself(transition: Transition, path: str, *, withdraw: bool) -> None:
    """For kinds that are never in phase Waiting: do nothing."""


def nothing_superseded(status: NodeStatus) -> bool:
    """For kinds that supersede nothing but attempts with a pod, which are watched for all kinds."""
    return False


def no_live_read(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """For kinds that need only what the watch delivers while they wait."""
    return False


def no_events(observed: Observed, status: NodeStatus, now: datetime) -> frozenset[Selector]:
    """For kinds that take no WorkflowEvents."""
    return frozenset()


def nothing_shown(
    transition: Transition, path: str, inputs: JsonObject, view: JsonObject
) -> JsonValue:
    """For kinds that show nothing to people."""
    return None


def nothing_to_clean_up(transition: Transition) -> None:
    """For kinds that leave nothing behind in other rounds."""


@dataclass(frozen=True)
class EngineKind:
    """One kind of node, for the engine.

    Attributes:
        name: As in `api.kinds`.
        start: Starts a node without a pod; None: its attempt is launched as a Job.
        watch: What a pass does for a Running or Superseding node; None: its attempt has a pod.
        stop: Stops a Running node without a pod; its attempt is stopped otherwise.
        advance: What a pass does for a Waiting node; `withdraw`: nothing new may happen, because
            the run winds down.
        is_superseded: Whether a Superseding node still has to stop what only this kind watches,
            although a round may have made it a node of another kind.
        needs_live_read: Whether a Waiting node, or one with a child run, needs a live read before
            a decision.
        needed_events: The WorkflowEvents that a Waiting node needs to read live.
        clean_up: What every pass does for nodes of the kind that are no longer in the spec.
        shown: What people are shown of an item, from its path, inputs and evaluation context: an
            item with the same inputs is another one if this differs.
        render: The fields of the kind that its pod gets, evaluated.
        python: The function of the user that the pod calls.
        gets_modules: The pod gets spec.modules.
    """

    name: str
    start: Start | None = None
    watch: Watch | None = None
    stop: Stop | None = None
    advance: Callable[..., None] = ends_by_itself
    is_superseded: Callable[[NodeStatus], bool] = nothing_superseded
    needs_live_read: Callable[[Observed, NodeStatus, datetime], bool] = no_live_read
    needed_events: Callable[[Observed, NodeStatus, datetime], frozenset[Selector]] = no_events
    clean_up: Callable[[Transition], None] = nothing_to_clean_up
    shown: Shown = nothing_shown
    render: Render = nothing_rendered
    python: Callable[[Node], PythonWork | None] = no_python
    gets_modules: bool = False
