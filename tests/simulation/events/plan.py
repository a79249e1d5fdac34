"""What one seed of events stands for: runs that wait, alone, as candidates, for each item of a list
or again and again; events that are sent, events that start runs, and what goes wrong."""

import random
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from waypost.api.base import JsonObject

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import python, spec
from tests.support.children import calls

TROUBLES: Final = (
    "kill",
    "freeze",
    "freeze_acting",
    "lost",
    "second",
    "cancel",
    "rerun",
    "delete_event",
    "refused",
)
SECONDS: Final = 120.0  # how long runs begin, events are sent and troubles begin
LISTED: Final = "github"  # the source that the template lists
TEMPLATE: Final = "triage"
_NAMES: Final = ("paid", "failed")
_KEYS: Final = ("A", "B", "")  # "": none, so only events for the run
WAITER: Final = "waiter"  # the template that the items and iterations of callers run
MORE_TROUBLES: Final = ("suspend", "cancel_child", "again", "delete_caller")


@dataclass(frozen=True)
class Wait:
    """A node that waits."""

    name: str
    names: tuple[str, ...]
    key: str
    typed: bool  # the payload must be a whole number
    timeout: int  # seconds; 0: none
    on_timeout: Literal["Fail", "Continue"]


@dataclass(frozen=True)
class Run:
    """A run, and when it is created."""

    name: str
    at: float
    waits: tuple[Wait, ...]
    chooses: bool = False  # its waits are candidates of a first node


@dataclass(frozen=True)
class Caller:
    """A run whose node runs a template with a wait, for each key or one key after the other."""

    name: str
    at: float
    keys: tuple[str, ...]
    repeats: bool  # a loop with the first key, as often as there are keys
    timeout: int  # seconds of each wait; 0: none
    parallel: int  # maxParallel of the map

    @property
    def wait(self) -> str:
        """The path of its node."""
        return "again" if self.repeats else "each"


@dataclass(frozen=True)
class Sent:
    """An event, when it is sent, and how often."""

    id: str
    at: float
    name: str
    key: str
    run: str  # for which it is, if it has no key
    payload: Any
    times: int = 1


