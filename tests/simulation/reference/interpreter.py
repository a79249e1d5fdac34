"""The reference interpreter (T11): how a run must end, from its plan and from what has
befallen its programs.

It is written from docs/semantics.md and the words of docs/node-protocol.md, and shares no code with
the engine. Where a disturbance makes several ends legal it gives exactly those.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.simulation.reference.loops import ERROR, verdict
from tests.simulation.scenario.plan import NOTHING, Loop, Node, Read, Scenario, When
from tests.simulation.scenario.programs import Gave, Meaning, act_of, exit_code_of
from tests.simulation.watching.evidence import FINAL, AttemptStory

MAX_DISRUPTIONS: Final = 5
MAX_LAUNCHES: Final = 2
MAX_PROVIDER_RETRIES: Final = 5
_NEVER_AGAIN: Final = frozenset(
    {"InputInvalid", "InputTooLarge", "LaunchRejected", "MissingReference", "BudgetExceeded"}
)
_NEVER_LAUNCHED: Final = frozenset({"Unschedulable", "ImagePull", "PodRejected"})
_UNKNOWN: Final = frozenset({"Disrupted", "NodeLost", "ResultLost", "ContainerRestarted"})


@dataclass(frozen=True)
class End:
    """How a node ended. `output` is NOTHING when it gave none."""

    phase: str
    reason: str | None = None
    output: Any = NOTHING
    at: int = field(default=0, compare=False)  # the status write that recorded it
    moment: float = field(default=0.0, compare=False)  # when that was
    late: bool = field(default=False, compare=False)  # it, or an item of it, began in that write
    failed: int = field(default=0, compare=False)  # of a map: how many of its items


CANCELLED: Final = End("Cancelled", "Cancelled")


class Unreadable(Exception):
    """An expression that finds nothing, or the wrong thing."""


LEFT_OUT: Final = object()
VERDICT: Final = "the verdict"  # the key of the verdict among the ends of nodes


def verdict_of(*, cancelled: bool, failed: bool) -> End:
    """How the main nodes of a run ended, together."""
    return End("Cancelled" if cancelled else "Failed" if failed else "Succeeded")


def breaks_finally(node: Node, end: End) -> bool:
    """Whether the end of a node of finally turns a success into FinallyFailed (S124)."""
    late = end == End("Cancelled", "DeadlineExceeded")
    return late or (end.phase == "Failed" and not node.tolerated)


def visible(node: Node, end: End) -> Any:
    """What nodes.<name>.output is: NOTHING when there is none."""
    if end.phase == "Failed" and node.tolerated:
        return node.fallback
    return end.output


def read(form: str, node: Node, end: End) -> Any:
    """The value of a reference; LEFT_OUT for an empty optional. Raises Unreadable."""
    output = visible(node, end)
    match form:
        case "phase":
            return end.phase
        case "has":
            return output != NOTHING
        case "reason":
            if end.phase == "Succeeded":
                raise Unreadable
            return end.reason or ""
        case "maybe":
            if output == NOTHING:
                return LEFT_OUT
            if not isinstance(output, dict):
                raise Unreadable
            return output.get(node.field, LEFT_OUT)
        case "whole" | "counts":
            if output == NOTHING:
                raise Unreadable
            return end.failed if form == "counts" else output
        case "text":
            return f"v={_field(node, output)}!"
        case _:
            return _field(node, output)


def _field(node: Node, output: Any) -> Any:
    if not isinstance(output, dict) or node.field not in output:
        raise Unreadable
    return output[node.field]


def opened(when: When, scenario: Scenario, ends: Mapping[str, End]) -> bool:
    """The condition's value. Raises Unreadable where it has none."""
    match when.form:
        case "true":
            return True
        case "false":
            return False
        case "flag":
            return scenario.flag
        case "broken":
            raise Unreadable
    node, end = scenario.by_name[when.node], ends[when.node]
    match when.form:
        case "has":
            return bool(read("has", node, end))
        case "succeeded":
            return end.phase == "Succeeded"
        case "approved":
            return bool(read("field", node, end) == "Approved")
        case _:
            value = read("field", node, end)
            if type(value) is not int:
                raise Unreadable
            return value > 500


@dataclass(frozen=True)
class Starts:
    """The node runs, with these inputs."""

    inputs: dict[str, Any]


def start(scenario: Scenario, node: Node, ends: Mapping[str, End]) -> Starts | tuple[End, ...]:
    """What becomes of a node once everything before it has ended: it runs, or ends in one of
    these ways (S33)."""
    blocked = tuple(
        End("Skipped", "DependencyFailed" if ends[name].phase == "Failed" else "DependencySkipped")
        for name in node.hard
        if visible(scenario.by_name[name], ends[name]) == NOTHING
    )
    if blocked:
        return blocked
    try:
        if node.when is not None and not opened(node.when, scenario, ends):
            return (End("Skipped", "ConditionFalse"),)
        if node.kind == "first":
            return tuple(one[1] for one in choices_of(scenario, node, ends) if one is not None)
    except Unreadable:
        return (End("Failed", "InputInvalid"),)
    try:
        return Starts(inputs_of(scenario, node.reads, ends, prefix="k"))
    except Unreadable:
        if node.is_map:  # each of its items fails, if it has one
            return (End("Failed", "ItemsFailed"), End("Succeeded"))
        return (End("Failed", "InputInvalid"),)


Choice = tuple[str, End]  # the name of the chosen candidate, or "", and the end of the first node


