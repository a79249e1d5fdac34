"""What one seed stands for: a map whose items make folders, the nodes that take them, and what goes
wrong. Data only.

The content of a folder follows from the value of its item and from the attempt.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from waypost.ports.cluster import Obj
from waypost.protocol.artifacts.request import Content

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import agent, python

RUN: Final = "items"
MAP: Final = "scan"
LIMIT: Final = 3  # retries of each item
LINGERS: Final = 4000.0  # seconds, longer than two visits of the sweep
Act = Literal["good", "fails", "dies", "unrecorded"]
TROUBLES: Final = ("kill", "freeze", "lost", "suspend", "evict", "unread")
# How the folders are taken: all by one node, one by each item of a map over the same list or over
# the artifacts, by a child run, as attachments.
TAKERS: Final = ("all", "each", "over", "child", "look")
AGAIN: Final = ("", "reordered", "item", "all")


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed.

    Attributes:
        seed: The seed.
        values: The items.
        acts: What the first attempts of each value do; every later one is good.
        failing: Values that never succeed; the map tolerates them.
        takers: The nodes that take the folders.
        parallel: `maxParallel`.
        slow: The value whose first good attempt lasts long; "" for none.
        again: What the second round repeats; `later` are its items if they are reordered.
        later: See `again`.
        swept: The play lasts until the sweep has removed what nothing names.
        troubles: What goes wrong.
        delivery: How watches deliver.
    """

    seed: int
    values: tuple[str, ...]
    acts: dict[str, tuple[Act, ...]]
    failing: frozenset[str]
    takers: tuple[str, ...]
    parallel: int
    slow: str = ""
    again: str = ""
    later: tuple[str, ...] = ()
    swept: bool = False
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"

    def act(self, value: str, attempt: int) -> Act:
        """What an attempt for a value does."""
        if value in self.failing:
            return "fails"
        acts = self.acts[value]
        return acts[attempt - 1] if attempt <= len(acts) else "good"


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(seed)
    values = tuple(f"v{number}" for number in draw.sample(range(20), draw.choice((1, 2, 3, 5, 8))))
    kinds: list[Act] = ["fails", "dies", "unrecorded"]
    acts = {v: tuple(draw.choices(kinds, k=draw.choice((0, 0, 0, 1, 2)))) for v in values}
    failing = frozenset(v for v in values if draw.random() < 0.15)
    takers = tuple(one for one in TAKERS if draw.random() < 0.5) or ("all",)
    later = [*values, "new"][draw.randint(0, 1) :]
    draw.shuffle(later)
    slow = draw.choice(values) if draw.random() < 0.25 else ""
    if slow:
        acts[slow] = ()
    return Plan(
        seed,
        values,
        {**acts, "new": ()},
        failing,
        takers,
        parallel=draw.randint(1, 4),
        slow=slow,
        again=draw.choice(AGAIN),
        later=tuple(later),
        swept=draw.random() < 0.4,
        troubles=tuple(draw_trouble(draw, TROUBLES) for _ in range(draw.choice((0, 1, 1, 2, 3)))),
        delivery=draw.choice(("immediate", "immediate", "rough")),
    )


def content(value: str, attempt: int) -> Content:
    """What an attempt for a value makes."""
    digest = hashlib.sha256(f"{value} {attempt}".encode()).hexdigest()
    return Content(f"sha256:{digest}", 1024 + attempt, 1)


def spec_of(planned: Plan) -> Obj:
    """The manifest's spec."""
    scan = python(
        MAP,
        forEach={"items": "${inputs.list}", "maxParallel": planned.parallel, "tolerate": "100%"},
        inputs={"value": "${item}"},
        artifacts={"out": [{"name": "repo", "path": "/data/out"}]},
        timeout="2h",
        retry={"limit": LIMIT, "backoff": {"initial": "1s"}},
    )
    nodes = [scan, *(_BUILDERS[one]() for one in planned.takers)]
    spec: Obj = {"nodes": nodes, "inputs": {"list": list(planned.values)}}
    return {**spec, "templates": [_TEMPLATE]} if "child" in planned.takers else spec


_LIST: Final = f"nodes.{MAP}.artifacts.repo"
_RETRIED: Final[Obj] = {"retry": {"limit": 5, "backoff": {"initial": "1s"}}}
_TEMPLATE: Final[Obj] = {
    "name": "t",
    "inputSchema": {
        "type": "object",
        "required": ["given"],
        "properties": {
            "given": {
                "type": "array",
                "items": {"anyOf": [{"$ref": "#/schemas/Artifact"}, {"type": "null"}]},
            }
        },
    },
    "nodes": [
        python(
            "inner",
            artifacts={"in": [{"from": "${inputs.given}", "path": "/data/in"}]},
            **_RETRIED,
        )
    ],
}


def _all() -> Obj:
    return python(
        "all", artifacts={"in": [{"from": f"${{{_LIST}}}", "path": "/data/in"}]}, **_RETRIED
    )


def _each() -> Obj:
    entry = {"from": f"${{[{_LIST}[index]]}}", "path": "/data/in"}
    return python(
        "each",
        forEach={"items": "${inputs.list}"},
        inputs={"value": "${item}"},
        artifacts={"in": [entry]},
        **_RETRIED,
    )


def _over() -> Obj:
    return python(
        "over",
        forEach={"items": f"${{{_LIST}.filter(one, one != null)}}"},
        inputs={"digest": "${item.digest}"},
        artifacts={"in": [{"from": "${item}", "path": "/data/in"}]},
        **_RETRIED,
    )


def _child() -> Obj:
    return {"name": "child", "workflow": {"template": "t"}, "inputs": {"given": f"${{{_LIST}}}"}}


def _look() -> Obj:
    return agent("look", attachments=[{"from": f"${{{_LIST}}}"}], **_RETRIED)


_BUILDERS: Final[dict[str, Callable[[], Obj]]] = {
    "all": _all,
    "each": _each,
    "over": _over,
    "child": _child,
    "look": _look,
}
