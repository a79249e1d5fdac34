"""The graph: order, joins, typed data, what `kubectl` shows of it."""

from typing import Any

import pytest

from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.space import Space, condition, node_of, phases

DIAMOND_OUTPUT = {"total": 42, "half": 0.5, "words": ["a", None], "deep": {"ok": True}}


def diamond(ledger: Ledger) -> Workflow:
    """a -> (left, right) -> join; left and right are held, and note their end."""
    branch = "def run(n):\n    held()\n    note('end')\n    return {'n': n * 21}\n"
    return (
        workflow("diamond")
        .having(inputs={"n": 1}, outputs={"result": "${nodes.join.output}"})
        .python(
            "a",
            ledger.counted("def run(n):\n    return {'n': n}\n"),
            inputs={"n": "${inputs.n}"},
            outputSchema=schema(n="integer"),
        )
        .python("left", ledger.counted(branch), inputs={"n": "${nodes.a.output.n}"})
        .python("right", ledger.counted(branch), inputs={"n": "${nodes.a.output.n}"})
        .python(
            "join",
            ledger.counted(
                "def run(left, right):\n"
                "    total = left + right\n"
                "    return {'total': total, 'half': 0.5, 'words': ['a', None],"
                " 'deep': {'ok': True}}\n"
            ),
            inputs={"left": "${nodes.left.output.n}", "right": "${nodes.right.output.n}"},
            inputSchema=schema(left="integer", right="integer"),
            outputSchema=schema(total="integer", half="number", words="array", deep="object"),
        )
    )


def test_diamond_runs_in_order_with_parallel_branches_and_typed_outputs(
    space: Space, ledger: Ledger
) -> None:
    run = space.start(diamond(ledger))
    ledger.holds(run.uid, programs=2)
    ledger.release(run.uid)
    seen = run.succeeded()
    assert seen["status"]["outputs"] == {"result": DIAMOND_OUTPUT}, "null, float and list survive"
    starts = {e["path"]: e["at"] for e in ledger.entries(run.uid) if e["what"] == "start"}
    ends = {e["path"]: e["at"] for e in ledger.entries(run.uid) if e["what"] == "end"}
    assert starts["a"] < min(starts["left"], starts["right"]), "branches start after their source"
    assert max(starts["left"], starts["right"]) < min(ends.values()), "branches overlap"
    assert starts["join"] > max(ends.values()), "the join starts after both branches"
    assert ledger.starts(run.uid) == dict.fromkeys(("a", "left", "right", "join"), 1)


def test_kubectl_shows_and_waits_at_every_stage(space: Space, ledger: Ledger) -> None:
    good = space.start(
        workflow("reads-well")
        .python("work", ledger.counted("def run():\n    held()\n    return 1\n"))
        .approval("review", dependsOn=["work"])
    )
    good.reaches("work", "Running")
    assert columns(space, good.name)[:2] == ["Running", "0/2"]
    ledger.release(good.uid)
    gate = good.opened("review")
    assert columns(space, good.name)[:3] == ["Waiting", "1/2", f"approval/{gate}"]
    approvals = space.kubectl("get", "approval", gate, "--no-headers")
    assert "review" in approvals, "the short list names the node that asks"
    assert good.name in approvals
    space.kubectl(
        *("patch", "approval", gate, "--as=ann", "--type", "merge"),
        *("-p", '{"spec":{"decision":"Approved","decidedBy":"ann"}}'),
    )
    space.kubectl("wait", "--for=condition=Finished", f"aw/{good.name}", "--timeout=30s")
    assert columns(space, good.name)[:2] == ["Succeeded", "2/2"]
    bad = space.start(workflow("fails").python("boom", "raise ValueError('no such page')"))
    space.kubectl("wait", "--for=condition=Finished", f"aw/{bad.name}", "--timeout=30s")
    assert columns(space, bad.name)[:2] == ["Failed", "1/1"]
    described = space.kubectl("describe", "aw", bad.name)
    assert "no such page" in described, "describe tells why"


def columns(space: Space, name: str) -> list[str]:
    """PHASE PROGRESS WAITING ... AGE of `kubectl get aw NAME`."""
    return space.kubectl("get", "aw", name, "--no-headers").split()[1:]


