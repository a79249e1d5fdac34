"""Maps, in every sixth scenario: a node or two run once for each item of a list. Drawn by itself,
so that it changes nothing of the rest."""

import random
from dataclasses import replace
from typing import Any, Final

from tests.simulation.scenario.plan import NOTHING, Act, Node, Read, Round, Scenario, When

_VALUES: Final = 6
_TOLERANCES: Final[tuple[int | str, ...]] = (0, 0, 1, 2, "25%", "50%", "100%")
_SIZES: Final = (0, 1, 2, 3, 3, 4, 4, 5, 6, 8, 12)
_NO_FIELD: Final = ("field", "text", "maybe")  # a list has no field n


def with_maps(made: Scenario) -> Scenario:
    """The scenario with maps, if its seed draws them."""
    if any(t.kind == "record_gone" for t in made.troubles):
        return made
    rng, fit = random.Random(f"maps of {made.seed}"), [n for n in made.nodes if _may_be_a_map(n)]
    if rng.random() <= 0.17 and fit:
        made = _mapped(made, rng, rng.sample(fit, min(len(fit), rng.choice([1, 1, 2]))), fit)
    rng = random.Random(f"maps of agents of {made.seed}")
    agents = [n for n in made.nodes if n.kind == "agent" and not n.never_twice and not n.last]
    if agents and rng.random() < 0.4:
        made = _mapped(made, rng, agents[:1], agents)
    return _with_counts(_with_map_in_finally(made))


def _with_map_in_finally(made: Scenario) -> Scenario:
    """In every fourth scenario with finally, a node of finally is a map."""
    if any(t.kind == "record_gone" for t in made.troubles):
        return made
    rng = random.Random(f"maps in finally of {made.seed}")
    fit = [node for node in made.nodes if node.last and not node.never_twice]
    if not fit or rng.random() > 0.25:
        return made
    last = rng.choice(fit)
    return _mapped(made, rng, [last], fit)


def with_map_candidate(made: Scenario) -> Scenario:
    """In every fourth scenario with a choice, a candidate is a map if `accept` reads no field."""
    rng = random.Random(f"maps as candidates of {made.seed}")
    chooser = next((node for node in made.nodes if node.kind == "first"), None)
    hurried = any(node.deadline is not None for node in made.nodes)
    if chooser is None or chooser.accepts == "large" or hurried or rng.random() > 0.25:
        return made
    fit = [
        node
        for node in made.nodes
        if node.name in chooser.of and _may_be_a_map(node) and node.loop is None
    ]
    return _mapped(made, rng, [rng.choice(fit)], fit) if fit else made


def _with_counts(made: Scenario) -> Scenario:
    """In every third scenario with maps, nodes read the counts of one instead of its output."""
    maps = {node.name for node in made.nodes if node.is_map}
    if not maps or random.Random(f"counts of maps of {made.seed}").random() > 0.33:
        return made
    nodes = []
    for node in made.nodes:
        reads = (
            Read("counts", r.node) if r.node in maps and r.form == "whole" else r
            for r in node.reads
        )
        nodes.append(replace(node, reads=tuple(reads)))
    return replace(made, nodes=tuple(nodes))


def _mapped(made: Scenario, rng: random.Random, maps: list[Node], fit: list[Node]) -> Scenario:
    chosen = {node.name for node in maps}
    acts = [act for node in fit for act in node.acts]
    mapped = [_map(rng, node, acts) if node.name in chosen else node for node in made.nodes]
    nodes = tuple(_adapted(node, chosen) for node in mapped)
    outputs = tuple(replace(r, form="phase") if r.node in chosen else r for r in made.outputs)
    rounds = tuple(_with_lists(rng, each, nodes) for each in made.rounds)
    return replace(made, nodes=nodes, outputs=outputs, rounds=rounds)


def _may_be_a_map(node: Node) -> bool:
    return node.has_pod and node.kind != "agent" and not node.never_twice and not node.last


def _map(rng: random.Random, node: Node, acts: list[Act]) -> Node:
    own = {act.name for act in node.acts}
    usable = [act for act in acts if act.name in own] + [Act("gives", rng.randrange(1000), 1.0)] * 3
    item_acts = tuple(
        tuple(
            replace(a, n=rng.randrange(1000)) for a in rng.choices(usable, k=rng.choice([1, 1, 2]))
        )
        for _ in range(_VALUES)
    )
    size = rng.choice(_SIZES)
    collects = rng.random() < 0.85
    replacement: Any = [] if collects else {"total": 0, "succeeded": 0, "failed": 0}
    return replace(
        node,
        values=tuple(rng.randrange(_VALUES) for _ in range(size)),
        item_acts=item_acts,
        max_parallel=rng.choice([1, 2, 3, 10]),
        tolerate=rng.choice(_TOLERANCES),
        collects=collects,
        fallback=node.fallback if node.fallback == NOTHING else replacement,
        codes=None,
    )


def _adapted(node: Node, maps: set[str]) -> Node:
    """A node that reads no field of a map."""
    form = "has" if node.last else "whole"
    reads = tuple(
        Read(form, r.node) if r.node in maps and r.form in _NO_FIELD else r for r in node.reads
    )
    when = node.when
    if when is not None and when.node in maps and when.form == "large":
        when = When("succeeded", when.node)
    return replace(node, reads=reads, when=when)


def _with_lists(rng: random.Random, each: Round, nodes: tuple[Node, ...]) -> Round:
    """In most rounds lists are reordered, cut, or get other and equal items."""
    lists = []
    for node in nodes:
        if node.values is None or rng.random() < 0.4:
            continue
        values = list(node.values)
        rng.shuffle(values)
        values = values[: rng.choice([len(values), len(values), 2])]
        values += [rng.randrange(_VALUES) for _ in range(rng.choice([0, 0, 1, 2]))]
        lists.append((node.name, tuple(values)))
    return _with_items(replace(each, lists=tuple(lists)), nodes)


def _with_items(each: Round, nodes: tuple[Node, ...]) -> Round:
    """In some rounds single items run again. Drawn by itself: older seeds keep their lists."""
    rng = random.Random(f"items again of {each}")
    maps = [node.name for node in nodes if node.is_map and not node.last]
    if rng.random() > 0.35 or not maps:
        return each
    chosen = {(rng.choice(maps), rng.choice((0, 0, 1, 2, 4))) for _ in range(rng.choice((1, 1, 2)))}
    return replace(each, again_items=tuple(sorted(chosen)))
