"""A forked run on a simulated cluster: it executes only what it did not take over."""

from waypost.compiler.definition import define
from waypost.ports.cluster import Kind
from waypost.views.run.fork import fork, new_run

from tests.support.builders import NOW, python, spec
from tests.support.harness import World, gives
from tests.support.virtual import virtual

SPEC = spec(
    python("a"),
    python("b", inputs={"v": "${nodes.a.output}", "topic": "${inputs.topic}"}),
    python("c", inputs={"v": "${nodes.b.output}"}),
    inputs={"topic": "news"},
)


@virtual
async def test_s667_a_forked_run_executes_only_what_it_did_not_take_over() -> None:
    script = {"a": [gives(1)], "b": [gives(2)], "c": [gives(3)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(SPEC)
        assert (await world.finished())["phase"] == "Succeeded"
        (old,) = world.all(Kind.AGENT_WORKFLOW)
        changed = {**SPEC, "inputs": {"topic": "sport"}}
        asked = {**old, "spec": {**changed, "rerun": {"round": 2}}}
        shown, rerun = fork(asked, define(asked["spec"]), records={}, now=NOW)
        assert [(node.path, node.action) for node in shown.nodes] == [
            ("a", "keep"),
            ("b", "run"),
            ("c", "run"),
        ]
        made = new_run(old, changed, rerun, name="forked")
        await world.submit(made["spec"], name="forked")
        assert (await world.finished("forked"))["phase"] == "Succeeded"
        runs = {path: len(world.ledger.of(path)) for path in "abc"}
        assert runs == {"a": 1, "b": 2, "c": 2}
        (a, *_) = world.status("forked")["nodes"]
        assert (a["phase"], a["disposition"], a["output"]) == ("Succeeded", "Given", 1)
        assert world.all(Kind.AGENT_WORKFLOW)[0] == old, "the old run stays as it is"