def test_branches_as_in_n8n_end_as_the_decision_table_says(space: Space) -> None:
    run = space.start(
        workflow("n8n")
        .having(inputs={"urgent": True}, outputs={"report": "${nodes.report.output}"})
        .python("page", "return 'paged'", when="${inputs.urgent}")
        .python("file", "return 'filed'", when="${!inputs.urgent}")
        .python("archive", "return 'archived'", dependsOn=["file"])
        .python("enrich", "raise RuntimeError('directory down')", onFailure="Continue")
        .python("use", "return 1", dependsOn=["enrich"])
        .python(
            "report",
            "return dict(paged=paged, filed=filed, enrich=enrich, why=why)",
            inputs={
                "paged": "${nodes.page.?output.orValue('')}",
                "filed": "${nodes.file.?output.orValue('nothing')}",
                "enrich": "${nodes.enrich.phase}",
                "why": "${nodes.enrich.error.reason}",
            },
        )
    )
    seen = run.finished()
    expected = {
        "page": ("Succeeded", None),
        "file": ("Skipped", "ConditionFalse"),
        "archive": ("Skipped", "DependencySkipped"),
        "enrich": ("Failed", "NodeError"),
        "use": ("Skipped", "DependencyFailed"),
        "report": ("Succeeded", None),
    }
    found = {n["path"]: (n["phase"], n.get("reason")) for n in seen["status"]["nodes"]}
    assert found == expected
    assert condition(seen, "Succeeded")["status"] == "True"
    assert condition(seen, "Succeeded")["reason"] == "CompletedWithFailures"
    assert seen["status"]["outputs"]["report"] == {
        "paged": "paged",
        "filed": "nothing",
        "enrich": "Failed",
        "why": "NodeError",
    }
    assert run.jobs("file") + run.jobs("use") == [], "skipped nodes have no Job"


def test_container_that_writes_nothing_succeeds_and_is_never_run_again(
    space: Space, ledger: Ledger, runner: str
) -> None:
    run = space.start(
        workflow("silent")
        .container("push", runner, ledger.counted("pass"), effect="once")
        .python("after", "return done is None", inputs={"done": "${nodes.push.output}"})
        .having(outputs={"null_seen": "${nodes.after.output}"}, defaults={"retry": {"limit": 3}})
    )
    seen = run.succeeded()
    assert seen["status"]["outputs"] == {"null_seen": True}
    assert node_of(seen, "push")["attempt"] == 1
    assert ledger.starts(run.uid) == {"push": 1}


HOSTILE = "$(SECRET) ${inputs.x} $$(SECRET) $${inputs.x}"


def test_model_like_text_reaches_the_next_node_unexpanded(space: Space, runner: str) -> None:
    look = """
        import json, os, sys
        with open("/waypost/in/inputs/text") as file:
            text = file.read()
        result = {"env": os.environ["TEXT"], "arg": sys.argv[1], "file": text,
                  "input": os.environ["WAYPOST_INPUT_TEXT"]}
        with open(os.environ["WAYPOST_OUTPUT"], "w") as file:
            json.dump(result, file)
        """
    text = {"text": "${nodes.model.output}"}
    env: list[dict[str, Any]] = [
        {"name": "SECRET", "value": "hunter2"},
        {"name": "TEXT", "value": "${self.inputs.text}"},
    ]
    run = space.start(
        workflow("hostile")
        .having(inputs={"x": "evaluated"})
        .python("model", f"return {HOSTILE!r}")
        .container(
            "foreign",
            runner,
            look,
            inputs=text,
            kind={"args": ["${self.inputs.text}"], "env": env},
        )
        .python(
            "ours",
            "import os\nreturn dict(env=os.environ['TEXT'], text=text)",
            inputs=text,
            kind={"env": env},
        )
    )
    seen = run.succeeded()
    foreign = node_of(seen, "foreign")["output"]
    assert foreign == dict.fromkeys(("env", "arg", "file", "input"), HOSTILE)
    assert node_of(seen, "ours")["output"] == {"env": HOSTILE, "text": HOSTILE}


@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
def test_wait_node_holds_no_pod_and_ends_by_its_clock(space: Space, suspended: bool) -> None:
    run = space.start(
        workflow(f"waits-{suspended}".lower())
        .wait("pause", "1500ms")
        .python("next", "return 1", dependsOn=["pause"])
    )
    run.reaches("pause", "Waiting")
    assert not run.pods()
    if suspended:
        run.set(suspend=True)
        run.reaches("pause", "Succeeded")
        run.until(lambda s: s["status"]["phase"] == "Suspended", what="shown as suspended")
        assert phases(run.read())["next"] == "Pending", "timers go on, nothing starts"
        run.set(suspend=False)
    run.succeeded()
