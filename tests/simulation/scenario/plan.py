"""What one seed stands for: a workflow, what its programs do, what its users do, what goes wrong.

Everything here is data. `generate` draws it, `stage` plays it, `interpreter` says how it must end.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.scenario.template_plan import TemplatePlan

if TYPE_CHECKING:
    from tests.simulation.scenario.undo import Undo

ExitCodes = tuple[Literal["retry", "fail"], int]
NodeKind = Literal["python", "container", "agent", "http", "approval", "wait", "first"]
RUN: Final = "brief"
SCHEMA: Final[Obj] = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
}
# The field of an output that `Read` forms speak of, where it is not n.
FIELDS: Final = {"approval": "decision", "wait": "until", "http": "status"}
AMPLE: Final = 36000.0  # a deadline that never passes
NOTHING: Final = "NOTHING"  # no fallbackOutput; None is a value

# Kinds of Trouble.
STRANGE: Final = frozenset(
    {"refuse", "record_gone", "queue", "sidecars", "withhold", "silence", "suspend_job"}
)
STRANGE_ACTS: Final = frozenset({"unstartable", "initless", "initpull"})
# Programs that the kubelet starts again: a webhook has changed the restartPolicy of their pod, or
# their container is gone from its machine.
REPEATED_ACTS: Final = frozenset({"repeats", "vanishes"})

# Forms of a reference to another node. `%(x)s` is the node, `%(f)s` the field.
READS: Final = {
    "whole": "${nodes.%(x)s.output}",
    "field": "${nodes.%(x)s.output.%(f)s}",
    "text": "v=${nodes.%(x)s.output.%(f)s}!",
    "has": "${has(nodes.%(x)s.output)}",
    "phase": "${nodes.%(x)s.phase}",
    "maybe": "${nodes.%(x)s.?output.?%(f)s}",
    "reason": "${nodes.%(x)s.error.reason}",
    "verdict": "${run.phase}",  # of no node; in finally only
    "counts": "${nodes.%(x)s.items.failed}",  # of a map
}
SOFT_READS: Final = frozenset({"has", "phase", "maybe", "reason", "verdict"})
WHENS: Final = {
    "true": "${true}",
    "false": "${false}",
    "flag": "${inputs.flag}",
    "broken": "${int(inputs.text) > 0}",  # fails when it is evaluated, and only then
    "large": "${nodes.%(x)s.output.%(f)s > 500}",
    "has": "${has(nodes.%(x)s.output)}",
    "succeeded": "${nodes.%(x)s.phase == 'Succeeded'}",
    "approved": "${nodes.%(x)s.output.decision == 'Approved'}",
}
ACCEPTS: Final = {
    "large": "${candidate.output.n > 500}",
    "named": "${candidate.name != '%s'}",
}
SOFT_WHENS: Final = frozenset({"has", "succeeded"})


@dataclass(frozen=True)
class Read:
    """One input: a form of READS, and the node it reads."""

    form: str
    node: str


@dataclass(frozen=True)
class When:
    """A condition: a form of WHENS, and the node it looks at, if any."""

    form: str
    node: str = ""


@dataclass(frozen=True)
class Act:
    """What a program does in one attempt: a name of `programs.ACTS`, its number, its length."""

    name: str
    n: int = 0
    seconds: float = 1.0
    code: int = 1  # with which a container that fails ends


@dataclass(frozen=True)
class Answer:
    """What a human puts on an Approval, so many seconds after it is asked."""

    after: float
    decision: Literal["Approved", "Denied"]


@dataclass(frozen=True)
class Level:
    """A level of escalation: how long its people have, and what they answer."""

    patience: float
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Loop:
    """`repeat` of a node: until its output's n is `above` a number."""

    above: int
    max: int
    pause: float = 0.0  # seconds
    succeeds: bool = False  # onLimit: Succeed