def choices_of(scenario: Scenario, node: Node, ends: Mapping[str, End]) -> set[Choice | None]:
    """What a first node makes of its candidates; None: it waits (S221 to S225). Two choices are
    legal if the ends of candidates were recorded by several writes in one millisecond.

    Of candidates whose ends stand in the write that chooses, those that began in it come last
    (S469).
    """

    def late(name: str) -> bool:
        return ends[name].late and node.name in ends and ends[name].at == ends[node.name].at

    by_write = sorted(node.of, key=lambda name: (ends[name].at, late(name)))
    by_time = sorted(node.of, key=lambda name: (round(ends[name].moment, 3), late(name)))
    found = [_chosen(scenario, node, order, ends) for order in (by_write, by_time)]
    return {(name, End(end.phase, end.reason)) for name, end in filter(None, found)} or {None}


def _chosen(
    scenario: Scenario, node: Node, order: list[str], ends: Mapping[str, End]
) -> Choice | None:
    for name in order:
        if ends[name].phase != "Succeeded":
            continue
        try:
            if _accepted(node, scenario.by_name[name], ends[name]):
                return name, ends[name]
        except Unreadable:
            return "", End("Failed", "InputInvalid")
    if all(ends[name].phase in FINAL for name in node.of):
        return "", End("Failed", "NoneAccepted")
    return None


def _accepted(node: Node, candidate: Node, end: End) -> bool:
    match node.accepts:
        case "any":
            return True
        case "named":
            return candidate.name != node.refuses
        case _:
            value = _field(candidate, end.output)
            if type(value) is not int:
                raise Unreadable
            return value > 500


def inputs_of(
    scenario: Scenario, reads: Iterable[Read], ends: Mapping[str, End], *, prefix: str
) -> dict[str, Any]:
    """The values of references, by key. Raises Unreadable."""
    values = {
        f"{prefix}{at}": ends[VERDICT].phase
        if one.form == "verdict"
        else read(one.form, scenario.by_name[one.node], ends[one.node])
        for at, one in enumerate(reads)
    }
    return {key: value for key, value in values.items() if value is not LEFT_OUT}


def outputs_of(scenario: Scenario, ends: Mapping[str, End]) -> dict[str, Any]:
    """spec.outputs: those whose source is missing are left out (S43)."""
    values: dict[str, Any] = {}
    for at, one in enumerate(scenario.outputs):
        try:
            values[f"o{at}"] = read(one.form, scenario.by_name[one.node], ends[one.node])
        except Unreadable:
            continue
    return values


# --- attempts ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Again:
    """Another attempt must follow, so many seconds later at the earliest."""

    wait: float


@dataclass
class Patience:
    """What a node has used up of its attempts."""

    retries: int = 0
    disruptions: int = 0
    launches: int = 0
    busy: int = 0
    iterations: int = 0

    def after_iteration(self, node: Node, loop: Loop, output: Any) -> Again | End:
        """What must follow an attempt of a node with repeat that succeeded (S142 to S146)."""
        self.retries = self.disruptions = self.launches = self.busy = 0
        self.iterations += 1
        ended = verdict(node, loop, output)
        if ended == ERROR:
            return End("Failed", "InputInvalid")
        if ended:
            return End("Succeeded")
        if self.iterations >= loop.max:
            return End("Succeeded") if loop.succeeds else End("Failed", "LoopLimit")
        return Again(loop.pause)

    def after(self, node: Node, story: AttemptStory, *, started: bool) -> Again | End:
        """What must follow an attempt that broke."""
        reason = story.reason
        if reason in ("Cancelled", "NotChosen"):
            return End("Cancelled", reason)
        if (pause := _uncounted(node, reason)) is not None:
            return Again(pause)
        if reason in _NEVER_AGAIN:
            return End("Failed", reason)
        if node.never_twice and started:
            return End("Failed", "UnknownEffect" if reason in _UNKNOWN else reason)
        if reason in ("Disrupted", "NodeLost"):
            self.disruptions += 1
            if self.disruptions > MAX_DISRUPTIONS:
                return End("Failed", reason)
            return Again(2.0 ** (self.disruptions - 1))
        if reason in _NEVER_LAUNCHED:
            self.launches += 1
            if self.launches > MAX_LAUNCHES:
                return End("Failed", reason)
            return Again(10.0 * 2 ** (self.launches - 1))
        if reason == "RateLimited" and self.busy < MAX_PROVIDER_RETRIES:
            self.busy += 1
            return Again(5.0 * 2 ** (self.busy - 1))
        if reason == "NodeError" and not _may_repeat(node, story.number):
            return End("Failed", reason)
        if self.retries < node.limit:
            self.retries += 1
            return Again(min(node.backoff * 2 ** (self.retries - 1), 300.0))
        return End("Failed", reason)


def _uncounted(node: Node, reason: str) -> float | None:
    """The pause after an attempt that counts against no limit; None if it counts."""
    if reason == "SlotTaken":  # no attempt of the node (S253)
        return 0.0
    if reason == "KeyMissing" and (node.kind == "http" or not node.never_twice):
        return 60.0  # nothing was sent, and a person may create the Secret (S638)
    return None


def _may_repeat(node: Node, attempt: int) -> bool:
    """Whether retry.exitCodes allows a retry after the exit code of an attempt (S49)."""
    code = exit_code_of(node, act_of(node, attempt))
    if node.codes is None or code is None:
        return True
    rule, listed = node.codes
    return (code == listed) == (rule == "retry")


def end_of(meaning: Meaning) -> str:
    """The word that status has for an attempt with this meaning."""
    return "Succeeded" if isinstance(meaning, Gave) else meaning.reason
