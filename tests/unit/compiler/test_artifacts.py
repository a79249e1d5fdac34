"""Static rules of artifacts: kinds, folders, names and types."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define

from tests.support.builders import agent, container, gate, http, python, spec, wait

REPO = "${nodes.make.artifacts.repo}"


def out(path: str = "/data/repo", name: str = "repo", **fields: Any) -> JsonObject:
    return {"name": name, "path": path, **fields}


def take(path: str = "/data/repo", from_: str = REPO, **fields: Any) -> JsonObject:
    return {"from": from_, "path": path, **fields}


MAKE = python("make", artifacts={"out": [out()]})


def problems(*nodes: JsonObject, **fields: Any) -> list[str]:
    return [str(problem) for problem in define(spec(*nodes, **fields)).problems]


MAP = {"items": "${[1, 2]}"}
MAKE_ALL = python("make", forEach=MAP, artifacts={"out": [out()]})
TOLERANT = {**MAKE_ALL, "forEach": {**MAP, "tolerate": 1}}


def _each(from_: str, items: str) -> JsonObject:
    return python("read", forEach={"items": items}, artifacts={"in": [take(from_=from_)]})


ACCEPTED = {
    "all items": [MAKE_ALL, python("read", artifacts={"in": [take()]})],
    "all items, some failed": [TOLERANT, python("read", artifacts={"in": [take()]})],
    "one item": [
        MAKE_ALL,
        python("read", artifacts={"in": [take(from_="${nodes.make.artifacts.repo[0]}")]}),
    ],
    "one each": [MAKE_ALL, _each("${nodes.make.artifacts.repo[index]}", "${[1, 2]}")],
    "each of them": [MAKE_ALL, _each("${item}", "${nodes.make.artifacts.repo}")],
    "each that succeeded": [
        TOLERANT,
        _each("${item}", "${nodes.make.artifacts.repo.filter(one, one != null)}"),
    ],
    "one each, some failed": [TOLERANT, _each("${[nodes.make.artifacts.repo[index]]}", "${[1]}")],
    "a hundred at a time": [TOLERANT, _each("${item}", "${chunk(nodes.make.artifacts.repo, 100)}")],
    "taken": [MAKE, python("read", artifacts={"in": [take()]})],
    "changed": [
        MAKE,
        container("edit", artifacts={"in": [take(writable=True)], "out": [out()]}),
    ],
    "one of two": [
        MAKE,
        python("read", artifacts={"in": [take(from_=f"${{true ? {REPO[2:-1]} : {REPO[2:-1]}}}")]}),
    ],
    "list": [MAKE, python("read", artifacts={"in": [take(from_=f"${{[{REPO[2:-1]}, null]}}")]})],
    "guarded": [
        python("make", onFailure="Continue", artifacts={"out": [out()]}),
        python("read", inputs={"n": "${nodes.make.?artifacts.?repo.?bytes.orValue(0)}"}),
    ],
    "input": [MAKE, python("read", inputs={"digest": "${nodes.make.artifacts.repo.digest}"})],
    "asked about": [MAKE, gate("ok", attachments=[{"from": REPO}])],
    "attached": [MAKE, agent("look", attachments=[{"from": REPO}])],
    "attached list": [MAKE, agent("a", attachments=[{"from": f"${{[{REPO[2:-1]}, null]}}"}])],
    "schema": [
        MAKE,
        python("pick", inputs={"repo": REPO}, outputSchema={"$ref": "#/schemas/Artifact"}),
        python("read", artifacts={"in": [take(from_="${nodes.pick.output}")]}),
    ],
}


@pytest.mark.parametrize("nodes", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(nodes: list[JsonObject]) -> None:
    assert problems(*nodes) == []


CALLS: JsonObject = {
    "name": "call",
    "workflow": {"templateRef": {"name": "review"}},
    "forEach": {"items": "${[1, 2]}"},
}


def _in(*entries: JsonObject) -> JsonObject:
    return {"in": list(entries)}


REFUSED = {
    "nothing": ([python("a", artifacts={})], "has neither in nor out"),
    "http": ([http("a", artifacts={"out": [out()]})], "cannot be used with http, only with"),
    "approval": ([gate("a", artifacts={"out": [out()]})], "cannot be used with approval"),
    "wait": ([wait("a", artifacts={"out": [out()]})], "cannot be used with wait"),
    "map that keeps no results": (
        [python("a", forEach={**MAP, "collect": "None"}, artifacts={"out": [out()]})],
        "collect: None keeps no results of items",
    ),
    "five of an item": (
        [python("a", forEach=MAP, artifacts={"out": [out(f"/data/{n}", n) for n in "abcde"]})],
        "an item makes at most 4 artifacts, found 5",
    ),
    "list as one": (
        [MAKE_ALL, python("read", inputs={"digest": "${nodes.make.artifacts.repo.digest}"})],
        "nodes.make.artifacts.repo",
    ),
    "item that may have failed": (
        [
            {**MAKE_ALL, "forEach": {**MAP, "tolerate": 1}},
            python("read", artifacts={"in": [take(from_="${nodes.make.artifacts.repo[0]}")]}),
        ],
        "artifacts.in[0].from",
    ),
    "fallback": (
        [python("a", onFailure="Continue", fallbackOutput=1, artifacts={"out": [out()]})],
        "has no artifacts when it is used",
    ),
    "text around it": (
        [MAKE, python("a", artifacts=_in(take(from_="repo ${inputs.x}")))],
        "expected one expression",
    ),
    "unknown node": ([python("a", artifacts=_in(take()))], "there is no node 'make'"),
    "unknown artifact": (
        [MAKE, python("a", artifacts=_in(take(from_="${nodes.make.artifacts.rep}")))],
        "has no 'rep': it has repo; did you mean 'repo'?",
    ),
    "node without artifacts": (
        [python("make"), python("a", artifacts=_in(take()))],
        "nodes.make makes no artifacts; add artifacts.out with the name repo to it",
    ),
    "all artifacts": (
        [MAKE, python("a", inputs={"x": "${nodes.make.artifacts}"})],
        "nodes.make.artifacts is not a value",
    ),
    "an output": (
        [
            python("make", outputSchema={"type": "string"}),
            python("a", artifacts=_in(take(from_="${nodes.make.output}"))),
        ],
        "this field takes",
    ),
    "item outside of a map": (
        [MAKE, python("a", artifacts=_in(take(from_="${item}")))],
        "item exists only in a node with forEach",
    ),
    "itself": (
        [python("make", artifacts={**_in(take()), "out": [out("/data/x")]})],
        "a node cannot refer to itself",
    ),
    "two of a name": (
        [python("a", artifacts={"out": [out(), out("/data/b")]})],
        "two artifacts have the name repo",
    ),
    "same folder": (
        [python("a", artifacts={"out": [out(), out(name="b")]})],
        "overlaps with /data/repo of out[0]",
    ),
    "folder in a folder": (
        [MAKE, python("a", artifacts=_in(take("/data"), take("/data/repo/x")))],
        "overlaps with /data of in[0]",
    ),
    "read-only and changed": (
        [MAKE, python("a", artifacts={**_in(take()), "out": [out()]})],
        "set writable: true there",
    ),
    "..": ([python("a", artifacts={"out": [out("/data/../etc")]})], "must not contain . or .."),
    "/tmp": ([python("a", artifacts={"out": [out("/tmp")]})], "such as /tmp/data"),
    "/etc": ([python("a", artifacts={"out": [out("/etc/x")]})], "overlaps with /etc"),
    "/opt": ([python("a", artifacts={"out": [out("/opt")]})], "overlaps with /opt/"),
    "/waypost": ([python("a", artifacts={"out": [out("/waypost/in")]})], "overlaps with /waypost"),
    "relative": ([python("a", artifacts={"out": [out("data")]})], "path"),
    "attached text": (
        [MAKE, agent("a", attachments=[{"from": "see ${nodes.make.artifacts.repo}"}])],
        "agent.attachments[0].from: expected one expression",
    ),
    "attached output": (
        [
            python("make", outputSchema={"type": "string"}),
            agent("a", attachments=[{"from": "${nodes.make.output}"}]),
        ],
        "agent.attachments[0].from",
    ),
    "unknown attachment": (
        [MAKE, agent("a", attachments=[{"from": "${nodes.make.artifacts.rep}"}])],
        "did you mean 'repo'?",
    ),
    "question about a text": (
        [MAKE, gate("a", attachments=[{"from": "${nodes.make.output}x"}])],
        "approval.attachments[0].from: expected one expression",
    ),
    "question about an output": (
        [
            python("make", outputSchema={"type": "string"}),
            gate("a", attachments=[{"from": "${nodes.make.output}"}]),
        ],
        "approval.attachments[0].from",
    ),
    "no attachments": ([agent("a", attachments=[])], "attachments"),
}


@pytest.mark.parametrize(("nodes", "text"), REFUSED.values(), ids=REFUSED)
def test_s295_refused(nodes: list[JsonObject], text: str) -> None:
    assert any(text in problem for problem in problems(*nodes)), problems(*nodes)


def test_the_name_of_the_schema_is_reserved() -> None:
    found = problems(MAKE, schemas={"Artifact": {"type": "string"}})
    assert any("this name is reserved" in problem for problem in found)


def test_a_hundred_artifacts_of_a_run_are_enough() -> None:
    listed = [out(f"/data/{at}", f"a{at}") for at in range(8)]
    nodes = [python(f"n{at}", artifacts={"out": listed}) for at in range(13)]
    assert any("more than 100 artifacts" in problem for problem in problems(*nodes))


def test_a_person_cannot_give_artifacts() -> None:
    rerun = {"round": 2, "outputs": {"make": 1}}
    found = problems(MAKE, python("read", artifacts=_in(take())), rerun=rerun)
    assert any("makes artifacts, which cannot be given" in problem for problem in found)


def test_s299_attachments_are_part_of_the_fingerprint() -> None:
    def of(*attached: str) -> str:
        fields: Any = {"attachments": [{"from": one} for one in attached]} if attached else {}
        return define(spec(MAKE, agent("look", **fields))).fingerprints["look"]

    assert len({of(), of(REPO), of(REPO, REPO)}) == 3


def test_s299_max_bytes_does_not_change_the_fingerprint() -> None:
    def of(**fields: Any) -> str:
        node = python("make", artifacts={"out": [out(**fields)]})
        return define(spec(node)).fingerprints["make"]

    assert of() == of(maxBytes=4096)
    assert of() != of(path="/data/other")


CHILD_ITEMS = {
    "one": python("a", artifacts=_in(take(from_="${nodes.call.output[0].repo}"))),
    "all": python("a", artifacts=_in(take(from_="${nodes.call.output.map(r, r.repo)}"))),
    "attached": agent("a", attachments=[{"from": "${nodes.call.output[0].repo}"}]),
    "asked about": gate("a", attachments=[{"from": "${nodes.call.output[0].repo}"}]),
}


@pytest.mark.parametrize("node", CHILD_ITEMS.values(), ids=CHILD_ITEMS)
def test_s623_artifacts_of_child_runs_of_items_are_warned_of(node: JsonObject) -> None:
    found = define(spec(CALLS, node))
    text = (
        "node call is a workflow with forEach: artifacts that its child runs make cannot be taken"
    )
    assert [str(one) for one in found.warnings if text in one.message], found.warnings
    once = {key: value for key, value in CALLS.items() if key != "forEach"}
    assert not [one for one in define(spec(once, node)).warnings if text in one.message]