@dataclass(frozen=True)
class Node:
    """One node and its programs. `acts` by attempt, the last one for all more."""

    name: str
    kind: NodeKind
    reads: tuple[Read, ...] = ()
    depends_on: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    when: When | None = None
    comes: bool = False  # only with a round that adds it
    last: bool = False  # in finally
    tolerated: bool = False  # onFailure: Continue
    pauses: bool = False  # onFailure: Pause
    fallback: Any = NOTHING
    schema: bool = False
    limit: int = 0
    backoff: float = 1.0
    once: bool = False
    codes: ExitCodes | None = None  # retry.exitCodes
    timeout: float = 600.0
    queue_timeout: float = 600.0
    deadline: float | None = None  # over all attempts
    method: str = "GET"
    acts: tuple[Act, ...] = ()
    loop: Loop | None = None
    undo: "Undo | None" = None  # its compensation
    makes: bool = False  # an artifact
    takes: tuple[str, ...] = ()  # the artifacts of these nodes
    candidate: bool = False  # of a first node, which tolerates its failure unless it says otherwise
    egress: str = ""  # None or Gateway; "" is not limited
    places: int = 0  # limit of the key that its attempts hold; 0: none
    # Of first nodes.
    of: tuple[str, ...] = ()
    accepts: str = "any"  # a form of ACCEPTS
    refuses: str = ""  # the candidate that "named" does not accept
    finishes: bool = False  # others: Finish
    # Of gates and waits.
    patience: float | None = None  # timeout of the gate; None: it waits without limit
    denied_continues: bool = False
    expiry_fails: bool = False
    answers: tuple[Answer, ...] = ()
    levels: tuple[Level, ...] = ()  # of escalation, after the gate's own people
    seconds: float = 30.0
    computed: bool = False  # the duration is an expression
    # Of maps: the list, and the acts of the program by value of the item.
    values: tuple[int, ...] | None = None
    item_acts: tuple[tuple[Act, ...], ...] = ()
    max_parallel: int = 10
    tolerate: int | str = 0
    collects: bool = True

    def patience_at(self, level: int) -> float | None:
        """The timeout of a gate at a level of escalation."""
        return self.levels[level - 1].patience if level else self.patience

    def answers_at(self, level: int) -> tuple[Answer, ...]:
        """What people answer at a level of escalation."""
        return self.levels[level - 1].answers if level else self.answers

    @property
    def has_pod(self) -> bool:
        return self.kind not in ("approval", "wait", "first")

    @property
    def is_map(self) -> bool:
        return self.values is not None

    @property
    def list_input(self) -> str:
        """The input of the run that has the list of a map."""
        return f"list_{self.name}"

    def item(self, path: str, value: int) -> "Node":
        """One item as a node: what its program does follows from its value."""
        acts = self.item_acts[value % len(self.item_acts)]
        return replace(self, name=path, values=None, acts=acts)

    def allowed_failures(self, total: int) -> int:
        """How many of `total` items may fail."""
        if isinstance(self.tolerate, str):
            return int(total * float(self.tolerate[:-1]) / 100 + 1e-9)
        return self.tolerate

    @property
    def field(self) -> str:
        return FIELDS.get(self.kind, "n")

    @property
    def never_twice(self) -> bool:
        """effect: once, said or by the method."""
        return self.once or (self.kind == "http" and self.method == "POST")

    @property
    def hard(self) -> tuple[str, ...]:
        """Nodes that must have given an output first."""
        hard = [read.node for read in self.reads if read.form not in SOFT_READS]
        if self.when is not None and self.when.node and self.when.form not in SOFT_WHENS:
            hard.append(self.when.node)
        return (*self.depends_on, *hard, *self.takes)

    @property
    def upstream(self) -> tuple[str, ...]:
        """Nodes that must have ended first."""
        soft = [read.node for read in self.reads if read.form in SOFT_READS and read.node]
        if self.when is not None and self.when.node and self.when.form in SOFT_WHENS:
            soft.append(self.when.node)
        return (*self.hard, *soft, *self.after, *self.of)

    def without(self, gone: Collection[str]) -> "Node":
        """The node in a workflow that lacks these nodes."""
        keeps_when = self.when is None or self.when.node not in gone
        return replace(
            self,
            reads=tuple(read for read in self.reads if read.node not in gone),
            depends_on=tuple(name for name in self.depends_on if name not in gone),
            after=tuple(name for name in self.after if name not in gone),
            of=tuple(name for name in self.of if name not in gone),
            takes=tuple(name for name in self.takes if name not in gone),
            when=self.when if keeps_when else None,
        )


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong, or that a person does. What `at`, `seconds` and `number` mean,
    and what `choice` may be, stands with each kind in `troubles`."""

    kind: str
    at: float = 0.0
    seconds: float = 0.0
    number: int = 0
    choice: str = ""

    def __str__(self) -> str:
        shown = [f"at {self.at:.2f}"] if self.at else []
        shown += [f"for {self.seconds:.1f} s"] if self.seconds else []
        shown += [f"number {self.number}"] if self.number else []
        shown += [self.choice] if self.choice else []
        return f"{self.kind}: {', '.join(shown)}" if shown else self.kind


@dataclass(frozen=True)
class Round:
    """A round that a person begins, so many seconds after the one before has begun or has ended.
    Nodes are named as in spec.rerun. In the same update the definition of `edit` changes, `add`
    comes to the workflow, and `drop` goes: each a node, or ""."""

    moment: Literal["begun", "ended"]
    pause: float
    again: tuple[str, ...] = ()
    edit: str = ""
    given: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    add: str = ""
    drop: str = ""
    lists: tuple[tuple[str, tuple[int, ...]], ...] = ()  # new lists of maps
    again_items: tuple[tuple[str, int], ...] = ()  # single items of maps, if they are there

    def without(self, gone: Collection[str]) -> "Round":
        """The round of a workflow that lacks these nodes."""
        return replace(
            self,
            again=tuple(name for name in self.again if name not in gone),
            edit="" if self.edit in gone else self.edit,
            given=tuple(name for name in self.given if name not in gone),
            skip=tuple(name for name in self.skip if name not in gone),
            add="" if self.add in gone else self.add,
            drop="" if self.drop in gone else self.drop,
            lists=tuple(each for each in self.lists if each[0] not in gone),
            again_items=tuple(each for each in self.again_items if each[0] not in gone),
        )


@dataclass(frozen=True)
class Scenario:
    """All that follows from a seed."""

    seed: int
    nodes: tuple[Node, ...]  # in topological order, those that come with a round too
    troubles: tuple[Trouble, ...] = ()
    parallelism: int = 20
    tokens: int | None = None  # spec.budget.tokens
    flag: bool = True
    outputs: tuple[Read, ...] = ()
    latency: float = 0.02
    deliveries: tuple[str, ...] = ("immediate",)  # of the watches of operators, in turn
    rounds: tuple[Round, ...] = ()
    deadline: float | None = None  # of the run, in each round
    finally_deadline: float | None = None
    template: TemplatePlan | None = None  # the run is one of a template

    def without(
        self,
        *,
        nodes: Collection[str] = (),
        troubles: Collection[int] = (),
        rounds: Collection[int] = (),
    ) -> "Scenario":
        """A smaller scenario. Troubles and rounds are named by their place."""
        alone = {n.name for n in self.nodes if n.of and len(set(n.of) - set(nodes)) < 2}
        nodes = {*nodes, *alone}  # nothing is left to choose between
        left = tuple(node.without(nodes) for node in self.nodes if node.name not in nodes)
        return replace(
            self,
            nodes=left,
            outputs=tuple(read for read in self.outputs if read.node not in nodes),
            troubles=tuple(t for at, t in enumerate(self.troubles) if at not in troubles),
            rounds=tuple(r.without(nodes) for at, r in enumerate(self.rounds) if at not in rounds),
        )

    @property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def may_refuse_creates(self, at: float, *, retried: float) -> bool:
        """Whether requests fail at a time, or failed less than `retried` seconds before."""
        return any(
            trouble.kind in ("faults", "outage")
            and trouble.at <= at <= trouble.at + trouble.seconds + retried
            for trouble in self.troubles
        )

    @property
    def is_hurried(self) -> bool:
        """Whether a deadline may pass."""
        clocks = (self.deadline, self.finally_deadline, *(node.deadline for node in self.nodes))
        return any(clock is not None and clock < AMPLE for clock in clocks)

    @property
    def is_strange(self) -> bool:
        """Whether others have a hand in the cluster (`strange`)."""
        acts = {act.name for node in self.nodes for act in node.acts}
        odd = acts & (STRANGE_ACTS | REPEATED_ACTS)
        return bool({t.kind for t in self.troubles} & STRANGE or odd)

    @property
    def needs_people(self) -> bool:
        """Whether somebody has to look after the run."""
        return bool(self.rounds) or any(node.pauses for node in self.nodes)

    def downstream(self, name: str) -> set[str]:
        """Everything after a node."""
        found: set[str] = set()
        last = self.by_name[name].last
        for node in self.nodes:  # in topological order
            if node.last is not last:
                continue  # finally runs whatever becomes of the others
            if name in node.upstream or found.intersection(node.upstream):
                found.add(node.name)
        return found
