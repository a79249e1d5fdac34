"""What cannot run is refused clearly, and never in the way of what can."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from e2e.suite.build import Obj, schema, workflow
from e2e.suite.kube import ApiError
from e2e.suite.space import Space, condition


@dataclass(frozen=True)
class Bad:
    """A manifest, who refuses it, and the words that must be in the answer."""

    make: Callable[[], Obj]
    says: list[str]
    by: str  # "server" at once, or "operator" in the condition Accepted
    reason: str = field(default="", kw_only=True)


def named(name: str) -> Obj:
    made = workflow("bad").python("a", "return 1").manifest()
    made["metadata"]["name"] = name
    return made


def many() -> Obj:
    made = workflow("bad-many")
    for n in range(5000):
        made.wait(f"n{n}", "1s")
    return made.manifest()


def unknown() -> Obj:
    return workflow("bad-unknown").python("a", "return 1", retries=3).manifest()


TABLE = {
    "cycle": Bad(
        lambda: (
            workflow("bad-cycle")
            .python("a", "return b", inputs={"b": "${nodes.b.output}"})
            .python("b", "return a", inputs={"a": "${nodes.a.output}"})
            .manifest()
        ),
        ["wait for each other", "a -> b -> a"],
        "operator",
        reason="nothing could ever start",
    ),
    "dangling": Bad(
        lambda: (
            workflow("bad-dangling")
            .python("a", "return x", inputs={"x": "${nodes.gone.output}"})
            .manifest()
        ),
        ["nodes.a.inputs.x", "'gone'"],
        "operator",
        reason="the reference has no source",
    ),
    "unknown-field": Bad(unknown, ["retries"], "server", reason="a typo would be ignored"),
    "expression": Bad(
        lambda: workflow("bad-expression").python("a", "return 1", when="${1 +}").manifest(),
        ["nodes.a.when"],
        "operator",
        reason="it does not parse",
    ),
    "wrong-type": Bad(
        lambda: workflow("bad-type").python("a", "return 1", when=3).manifest(),
        ["nodes[0].when", "string"],
        "server",
        reason="when is text",
    ),
    "input-schema": Bad(
        lambda: (
            workflow("bad-input")
            .python("a", "return 1")
            .having(inputs={"n": "x"}, inputSchema=schema(n="integer"))
            .manifest()
        ),
        ["inputs.n", "integer"],
        "operator",
        reason="the run's inputs break its schema",
    ),
    "input-1MB": Bad(
        lambda: (
            workflow("bad-large").python("a", "return 1").having(inputs={"x": "x" * 2**20})
        ).manifest(),
        ["limit is 262144"],
        "operator",
        reason="an object must stay small for etcd and every watcher",
    ),
    "5000-nodes": Bad(many, ["200"], "server", reason="more than the schema allows"),
    "long-name": Bad(
        lambda: named("x" * 300), ["metadata.name"], "server", reason="a name has 253 characters"
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_bad_manifest_is_refused_clearly_and_the_next_is_served_at_once(
    space: Space, case: str
) -> None:
    bad = TABLE[case]
    if bad.by == "server":
        with pytest.raises(ApiError) as refused:
            space.create("agentworkflows", bad.make())
        assert refused.value.code in (400, 422), bad.reason
        said = refused.value.message
    else:
        said = refused_by_operator(space, bad.make())
    for text in bad.says:
        assert text in said, f"{bad.reason}: {text!r} should be in {said[:600]!r}"
    served = space.start(workflow(f"good-{case.lower()}").wait("tick", "1ms"))
    served.succeeded(within=5)


def refused_by_operator(space: Space, manifest: Obj) -> str:
    """The message of Accepted=False; the run must be Finished and have started nothing."""
    space.create("agentworkflows", manifest)
    name = manifest["metadata"]["name"]
    space.kubectl("wait", "--for=condition=Finished", f"aw/{name}", "--timeout=10s")
    seen = space.get("agentworkflows", name)
    assert seen is not None
    assert seen["status"]["phase"] == "Rejected"
    assert not seen["status"].get("nodes")
    accepted = condition(seen, "Accepted")
    assert accepted["status"] == "False"
    message: str = accepted["message"]
    return message


def test_refused_run_can_be_corrected_in_place(space: Space) -> None:
    run = space.start(
        workflow("typo")
        .python("a", "return x", inputs={"x": "${nodes.bb.output}"})
        .python("b", "return 1")
    )
    run.until(lambda s: s.get("status", {}).get("phase") == "Rejected", what="it is refused")
    nodes = run.read()["spec"]["nodes"]
    nodes[0]["inputs"] = {"x": "${nodes.b.output}"}
    run.set(nodes=nodes)
    seen = run.until(
        lambda s: condition(s, "Succeeded").get("status") == "True", what="the corrected run ends"
    )
    assert condition(seen, "Accepted")["status"] == "True"
