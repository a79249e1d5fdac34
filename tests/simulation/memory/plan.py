"""What one seed of memory stands for: runs that follow each other, and what goes wrong. Data."""

import random
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from waypost.api.base import JsonObject
from waypost.protocol.agents.sensitive import MARK

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import python, spec

TROUBLES: Final = (
    "kill",
    "freeze",
    "freeze_acting",
    "lost",
    "second",
    "cancel",
    "cancel_late",
    "rerun",
    "forget",
    "delete_entry",
    "refused",
    "refused_for_good",
)
SECONDS: Final = 200.0  # how long runs begin, and troubles
_KEYS: Final = ("customer-1", "customer-1", "customer-2")
_SCOPES: Final = ("triage", "triage", "other")
NUMBER: Final = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "facts": {"type": "array"}},
    "required": ["n"],
}
_SECRET: Final = {"type": "string", MARK: True}
_FACT: Final[Any] = {  # the schema of its facts
    "type": "object",
    "properties": {key: {"type": "string"} for key in ("subject", "text", "token")},
    "required": ["text"],
    "additionalProperties": False,
}
MARKED: Final = {  # NUMBER of a run with marks
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "facts": {
            "type": "array",
            "items": {**_FACT, "properties": {**_FACT["properties"], "token": _SECRET}},
        },
        "token": _SECRET,
    },
    "required": ["n"],
}
_ASKED: Final = {
    "type": "object",
    "properties": {"account": _SECRET, "n": {"type": "integer"}},
    "required": ["account"],
}


@dataclass(frozen=True)
class Run:
    """A run, and when it is created."""

    name: str
    at: float
    scope: str
    key: str
    number: int  # what its node finds
    seconds: float  # of its program
    episodes: int  # memory.read.episodes
    fails: int  # attempts that fail; 2: the run fails
    remembers: bool = True
    queued: bool = False  # for one slot of its key
    suspended: float = 0.0
    cleans_up: bool = False  # it has finally
    states: int = 0  # facts that its node remembers
    reviewed: bool = True  # a person accepts them
    misstates: bool = False  # one attempt states what is no fact
    reads: int = 20  # memory.read.facts
    marks: bool = False  # its output has values that its schema marks
    asks: bool = False  # its inputs have such a value

    @property
    def secret(self) -> str:
        """What its marked values are."""
        return f"canary-of-{self.name}"

    def facts(self, attempt: int) -> list[JsonObject]:
        """What its node states in an attempt that succeeds: each attempt something else."""
        said = f"{self.name}/{attempt}"
        stated = [{"subject": f"s{at}", "text": said} for at in range(self.states)]
        return [{**one, "token": self.secret} for one in stated] if self.marks else stated

    def output(self, attempt: int) -> JsonObject:
        """What its node gives in an attempt that succeeds."""
        wrong = [{"text": 5}] if self.is_misstated(attempt) else []
        given: JsonObject = {"n": self.number, "facts": [*self.facts(attempt), *wrong]}
        return {**given, "token": self.secret} if self.marks else given

    @property
    def inputs(self) -> JsonObject:
        """The inputs of a run that asks."""
        return {"account": self.secret, "n": self.number}

    def is_misstated(self, attempt: int) -> bool:
        """Whether this attempt also states what is no fact, and fails by it."""
        return self.misstates and attempt == self.fails + 1


@dataclass(frozen=True)
class Review:
    """A person accepts or rejects one of the facts that are there at a time."""

    at: float
    number: int
    accepts: bool


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed."""

    seed: int
    runs: tuple[Run, ...]
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough", "stale"] = "immediate"
    reviews: tuple[Review, ...] = ()

    @property
    def kinds(self) -> set[str]:
        """The kinds of its troubles."""
        return {trouble.kind for trouble in self.troubles}


def body(run: Run) -> JsonObject:
    """The spec of a run: its node reads what the last run of its memory found."""
    before = "${memory.?last.?outputs.?n.orValue(-1)}"
    good = "${memory.?lastSucceeded.?outputs.?n.orValue(-1)}"
    schema = MARKED if run.marks else NUMBER
    node = python("a", inputs={"before": before, "good": good}, outputSchema=schema)
    node["retry"] = {"limit": 1, "backoff": {"initial": "1s"}}
    memory: JsonObject = {
        "key": run.key,
        "read": {"episodes": run.episodes, "facts": run.reads},
        "review": "Required" if run.reviewed else "Automatic",
    }
    if run.states:
        node["remember"] = {"facts": "${self.output.facts}"}
    if run.remembers:
        memory["remember"] = {"n": "${nodes.a.output.n}", "before": before}
        memory["remember"] |= {"all": "${nodes.a.output}"} if run.marks else {}
        memory["remember"] |= {"asked": "${inputs}"} if run.asks else {}
    if run.marks:
        memory["factSchema"] = _FACT
    made = spec(node, memory=memory)
    if run.asks:
        made |= {"inputs": run.inputs, "inputSchema": _ASKED}
    if run.queued:
        made["concurrency"] = {"key": run.key}
    if run.suspended:
        made["suspend"] = True
    if run.cleans_up:
        made["finally"] = [python("tidy")]
    return made


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(f"memory {seed}")
    queued = draw.random() < 0.3
    runs = tuple(_run(draw, number, queued) for number in range(draw.choice((2, 3, 4, 6))))
    troubles = tuple(
        draw_trouble(draw, TROUBLES, latest=SECONDS * 0.8, seconds=(0.5, 5.0, 14.0, 60.0))
        for _ in range(draw.choice((0, 1, 1, 2, 2, 3)))
    )
    delivery: Any = draw.choice(("immediate", "immediate", "rough", "stale"))
    # Drawn apart: what a seed says of Episodes stays when facts are changed.
    more = random.Random(f"facts {seed}")
    runs = tuple(_stating(more, run) for run in runs)
    reviews = tuple(
        Review(round(more.uniform(0, SECONDS), 2), more.randrange(100), more.random() < 0.5)
        for _ in range(more.choice((0, 2, 6, 12)))
    )
    marked = random.Random(f"marks {seed}")
    runs = tuple(_marking(marked, run) for run in runs)
    return Plan(seed, runs, troubles, delivery, reviews)


def _marking(draw: random.Random, run: Run) -> Run:
    marks, asks = draw.random() < 0.3, draw.random() < 0.2
    # The schema of marked facts is whole, so a fact that is none would be no output.
    return replace(run, marks=marks, asks=asks, misstates=run.misstates and not marks)


def _stating(draw: random.Random, run: Run) -> Run:
    return replace(
        run,
        states=draw.choice((0, 1, 2, 3)),
        reviewed=draw.random() < 0.5,
        misstates=draw.random() < 0.25,
        reads=draw.choice((0, 1, 20, 20)),
    )


def _run(draw: random.Random, number: int, queued: bool) -> Run:
    return Run(
        name=f"run-{number}",
        at=round(draw.uniform(0, SECONDS * 0.7), 2),
        scope=draw.choice(_SCOPES),
        key=draw.choice(_KEYS),
        number=number,
        seconds=draw.choice((1.0, 4.0, 15.0)),
        episodes=draw.choice((1, 1, 2, 20, 0)),
        fails=draw.choice((0, 0, 0, 1, 2)),
        remembers=draw.random() < 0.9,
        queued=queued,
        suspended=draw.choice((0.0, 0.0, 0.0, 30.0)),
        cleans_up=draw.random() < 0.3,
    )