@dataclass(frozen=True)
class Start:
    """An event that starts a run, and how often it is sent. `allowed`: the template lists its
    source, and takes its inputs."""

    id: str
    at: float
    source: str
    inputs: Any
    times: int = 1

    @property
    def allowed(self) -> bool:
        """Whether a run may follow."""
        return self.source == LISTED and isinstance(self.inputs["n"], int)


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed. `template_at`: when the template of `starts` is created."""

    seed: int
    runs: tuple[Run, ...]
    events: tuple[Sent, ...]
    troubles: tuple[Trouble, ...] = ()
    starts: tuple[Start, ...] = ()
    template_at: float = 0.0
    delivery: Literal["immediate", "rough", "stale"] = "immediate"
    callers: tuple[Caller, ...] = ()
    more_troubles: tuple[Trouble, ...] = ()

    @property
    def kinds(self) -> set[str]:
        """The kinds of its troubles."""
        return {trouble.kind for trouble in (*self.troubles, *self.more_troubles)}

    @property
    def is_orderly(self) -> bool:
        """Whether an operator always sees what is stored of `runs`, which people may run again."""
        kinds = {trouble.kind for trouble in self.troubles}
        return kinds <= {"rerun", "cancel", "delete_event"} and self.delivery == "immediate"

    @property
    def is_undisturbed(self) -> bool:
        """Whether an operator always sees what is stored."""
        return not self.kinds and self.delivery == "immediate"


def body(run: Run) -> JsonObject:
    """The spec of a run. Its nodes wait at the same time."""
    choice = {"name": "pick", "first": {"of": [wait.name for wait in run.waits]}}
    chooser = [{**choice, "onFailure": "Continue"}] if run.chooses else []
    return spec(*map(_node, run.waits), *chooser)


def caller_body(caller: Caller) -> JsonObject:
    """The spec of a caller."""
    node = calls(caller.wait, WAITER, onFailure="Continue")
    if caller.repeats:
        last = len(caller.keys) - 1
        node |= {"inputs": {"key": caller.keys[0]}}
        node |= {"repeat": {"until": f"${{index >= {last}}}", "max": len(caller.keys)}}
    else:
        node |= {"inputs": {"key": "${item}"}}
        node |= {"forEach": {"items": "${inputs.keys}", "maxParallel": caller.parallel}}
        node["forEach"]["tolerate"] = "100%"
    texts = {"type": "array", "items": {"type": "string"}}
    shape = {"type": "object", "properties": {"keys": texts}, "required": ["keys"]}
    outputs = {"got": f"${{nodes.{caller.wait}.?output}}"}
    given = {"keys": list(caller.keys)}
    return spec(node, outputs=outputs, inputs=given, inputSchema=shape)


def waiter(timeout: int) -> JsonObject:
    """The spec of the template that callers run; its wait is called w."""
    block: JsonObject = {"names": list(_NAMES), "key": "${inputs.key}"}
    block |= {"timeout": f"{timeout}s", "onTimeout": "Continue"} if timeout else {}
    shape = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}
    nodes = spec({"name": "w", "event": block}, outputs={"id": "${nodes.w.output.?id}"})
    return {**nodes, "inputSchema": shape}


def called_wait(key: str, timeout: int) -> Wait:
    """The wait of a child run of a caller."""
    return Wait("w", _NAMES, key, typed=False, timeout=timeout, on_timeout="Continue")


def template() -> JsonObject:
    """The spec of the template of `starts`."""
    shape = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    triggers = [{"eventSource": LISTED}]
    return {**spec(python("work")), "inputSchema": shape, "triggers": triggers}


def _node(wait: Wait) -> JsonObject:
    block: JsonObject = {"names": list(wait.names)}
    block |= {"key": wait.key} if wait.key else {}
    block |= {"schema": {"type": "integer"}} if wait.typed else {}
    if wait.timeout:
        block |= {"timeout": f"{wait.timeout}s", "onTimeout": wait.on_timeout}
    return {"name": wait.name, "event": block, "onFailure": "Continue"}


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(f"events {seed}")
    runs = tuple(
        Run(f"run-{number}", round(draw.uniform(0, SECONDS / 2), 2), _waits(draw))
        for number in range(draw.choice((1, 2, 2, 3)))
    )
    events = tuple(_sent(draw, number, runs) for number in range(draw.choice((2, 4, 6, 9))))
    troubles = tuple(
        draw_trouble(draw, TROUBLES, latest=SECONDS * 0.8, seconds=(0.5, 5.0, 14.0, 40.0))
        for _ in range(draw.choice((0, 1, 1, 2, 2, 3)))
    )
    delivery: Any = draw.choice(("immediate", "immediate", "rough", "stale"))
    starts, template_at = _starts(random.Random(f"starts {seed}"))
    made = Plan(seed, runs, events, troubles, starts, template_at, delivery)
    # Drawn apart: what a seed says of plain waits stays.
    return _with_constructs(made, random.Random(f"constructs {seed}"))


def _with_constructs(made: Plan, draw: random.Random) -> Plan:
    """Candidates, maps and loops, events for them, and what people do to these runs."""
    runs = tuple(
        replace(run, chooses=len(run.waits) > 1 and draw.random() < 0.3) for run in made.runs
    )
    timeout = draw.choice((0, 0, 20))
    callers = tuple(
        Caller(
            f"caller-{number}",
            at=round(draw.uniform(0, SECONDS / 2), 2),
            keys=tuple(draw.choice(("A", "C", "C", "D")) for _ in range(draw.choice((2, 3, 5)))),
            repeats=draw.random() < 0.4,
            timeout=timeout,
            parallel=draw.choice((1, 2, 10)),
        )
        for number in range(draw.choice((0, 0, 1, 2)))
    )
    keys = [key for caller in callers for key in caller.keys]
    more = tuple(
        Sent(
            f"m{number}",
            round(draw.uniform(0, SECONDS), 2),
            draw.choice(_NAMES),
            key,
            "",
            number,
            times=draw.choice((1, 1, 5)),
        )
        for number, key in enumerate(keys)
        if draw.random() < 0.8
    )
    troubles = tuple(
        draw_trouble(draw, MORE_TROUBLES, latest=SECONDS * 0.8, seconds=(5.0, 14.0, 40.0))
        for _ in range(draw.choice((0, 1, 2)) if callers else 0)
    )
    return replace(
        made, runs=runs, callers=callers, events=(*made.events, *more), more_troubles=troubles
    )


def _starts(draw: random.Random) -> tuple[tuple[Start, ...], float]:
    made = tuple(
        Start(
            f"s{number}",
            round(draw.uniform(0, SECONDS), 2),
            draw.choice((LISTED, LISTED, LISTED, "other")),
            {"n": draw.choice((number, number, number, "text"))},
            times=draw.choice((1, 1, 5)),
        )
        for number in range(draw.choice((1, 2, 4)))
    )
    return made, draw.choice((0.0, 0.0, SECONDS / 2))


def _waits(draw: random.Random) -> tuple[Wait, ...]:
    on_timeout: Any = draw.choice(("Fail", "Continue"))
    return tuple(
        Wait(
            f"w{number}",
            draw.choice((("paid",), ("paid", "failed"))),
            draw.choice(_KEYS),
            typed=draw.random() < 0.4,
            timeout=draw.choice((0, 0, 10, 30)),
            on_timeout=on_timeout,
        )
        for number in range(draw.choice((1, 2, 2, 3)))
    )


def _sent(draw: random.Random, number: int, runs: tuple[Run, ...]) -> Sent:
    run = draw.choice(runs)
    wait = draw.choice(run.waits)
    at = draw.uniform(0, SECONDS)
    if wait.timeout and draw.random() < 0.7:  # around the timeout
        at = run.at + wait.timeout + draw.choice((-3.0, -1.0, -0.5, -0.1, 0.1, 1.5))
    near = draw.random() < 0.8
    key = wait.key if near else draw.choice(_KEYS)
    payload = draw.choice((number, number, number, "text"))
    return Sent(
        f"e{number}",
        round(at, 2),
        draw.choice(wait.names if near else (*_NAMES, "other")),
        key,
        "" if key else run.name,
        payload,
        times=draw.choice((1, 1, 1, 5)),
    )
