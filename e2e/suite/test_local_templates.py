"""Local templates on a real cluster: a part of a run in the same object, killed and repaired."""

import pytest

from e2e.suite.build import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Space, condition
from e2e.suite.test_children import begin, below, child, nothing_is_left
from e2e.suite.test_templates import node

SLOW = "import time\ndef run(n):\n    time.sleep(6)\n    return n * 2\n"


def calls(name: str, of: str, **fields: object) -> Obj:
    """A node that runs a local template as a child run."""
    return {"name": name, "workflow": {"template": of}, **fields}


def local(name: str, *nodes: Obj, **outputs: str) -> Obj:
    """A local template."""
    number = {"type": "object", "properties": {"n": {"type": "integer"}}}
    return {"name": name, "inputSchema": number, "nodes": list(nodes), "outputs": outputs}


@pytest.mark.alone
def test_s340_two_levels_of_local_templates_survive_a_killed_operator(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    work = node("work", ledger.counted(SLOW), inputs={"n": "${inputs.n}"})
    leaf = local("leaf", work, n="${nodes.work.output}")
    middle = local(
        "middle", calls("deep", "leaf", inputs={"n": "${inputs.n}"}), n="${nodes.deep.output.n}"
    )
    top = calls("check", "middle", inputs={"n": 4})
    outputs = {"n": "${nodes.check.output.n}"}
    run = begin(space, "local", top, templates=[middle, leaf], outputs=outputs)
    last = child(space, child(space, run))
    last.reaches("work", "Running")
    operator.crash(operator.ready())
    operator.ready()
    assert run.succeeded()["status"]["outputs"] == {"n": 8}
    assert ledger.starts(last.uid) == {"work": 1}
    pin = last.read()["status"]["template"]
    assert pin["name"] == "leaf"
    assert space.get("noderecords", pin["record"]) is not None
    nothing_is_left(space, run)


def test_s344_a_round_repairs_a_local_template(space: Space, ledger: Ledger) -> None:
    first = node("first", ledger.counted("def run():\n    return 1\n"))
    broken = node(
        "second", "def run(n):\n    assert False\n", inputs={"n": "${nodes.first.output}"}
    )
    repaired = node("second", "def run(n):\n    return n\n", inputs={"n": "${nodes.first.output}"})
    run = begin(
        space,
        "repaired",
        calls("check", "part"),
        templates=[local("part", first, broken, n="${nodes.second.output}")],
        outputs={"n": "${nodes.check.output.n}"},
    )
    assert run.finished()["status"]["phase"] == "Failed"
    run.set(
        templates=[local("part", first, repaired, n="${nodes.second.output}")], rerun={"round": 2}
    )
    seen = run.until(
        lambda found: (
            found["status"].get("round") == 2
            and condition(found, "Finished").get("status") == "True"
        ),
        what="round 2 has finished",
    )
    assert seen["status"]["outputs"] == {"n": 1}
    (only,) = below(space, run)
    assert ledger.starts(only.uid) == {"first": 1}, "the checkpoint is kept"
    nothing_is_left(space, run)


def test_s342_a_local_template_is_checked_before_anything_runs(space: Space) -> None:
    wrong = {"name": "a", "python": {"source": "def run(): ..."}, "tmeout": "1m"}
    run = begin(space, "wrong", calls("check", "part"), templates=[local("part", wrong)])
    seen = run.finished()
    assert seen["status"]["phase"] == "Rejected"
    assert "templates.part.nodes[0].tmeout: unknown field" in str(seen["status"]["conditions"])
