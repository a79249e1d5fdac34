"""What one seed stands for: a map that asks people, what these do, and what goes wrong. Data."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.focused.troubles import Trouble, draw_trouble

RUN: Final = "pay"
OPERATORS: Final = ("kill", "freeze", "lost", "lost_answer")
TROUBLES: Final = (*OPERATORS, "suspend", "cancel", "delete", "contradict", "shuffle", "price")
# Only in plans of strict mode: the admission policy is removed or only audits, for a while.
UNGUARD: Final = "unguard"
_SOURCE: Final = "def run(**inputs):\n    return inputs\n"

Act = Literal["yes", "no", "never"]


@dataclass(frozen=True)
class Person:
    """What is done about one value."""

    act: Act
    after: float  # seconds after the Approval exists
    relents: bool = True  # says yes in the next round


@dataclass(frozen=True)
class Level:
    """The people who are asked when those before did not answer in time; all do the same."""

    act: Act
    after: float  # seconds after they are asked
    timeout: int

    @property
    def user(self) -> str:
        """Who is asked; two levels in a row have different people."""
        return f"boss-{self.timeout}"


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed."""

    seed: int
    values: tuple[int, ...]
    people: dict[int, Person]  # by value
    tolerate: int | str | None = None
    max_parallel: int | None = None
    continues: bool = False  # onDenied
    timeout: int | None = None
    fails: bool = False  # onTimeout
    breaks: float | None = None  # another node fails then, and with it the run
    deadline: int | None = None
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"
    strict: bool = False  # answers count only if they are verified
    levels: tuple[Level, ...] = ()  # of escalation

    @property
    def may_miss(self) -> bool:
        """Whether an operator may see an answer long after it was given."""
        missed = {*OPERATORS, "lost_answer", UNGUARD}
        return self.delivery == "rough" or bool(self.kinds & missed)

    @property
    def kinds(self) -> set[str]:
        return {trouble.kind for trouble in self.troubles}

    @property
    def is_undisturbed(self) -> bool:
        """Whether only operators and the network are disturbed, and nothing else ends the run."""
        calm = self.breaks is None and self.deadline is None
        return calm and self.kinds <= {*OPERATORS, "suspend", "delete"}

    def person(self, value: int, level: int) -> Person:
        """What is done about a value by the people of a level."""
        if not level:
            return self.people[value]
        asked = self.levels[level - 1]
        return Person(asked.act, asked.after)

    def timeout_of(self, level: int) -> int | None:
        """The time that the people of a level have."""
        return self.levels[level - 1].timeout if level else self.timeout

    def allowed(self, total: int) -> int:
        """How many of the items may fail."""
        if isinstance(self.tolerate, str):
            return total * int(self.tolerate[:-1]) // 100
        return self.tolerate or 0


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(f"questions {seed}")
    total = draw.choice((0, 1, 2, 3, 4, 5, 6, 8))
    values = tuple(draw.randint(1, 7) for _ in range(total))
    timeout = draw.choice((None, 25, 25, 60))
    wary = draw.random() < 0.5
    people = {value: _person(draw, timeout, wary=wary) for value in range(1, 8)}
    troubles = tuple(
        draw_trouble(draw, (*TROUBLES, *OPERATORS)) for _ in range(draw.choice((0, 0, 1, 1, 2, 3)))
    )
    # Not of `draw`: the plans of before stay what they were.
    other = random.Random(f"strict questions {seed}")
    strict = other.random() < 0.3
    if strict:
        kinds = (UNGUARD,) * other.choice((0, 1, 1, 2))
        troubles = (*troubles, *(draw_trouble(other, (kind,)) for kind in kinds))
    return Plan(
        seed,
        values,
        people,
        tolerate=draw.choice((None, None, 1, 2, "50%", "100%")),
        max_parallel=draw.choice((None, None, 1, 2, 3)),
        continues=draw.random() < 0.3,
        timeout=timeout,
        fails=draw.random() < 0.3,
        breaks=draw.choice((None,) * 6 + (3.0, 15.0)),
        deadline=draw.choice((None,) * 8 + (10, 30)),
        troubles=troubles,
        delivery=draw.choice(("immediate", "immediate", "rough")),
        strict=strict,
        levels=_levels(seed) if timeout is not None else (),
    )


def _levels(seed: int) -> tuple[Level, ...]:
    draw = random.Random(f"escalated questions {seed}")  # the plans of before stay what they were
    timeouts = draw.choice(((), (), (20,), (35,), (20, 35), (35, 20, 35)))
    return tuple(
        Level(
            draw.choice(("yes", "yes", "no", "never")),
            draw.choice((1.0, 5.0, timeout - 0.5, timeout + 0.5)),
            timeout,
        )
        for timeout in timeouts
    )


def _person(draw: random.Random, timeout: int | None, *, wary: bool) -> Person:
    acts: tuple[Act, ...] = ("yes", "yes", "yes", "no") if wary else ("yes",)
    if timeout is not None and wary:
        acts = (*acts, "never")
    late = (timeout - 0.5, timeout + 0.5) if timeout is not None else ()
    return Person(draw.choice(acts), draw.choice((0.5, 2.0, 6.0, 15.0, *late)), draw.random() < 0.8)


def body(planned: Plan, price: int = 1) -> Obj:
    """The spec of the run, with this price in its first node."""
    for_each: Obj = {"items": "${inputs.values}"}
    if planned.tolerate is not None:
        for_each["tolerate"] = planned.tolerate
    if planned.max_parallel is not None:
        for_each["maxParallel"] = planned.max_parallel
    asked: Obj = {
        "message": "Pay ${item} at ${nodes.price.output.n}?",
        "approvers": {"users": ["ann"]},
    }
    if planned.timeout is not None:
        asked |= {
            "timeout": f"{planned.timeout}s",
            "onTimeout": "Fail" if planned.fails else "Deny",
        }
    if planned.levels:
        levels: list[Obj] = [
            {"approvers": {"users": [level.user]}, "timeout": f"{level.timeout}s"}
            for level in planned.levels
        ]
        levels[-1]["onTimeout"] = asked["onTimeout"]
        asked |= {"onTimeout": "Escalate", "escalation": levels}
    if planned.continues:
        asked["onDenied"] = "Continue"
    one = "one.decision" if planned.tolerate is None else "one == null ? 'none' : one.decision"
    nodes: list[Obj] = [
        {"name": "price", "inputs": {"n": price}, "python": {"source": _SOURCE}},
        {"name": "ask", "approval": asked, "forEach": for_each},
        {
            "name": "pay",
            "python": {"source": _SOURCE},
            "inputs": {"said": f"${{nodes.ask.output.map(one, {one})}}"},
        },
    ]
    if planned.breaks is not None:
        nodes.append({"name": "other", "python": {"source": _SOURCE}})
    spec: Obj = {"inputs": {"values": list(planned.values)}, "nodes": nodes}
    if planned.deadline is not None:
        spec["deadline"] = f"{planned.deadline}s"
    return spec


def text_of(value: int, price: int) -> str:
    """What an approver reads."""
    return f"Pay {value} at {price}?"
