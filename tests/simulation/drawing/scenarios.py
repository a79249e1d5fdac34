"""From a seed to a scenario. Only workflows that the operator must accept are drawn."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tests.simulation.drawing.choices import with_choices
from tests.simulation.drawing.clean_up import with_finally
from tests.simulation.drawing.copies import with_copies
from tests.simulation.drawing.egress import with_egress
from tests.simulation.drawing.escalation import with_escalation
from tests.simulation.drawing.folders import with_folders
from tests.simulation.drawing.held_stops import with_held_stops, with_suspended_jobs
from tests.simulation.drawing.keys import with_missing_keys
from tests.simulation.drawing.loops import with_loops
from tests.simulation.drawing.maps import with_map_candidate, with_maps
from tests.simulation.drawing.others import with_others
from tests.simulation.drawing.refused_once import with_refused_once
from tests.simulation.drawing.repeated import with_repeated
from tests.simulation.drawing.settings import with_settings
from tests.simulation.drawing.silence import with_silence
from tests.simulation.drawing.slots import with_slots
from tests.simulation.drawing.templates import with_template
from tests.simulation.drawing.undo import with_compensations
from tests.simulation.drawing.withheld import with_withheld
from tests.simulation.scenario.plan import (
    AMPLE,
    Act,
    Answer,
    Node,
    NodeKind,
    Read,
    Round,
    Scenario,
    Trouble,
    When,
)

_SIZES: Final = (1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 10, 12, 14)
_KINDS: Final[dict[NodeKind, float]] = {
    "python": 5,
    "container": 3,
    "http": 1,
    "agent": 1.5,
    "approval": 1.5,
    "wait": 1,
}
_ROLES: Final = {"read": 6, "dependsOn": 2, "after": 1, "when": 2}
_FORMS: Final = {"whole": 3, "field": 4, "text": 2, "has": 2, "phase": 1, "maybe": 2, "reason": 1}
_ACTS: Final = {
    "gives": 60,
    "big": 5,
    "echoes": 8,
    "null": 3,
    "holes": 3,
    "fails": 9,
    "invalid": 2,
    "oom": 2,
    "dies": 3,
    "silent": 3,
    "garbage": 2,
    "foreign": 1.5,
    "huge": 1,
    "hangs": 3,
    "saves": 2,
    "limited": 1,
    "late": 2,
    "stuck": 0.7,
    "imageless": 0.7,
}
_NUMBERED: Final = ("python", "container", "agent", "http")  # kinds whose field is an integer
_MACHINES: Final = ("m0", "m1")
_EVICTIONS: Final = (
    "EvictionByEvictionAPI",
    "PreemptionByKubeScheduler",
    "DeletionByTaintManager",
)


def scenario(seed: int) -> Scenario:
    """The scenario of a seed: always the same."""
    rng = random.Random(seed)
    agents = rng.random() < 0.15  # a provider brings probes with it, which take their time
    nodes: list[Node] = []
    for at in range(rng.choice(_SIZES)):
        nodes.append(_node(rng, f"n{at}", nodes, agents=agents))
    nodes = _pausing(random.Random(f"pauses of {seed}"), nodes)
    hurry = random.Random(f"deadlines of {seed}")
    deadlines = hurry.random() < 0.15
    if deadlines:
        nodes = _hurried(hurry, nodes)
    sources = rng.sample(nodes, min(len(nodes), rng.randint(0, 2)))
    made = Scenario(
        seed=seed,
        nodes=tuple(nodes),
        troubles=_troubles(rng),
        parallelism=rng.choice([1, 2, 3, 20, 20]),
        tokens=rng.choice([None, 100, 400]) if agents else None,
        flag=rng.random() < 0.7,
        outputs=tuple(Read(rng.choice(["whole", "phase"]), node.name) for node in sources),
        latency=rng.choice([0.0, 0.02, 0.3]),
        deliveries=tuple(
            _drawn(rng, {"immediate": 4, "delayed": 2, "rough": 3, "stale": 1}) for _ in range(3)
        ),
        deadline=hurry.choice([None, *_DEADLINES]) if deadlines else None,
        rounds=_rounds(random.Random(f"rounds of {seed}"), nodes),
    )
    shaped = _reshaped(random.Random(f"shapes of {seed}"), made, agents=agents)
    shaped = with_maps(with_finally(with_settings(with_others(shaped))))
    shaped = with_map_candidate(with_choices(with_loops(with_template(shaped))))
    shaped = with_slots(with_copies(with_withheld(shaped)))
    shaped = with_refused_once(with_held_stops(with_silence(with_egress(shaped))))
    shaped = with_escalation(with_repeated(with_suspended_jobs(shaped)))
    return with_missing_keys(with_folders(with_compensations(shaped)))


def _reshaped(rng: random.Random, made: Scenario, *, agents: bool) -> Scenario:
    """In some rounds a node comes, or one goes that nothing refers to."""
    rounds, nodes = list(made.rounds), list(made.nodes)
    if not rounds:
        return made
    if rng.random() < 0.4 and (free := _unused(made)) and len(nodes) > 1:
        at = rng.randrange(len(rounds))
        rounds[at] = replace(rounds[at], drop=rng.choice(free))
    if rng.random() < 0.5:
        at, gone = rng.randrange(len(rounds)), {each.drop for each in rounds}
        stays = [node for node in nodes if node.name not in gone]
        new = replace(_node(rng, f"r{at}", stays, agents=agents), comes=True)
        rounds[at] = replace(rounds[at], add=new.name)
        nodes.append(new)
    return replace(made, nodes=tuple(nodes), rounds=tuple(rounds))


def _unused(made: Scenario) -> list[str]:
    """Nodes that nothing refers to."""
    used = {name for node in made.nodes for name in node.upstream}
    used |= {read.node for read in made.outputs}
    for each in made.rounds:
        used |= {*each.again, *each.given, *each.skip, each.edit}
    return [node.name for node in made.nodes if node.name not in used]


def _pausing(rng: random.Random, nodes: list[Node]) -> list[Node]:
    """In every eighth scenario a node or two wait for a person when they fail."""
    strict = [node.name for node in nodes if not node.tolerated]
    if rng.random() > 0.125 or not strict:
        return nodes
    chosen = rng.sample(strict, min(len(strict), rng.choice([1, 1, 2])))
    return [replace(node, pauses=node.name in chosen) for node in nodes]


_DEADLINES: Final = (*[AMPLE] * 6, 5.0, 20.0, 60.0, 150.0)


def _hurried(rng: random.Random, nodes: list[Node]) -> list[Node]:
    """Deadlines for a few nodes, most of which never pass."""
    chosen = rng.sample(nodes, min(len(nodes), rng.choice([0, 1, 2])))
    return [
        replace(node, deadline=rng.choice(_DEADLINES)) if node in chosen and node.has_pod else node
        for node in nodes
    ]


def _rounds(rng: random.Random, nodes: list[Node]) -> tuple[Round, ...]:
    """What a person makes of the run, in every fifth scenario. Drawn by itself, so that it changes
    nothing of the rest."""
    if rng.random() > 0.2:
        return ()
    return tuple(_round(rng, nodes) for _ in range(rng.choice([1, 1, 2])))


def _round(rng: random.Random, nodes: list[Node]) -> Round:
    ended = rng.random() < 0.6
    pause = rng.choice([0.0, 0.5, 5.0, 40.0] if ended else [0.3, 2.0, 8.0, 20.0, 60.0])
    again = tuple(n.name for n in rng.sample(nodes, min(len(nodes), rng.choice([0, 0, 1, 1, 2]))))
    edit = rng.choice(nodes).name if rng.random() < 0.5 else ""
    free = [n.name for n in nodes if n.name not in again and n.kind != "approval"]
    put = rng.choice(free) if free and rng.random() < 0.3 else ""
    left_out = rng.random() < 0.5
    return Round(
        moment="ended" if ended else "begun",
        pause=pause,
        again=again,
        edit=edit,
        given=(put,) if put and not left_out else (),
        skip=(put,) if put and left_out else (),
    )


def _drawn(rng: random.Random, weights: Mapping[Any, float]) -> Any:
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def _node(rng: random.Random, name: str, earlier: list[Node], *, agents: bool) -> Node:
    kinds = {kind: weight for kind, weight in _KINDS.items() if agents or kind != "agent"}
    kind: NodeKind = _drawn(rng, kinds)
    fields = _links(rng, earlier) | {"name": name, "kind": kind}
    fields["tolerated"] = rng.random() < 0.5
    if kind == "approval":
        return Node(**fields, **_gate(rng))
    if kind == "wait":
        return Node(**fields, seconds=float(rng.choice([1, 5, 30, 120])))
    schema = kind == "agent" or (kind != "http" and rng.random() < 0.3)
    if fields["tolerated"] and kind != "http" and rng.random() < 0.5:
        fields["fallback"] = {"n": -1} if schema or rng.random() < 0.7 else None
    acts = tuple(_act(rng, kind, schema) for _ in range(rng.choice([1, 1, 2, 3])))
    names = {act.name for act in acts}
    slow = bool(names & {"hangs", "saves"})
    return Node(
        **fields,
        schema=schema,
        limit=rng.choice([0, 0, 1, 2, 3]),
        backoff=float(rng.choice([1, 2, 5])),
        once=kind != "http" and rng.random() < 0.2,
        timeout=float(rng.choice([20, 45])) if slow else 600.0,
        queue_timeout=60.0 if names & {"stuck", "imageless"} else 600.0,
        method=rng.choice(["GET", "POST"]) if kind == "http" else "GET",
        acts=acts,
    )


def _act(rng: random.Random, kind: str, schema: bool) -> Act:
    barred = set() if schema else {"invalid"}
    if kind == "http":
        barred |= {"echoes", "big", "null", "holes", "dies"}
    if kind == "container":
        barred |= {"foreign", "limited"}  # there a record is nothing but an output
    name = _drawn(rng, {name: weight for name, weight in _ACTS.items() if name not in barred})
    seconds = rng.choice([0.1, 0.5, 1, 2, 4, 9, 15])
    return Act(name=name, n=rng.randrange(1000), seconds=seconds)


def _links(rng: random.Random, earlier: list[Node]) -> dict[str, Any]:
    """How a node hangs on earlier ones, each of which plays one role."""
    reads: list[Read] = []
    depends_on: list[str] = []
    after: list[str] = []
    when = When(rng.choice(["true", "false", "flag", "flag", "broken"]))
    condition = when if rng.random() < 0.12 else None
    near = earlier[-6:]
    for node in rng.sample(near, min(len(near), rng.choice([0, 1, 1, 1, 2, 2, 3]))):
        role = _drawn(rng, _ROLES)
        if role == "dependsOn":
            depends_on.append(node.name)
        elif role == "after":
            after.append(node.name)
        elif role == "when" and condition is None:
            condition = _condition(rng, node)
        else:
            reads.append(Read(_drawn(rng, _FORMS), node.name))
    return {
        "reads": tuple(reads),
        "depends_on": tuple(depends_on),
        "after": tuple(after),
        "when": condition,
    }


def _condition(rng: random.Random, node: Node) -> When:
    forms = ["has", "succeeded"]
    if node.kind == "approval":
        forms = ["approved", "approved", "has"]
    elif node.kind in _NUMBERED:
        forms.append("large")
    return When(rng.choice(forms), node.name)


def _gate(rng: random.Random) -> dict[str, Any]:
    patience = rng.choice([None, 40.0, 300.0])
    answers = [
        Answer(rng.choice([0.2, 3.0, 20.0, 39.5, 41.0, 90.0]), _drawn(rng, _DECISIONS))
        for _ in range(rng.choice([0, 1, 1, 1, 2]))
    ]
    if patience is None and not answers:
        answers.append(Answer(30.0, "Approved"))
    return {
        "patience": patience,
        "denied_continues": rng.random() < 0.5,
        "expiry_fails": rng.random() < 0.3,
        "answers": tuple(sorted(answers, key=lambda answer: answer.after)),
    }


_DECISIONS: Final = {"Approved": 3.0, "Denied": 1.0}


def _troubles(rng: random.Random) -> tuple[Trouble, ...]:
    profile = _drawn(rng, {"calm": 1.5, "operator": 3.5, "all": 4, "storm": 1})
    if profile == "calm":
        return ()
    count = rng.randint(5, 10) if profile == "storm" else rng.randint(1, 4)
    weights = _OPERATOR if profile == "operator" else {**_OPERATOR, **_WORK, **_PEOPLE}
    kinds = [_drawn(rng, weights) for _ in range(count)]
    final = [kind for kind in kinds if kind in ("cancel", "delete_run")]
    kinds = [kind for kind in kinds if kind not in final] + final[:1]
    return tuple(_trouble(rng, kind) for kind in kinds)


_OPERATOR: Final = {
    "kill": 6.0,
    "twice": 2.0,
    "lose_answer": 2.0,
    "freeze": 2.0,
    "freeze_fence": 3.0,
    "second": 2.0,
    "shutdown": 1.0,
    "faults": 2.0,
    "outage": 1.5,
    "deaf": 1.5,
    "relist": 1.0,
}
_WORK: Final = {
    "delete_pod": 4.0,
    "evict": 4.0,
    "pressure": 2.0,
    "delete_job": 3.0,
    "lose": 2.0,
    "remove": 1.0,
    "delete_approval": 1.0,
    "forge_approval": 1.0,
    "poison": 1.0,
}
_PEOPLE: Final = {"suspend": 1.5, "cancel": 1.5, "delete_run": 1.0}
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "kill": ("before", "after"),
    "delete_pod": ("", "force", "hurry"),
    "evict": _EVICTIONS,
    "pressure": ("own", "machine"),
    "delete_job": ("Background", "Foreground", "Orphan"),
    "lose": _MACHINES,
    "remove": _MACHINES[1:],
    "delete_run": ("Background", "Foreground"),
}
# Their `number` counts writes, status writes, pods or Approvals; `at` counts from there.
_COUNTED: Final = {
    "kill": 40,
    "twice": 40,
    "lose_answer": 40,
    "freeze_fence": 12,
    "delete_pod": 8,
    "evict": 8,
    "pressure": 8,
    "delete_job": 8,
    "delete_approval": 2,
}


def _trouble(rng: random.Random, kind: str) -> Trouble:
    if kind in ("kill", "twice", "lose_answer", "freeze_fence"):
        at = 0.0
    elif kind in _COUNTED:
        at = rng.choice([0.0, 0.1, 0.3, 0.7, 1.5, 3.0, 8.0])
    else:
        at = round(rng.choice([5.0, 20.0, 60.0, 150.0]) * rng.random(), 2)
    percent = kind == "faults"
    longer = 3.0 if kind == "lose" else 1.0  # or no machine is ever given up
    return Trouble(
        kind=kind,
        at=at,
        seconds=round(longer * rng.choice([1.0, 8.0, 15.0, 60.0, 150.0]) * (0.5 + rng.random()), 1),
        number=rng.randint(10, 50) if percent else rng.randint(1, _COUNTED.get(kind, 1)),
        choice=rng.choice(_CHOICES.get(kind, ("",))),
    )
