"""The judgement of maps at the end of a run: what its programs gave against what it says (VM4, VM5,
VM7). A second implementation of docs/semantics.md, "Maps"."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from waypost.kube.objects import section
from waypost.ports.cluster import Obj

from tests.fakes.nodes.programs import is_part, node_of, owner_of
from tests.simulation.judging import unsealed_maps
from tests.simulation.reference.interpreter import CANCELLED, Again, End, Starts
from tests.simulation.reference.maps import payload, sealed_of, states_of
from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.scenario.programs import Gave
from tests.simulation.watching.evidence import Evidence, PodStory, Violation


def programs(node: Node, seen: Evidence) -> list[Node]:
    """A node, or each item of a map that has had an attempt as a node."""
    if node.values is None:
        return [node]
    paths = sorted(
        {path for path, _ in seen.attempts if owner_of(path) == node.name and is_part(path)}
    )
    return [_item(node, path) for path in paths]


def all_programs(nodes: Iterable[Node], seen: Evidence) -> list[Node]:
    """The nodes, and each item of a map as a node."""
    return [one for node in nodes for one in programs(node, seen)]


def was_started(node: Node, seen: Evidence) -> bool:
    """Whether an item of a map has had an attempt."""
    return node.is_map and bool(programs(node, seen))


def _item(node: Node, path: str) -> Node:
    at, values = _index_of(path), node.values or ()
    value = values[at] if at < len(values) else 0
    return node.item(path, value)


def _index_of(path: str) -> int:
    """The index of an item in its list."""
    return int(path.partition("/")[2])


def _ran(node: Node, seen: Evidence) -> Iterator[tuple[PodStory, bool]]:
    """The pods in which a program of an item ran, and whether the attempt is recorded as
    Succeeded."""
    for pod in seen.pods.values():
        if node_of(pod.path) == node.name and pod.act is not None:
            story = seen.attempts.get((pod.path, pod.attempt))
            yield pod, story is not None and story.reason == "Succeeded"


def _item_of(pod: PodStory) -> str:
    """The item of a pod as JSON text."""
    return json.dumps((pod.inputs or {}).get("item"))


def repeated(seen: Evidence, known: dict[str, Obj], named: Iterable[str]) -> list[tuple[str, str]]:
    """The items among the names in rerun.from: the map and the item as JSON text."""
    paths = sorted(path for path in named if "/" in path)
    return [(node_of(path), _recorded_item(seen, known, path)) for path in paths]


def _recorded_item(seen: Evidence, known: dict[str, Obj], path: str) -> str:
    """The item at a path in the list that was recorded last."""
    name, _, index = path.partition("/")
    entry = known.get(name, {})
    record = sealed_of(seen, entry).get("list") or section(entry, "items").get("listRecord", "")
    return json.dumps(payload(seen.records[record])["items"][int(index)])


def list_of(node: Node, seen: Evidence) -> list[int]:
    """The list of the latest round."""
    found = section(seen.spec, "inputs").get(node.list_input)
    return list(found) if isinstance(found, list) else []


def last(
    node: Node, follows: list[Again | End], seen: Evidence, *, budget: bool
) -> Iterator[Violation]:
    """What the states say of an item agrees with its last attempt."""
    if not is_part(node.name) or not follows or seen.finished_at is None:
        return
    entry = seen.nodes.get(node_of(node.name), {})
    states = states_of(sealed_of(seen, entry).get("states", ""))
    at = _index_of(node.name)
    if at >= len(states):
        return
    legal = {_letter(each) for each in follows}
    if "C" in legal and budget and node.kind == "agent":
        legal.add("F")  # BudgetExceeded: others have used up the rest
    if states[at][0] not in legal:
        text = f"{node.name}: expected one of {legal}, found {states[at][0]}"
        yield Violation("T11", text)


def _letter(each: Again | End) -> str:
    if isinstance(each, Again):
        return "C"
    if each.phase == "Failed":
        return "U" if each.reason == "UnknownEffect" else "F"
    return each.phase[0]


def inputs(node: Node, follows: Starts, seen: Evidence) -> Iterator[Violation]:
    """VM5: the inputs of an item are those of the list and of the nodes before the map."""
    values = list_of(node, seen)
    for pod, _ in _ran(node, seen):
        at = _index_of(pod.path)
        expected = {**follows.inputs, "item": values[at]} if at < len(values) else None
        if pod.inputs != expected:
            text = f"{pod.path}: expected the inputs {expected}, found {pod.inputs}"
            yield Violation("VM5", text)


def _given(node: Node, seen: Evidence) -> list[tuple[str, Any]]:
    """What programs gave whose attempts were recorded as Succeeded, with their item."""
    return [
        given for pod, succeeded in _ran(node, seen) if succeeded and (given := _gave(node, pod))
    ]


def _last_given(node: Node, seen: Evidence) -> list[tuple[str, Any]]:
    """The same for attempts of which no status says how they ended."""
    pods = [pod for pod, _ in _ran(node, seen) if not seen.attempts[pod.path, pod.attempt].reason]
    return [given for pod in pods if (given := _gave(node, pod))]


def _gave(node: Node, pod: PodStory) -> tuple[str, Any] | None:
    """What a program gave, with its item; None if it gave nothing."""
    meaning = pod.meaning(node.item(pod.path, (pod.inputs or {}).get("item", 0)))
    return (_item_of(pod), meaning.output) if isinstance(meaning, Gave) else None


def output(
    node: Node, entry: Obj, end: End, seen: Evidence, *, limited: bool
) -> Iterator[Violation]:
    """VM4: the output has in place of each item what its program gave, and null where it failed.

    `limited`: the run was cancelled, or a deadline held for it or for the map.
    """
    values = list_of(node, seen)
    if unsealed_maps.is_unsealed(node, entry, seen, limited=limited):
        given = [*_given(node, seen), *_last_given(node, seen)]
        yield from unsealed_maps.output(node, entry, end, seen, values=values, given=given)
        return
    sealed = sealed_of(seen, entry)
    states = states_of(sealed.get("states", ""))
    stored = section(entry, "items")
    if len(states) != len(values):
        yield Violation("VM4", f"{node.name}: {len(states)} items, the list has {len(values)}")
        return
    if node.last and any(state == ("S", 0) for state in states):
        yield Violation("VF1", f"{node.name}: an item of finally did not run in this round")
    failed = sum(letter in "FU" for letter, _ in states)
    if failed > node.allowed_failures(len(values)) or any(s not in "SFU" for s, _ in states):
        yield Violation("VM4", f"{node.name} Succeeded with the states {states}")
    if not node.collects:
        expected = {"total": len(values), "succeeded": len(values) - failed, "failed": failed}
        if end.output != expected:
            yield Violation("VM4", f"{node.name}: expected {expected}, found {end.output}")
        return
    if not isinstance(end.output, list) or len(end.output) != len(values):
        text = f"{node.name}: not an output for each of {len(values)} items: {end.output}"
        yield Violation("VM4", text)
        return
    given = _given(node, seen)
    for at, (value, state, found) in enumerate(zip(values, states, end.output, strict=True)):
        legal = [made for item, made in given if item == json.dumps(value)]
        if state[0] != "S" and found is not None:
            yield Violation("VM4", f"{node.name}/{at} failed, and its output is {found}")
        elif state[0] == "S" and found not in legal:
            text = f"{node.name}/{at}: its output is {found}, its programs gave {legal}"
            yield Violation("VM4", text)
    if stored.get("failed") != failed:
        yield Violation(
            "VM2", f"{node.name}: {stored.get('failed')} failed, by the states {failed}"
        )


def ends(node: Node, seen: Evidence) -> set[End]:
    """How a map may end that has begun, by the states of its items."""
    entry = seen.nodes[node.name]
    states = states_of(sealed_of(seen, entry).get("states", ""))
    failed = sum(letter in "FU" for letter, _ in states)
    if failed > node.allowed_failures(len(states)):
        return {End("Failed", "ItemsFailed")}
    if any(letter == "C" for letter, _ in states):
        return {CANCELLED} if not states or seen.finished_at else set()
    return {End("Succeeded")}


def identities(scenario: Scenario, node: Node, seen: Evidence) -> Iterator[Violation]:
    """VM7: an identity has one idempotency key, and no program starts for one that succeeded."""
    above = {
        node.name,
        *(other.name for other in scenario.nodes if node.name in scenario.downstream(other.name)),
    }
    if any(each.named & above for each in seen.rounds) or (node.last and seen.rounds):
        return  # a person asked for a repetition, or finally runs again
    if any(above.intersection(each.skip) for each in scenario.rounds[:-1]):
        return  # what a round has skipped runs as a whole in the next one
    lists = [list(node.values or ())]
    lists += [
        list(values) for each in scenario.rounds for name, values in each.lists if name == node.name
    ]
    most, begun, before = Counter[str](), Counter[str](), Counter[str]()
    for values in lists:
        counts = Counter(json.dumps(value) for value in values)
        most |= counts
        begun += counts - before  # an item that is not in a list runs again when it is back
        before = counts
    keys: dict[str, set[str]] = {}
    done: Counter[str] = Counter()
    asked = Counter(
        item for each in seen.rounds for name, item in each.repeated if name == node.name
    )
    for pod, succeeded in _ran(node, seen):
        content = json.dumps(pod.inputs, sort_keys=True)
        keys.setdefault(content, set()).add(pod.key)
        # No operator can prevent the pods of a Job that is made again (`relaunches`).
        done[content] += succeeded and not seen.is_relaunched(pod.uid)
    for content, found in keys.items():
        item = json.dumps(json.loads(content).get("item"))
        allowed = most[item] + asked[item]
        if len(found) > allowed:
            text = f"{node.name}: {len(found)} idempotency keys for {allowed} items with {content}"
            yield Violation("VM7", text)
        if done[content] > (begins := begun[item] + asked[item]):
            text = f"{node.name}: {done[content]} programs succeeded for {begins} items {content}"
            yield Violation("VM7", text)
    shared = Counter(key for found in keys.values() for key in found)
    for key, count in shared.items():
        if count > 1:
            yield Violation("VM7", f"{node.name}: {count} different items have the key {key}")
    returned = {item for item in begun if begun[item] > most[item]}
    yield from _once_per_key(node, seen, returned)


def _once_per_key(node: Node, seen: Evidence, returned: set[str]) -> Iterator[Violation]:
    """VM7: an item that rerun.from names runs with another key; `returned` are the items that were
    missing in a list, which run again with theirs."""
    attempts_of: dict[str, set[tuple[str, int]]] = {}
    for pod, succeeded in _ran(node, seen):
        if succeeded and _item_of(pod) not in returned:
            attempts_of.setdefault(pod.key, set()).add((pod.path, pod.attempt))
    for key, attempts in attempts_of.items():
        if len(attempts) > 1:
            yield Violation("VM7", f"{node.name}: {attempts} succeeded with the same key {key}")
