"""Rules for artifacts: which nodes have them, and which folders they can be."""

from collections.abc import Iterator
from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.modifiers.for_each import ForEach
from waypost.api.nodes.artifacts import ArtifactIn, ArtifactOut
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem
from waypost.expressions.expression import Compiled
from waypost.expressions.templates import Template, parse_template

KINDS: Final = ("python", "container", "agent")
MOST_OF_ITEM: Final = 4  # one NodeRecord lists those of all items
MOST_OF_RUN: Final = 100  # each has about 250 bytes in the status
# Folders that a pod needs, and those of systems that a mount would hide.
_TAKEN: Final = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt/deps", "/opt/waypost", "/proc"),
    *("/run", "/sbin", "/sys", "/usr", "/var/run", "/waypost"),
)


def artifact_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report artifacts of nodes that cannot have them, and folders that cannot be one."""
    made = {node.name: _names(node) for node in spec.all_nodes}
    if sum(map(len, made.values())) > MOST_OF_RUN:
        text = f"the nodes make more than {MOST_OF_RUN} artifacts; put several folders into one"
        yield Problem("nodes", text)
    for node in spec.all_nodes:
        if node.artifacts is not None:
            yield from _of_node(node)
    for name in (spec.rerun and spec.rerun.outputs) or ():
        if made.get(name):
            text = f"node {name} makes artifacts, which cannot be given; name it in rerun.from"
            yield Problem(f"rerun.outputs.{name}", text)


def artifact_warnings(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Warn of artifacts from outputs of child runs of items: no status names what those make. What
    they pass on of this run can be taken."""
    called = [node.name for node in spec.all_nodes if node.workflow and node.for_each]
    for node in spec.all_nodes if called else ():
        for place, from_ in _taken_by(node):
            yield from _of_child_items(f"{node.place}.{place}", from_, called)


def _names(node: Node) -> list[str]:
    return [one.name for one in (node.artifacts and node.artifacts.out) or ()]


def _of_node(node: Node) -> Iterator[Problem]:
    assert node.artifacts is not None, "called for nodes with artifacts"
    place = f"{node.place}.artifacts"
    taken, given = node.artifacts.in_ or [], node.artifacts.out or []
    if not taken and not given:
        yield Problem(place, "has neither in nor out; add one of them, or remove it")
    kind = kind_of(node).name
    if kind not in KINDS:
        text = (
            f"cannot be used with {kind}, only with {', '.join(KINDS)}: they have a pod with files"
        )
        yield Problem(place, text)
        return
    if given and node.for_each is not None:
        yield from _of_items(node, f"{place}.out", node.for_each, len(given))
    if given and "fallback_output" in node.model_fields_set:
        text = "has no artifacts when it is used; remove it, and test nodes.<name>.phase"
        yield Problem(f"{node.place}.fallbackOutput", text)
    yield from _names_differ(place, given)
    for at, one in enumerate(taken):
        yield from from_problems(f"{place}.in[{at}].from", one.from_)
    yield from _folders(place, taken, given)


def _of_items(node: Node, place: str, for_each: ForEach, count: int) -> Iterator[Problem]:
    if not for_each.keeps_outputs:
        text = "collect: None keeps no results of items, so nothing could take their artifacts"
        yield Problem(f"{node.place}.forEach.collect", f"{text}; remove one of the two")
    if count > MOST_OF_ITEM:
        text = f"an item makes at most {MOST_OF_ITEM} artifacts, found {count}"
        yield Problem(place, f"{text}; put several folders into one")


def _taken_by(node: Node) -> Iterator[tuple[str, str]]:
    """The expressions of a node that give artifacts, each with its field."""
    for at, one in enumerate((node.artifacts and node.artifacts.in_) or ()):
        yield f"artifacts.in[{at}].from", one.from_
    for at, shown in enumerate((node.agent and node.agent.attachments) or ()):
        yield f"agent.attachments[{at}].from", shown.from_
    for at, shown in enumerate((node.approval and node.approval.attachments) or ()):
        yield f"approval.attachments[{at}].from", shown.from_


def _of_child_items(place: str, from_: str, called: list[str]) -> Iterator[Problem]:
    template = parse_template(from_)
    if not isinstance(template, Template):
        return
    for part in template.parts:
        for read in part.paths if isinstance(part, Compiled) else ():
            name = read.fields[0] if read.root == "nodes" and read.fields else ""
            if name in called and read.fields[1:2] == ("output",):
                text = (
                    f"node {name} is a workflow with forEach: artifacts that its child runs make "
                    "cannot be taken; make and use them in one template"
                )
                yield Problem(place, text, "warning")


def from_problems(place: str, from_: str) -> Iterator[Problem]:
    """Report a text where one expression is expected that gives an artifact."""
    template = parse_template(from_)
    if isinstance(template, Template) and not template.is_single:
        example = "${nodes.clone.artifacts.repo}"
        yield Problem(place, f"expected one expression like {example!r}, found {from_!r}")


def _names_differ(place: str, given: list[ArtifactOut]) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, one in enumerate(given):
        if one.name in seen:
            yield Problem(f"{place}.out[{at}].name", f"two artifacts have the name {one.name}")
        seen.add(one.name)


def _folders(place: str, taken: list[ArtifactIn], given: list[ArtifactOut]) -> Iterator[Problem]:
    listed = [(f"in[{at}]", one.path, bool(one.writable)) for at, one in enumerate(taken)]
    listed += [(f"out[{at}]", one.path, True) for at, one in enumerate(given)]
    for at, (field, path, _) in enumerate(listed):
        problem = folder_problem(path)
        if problem:
            yield Problem(f"{place}.{field}.path", problem)
        for earlier, other, writable in listed[:at]:
            changed = (earlier[:2], field[:3]) == ("in", "out") and path == other
            if changed and not writable:
                text = f"is the read-only folder of {earlier}; set writable: true there"
                yield Problem(f"{place}.{field}.path", text)
            elif not changed and inside(path, other):
                text = f"overlaps with {other} of {earlier}; use separate folders"
                yield Problem(f"{place}.{field}.path", text)


def folder_problem(path: str) -> str:
    """Why a folder of the pod cannot be mounted by a user; "" if it can."""
    if any(part in (".", "..") for part in path.split("/")):
        return "must not contain . or .."
    if path == "/tmp":
        return "is the folder for temporary files; use a folder in it, such as /tmp/data"
    for folder in _TAKEN:
        if inside(path, folder):
            return f"overlaps with {folder}, which the pod needs; use a folder such as /data/repo"
    return ""


def inside(one: str, other: str) -> bool:
    """Whether one of the two folders is in the other, or they are the same."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
