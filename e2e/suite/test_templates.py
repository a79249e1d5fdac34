"""Templates on a real cluster: a run waits for its template, keeps the version with which it was
accepted while operator and template change, and a switch holds new runs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.cluster import api
from e2e.suite.build import Obj, workflow
from e2e.suite.install import install
from e2e.suite.kube import Kube
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.people import Person
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.test_providers import made
from e2e.suite.waiting import until

TEMPLATES = "agentworkflowtemplates"
NUMBER = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}, "by": {"type": "integer", "default": 10}},
}


def body(*nodes: Obj, **fields: Any) -> Obj:
    """The spec of a template."""
    return {"nodes": list(nodes), "defaults": {"timeout": "60s"}, **fields}


def node(name: str, source: str, **fields: Any) -> Obj:
    return {"name": name, "python": {"source": source}, **fields}


def template(space: Space, name: str, spec: Obj) -> Obj:
    return made(space, TEMPLATES, "AgentWorkflowTemplate", name, spec)


def start(space: Space, name: str, of: str, **fields: Any) -> Run:
    """A run of a template."""
    manifest = workflow(name).manifest()
    manifest["spec"] = {"templateRef": {"name": of}, **fields}
    found = space.create("agentworkflows", manifest)
    return Run(space, found["metadata"]["name"], found["metadata"]["uid"])


def accepted(found: Obj) -> tuple[str, str]:
    """Status and reason of the condition Accepted."""
    state = condition(found, "Accepted")
    return state.get("status", ""), state.get("reason", "")


def test_s103_a_run_waits_for_its_template(space: Space) -> None:
    run = start(space, "early", "late-template", inputs={"n": 4})
    run.until(lambda seen: accepted(seen) == ("Unknown", "MissingReference"), what="it waits")
    times = node(
        "times",
        "def run(n, by):\n    return n * by\n",
        inputs={"n": "${inputs.n}", "by": "${inputs.by}"},
    )
    template(
        space,
        "late-template",
        body(times, inputSchema=NUMBER, outputs={"x": "${nodes.times.output}"}),
    )
    seen = run.succeeded()
    assert seen["status"]["outputs"] == {"x": 40}
    pin = seen["status"]["template"]
    record = space.get("noderecords", pin["record"])
    assert record is not None
    assert (record["spec"]["type"], record["spec"]["digest"]) == ("Definition", pin["digest"])
    listed = space.kubectl("get", "awt", "late-template", "--no-headers").split()
    assert listed[:3] == ["late-template", "True", "1"]
    space.delete("agentworkflows", "early")
    until(
        lambda: space.get("noderecords", pin["record"]) is None,
        within=60,
        what="the record is collected",
    )


@pytest.mark.alone
def test_s102_a_run_keeps_its_version(space: Space, ledger: Ledger, operator: Operator) -> None:
    first = node("first", ledger.counted("def run():\n    time.sleep(8)\n    return 'old'\n"))
    second = node(
        "second",
        ledger.counted("def run(v):\n    return v + ' and old'\n"),
        inputs={"v": "${nodes.first.output}"},
    )
    template(space, "edited", body(first, second, outputs={"x": "${nodes.second.output}"}))
    run = start(space, "pinned", "edited")
    run.reaches("first", "Running")
    pin = run.read()["status"]["template"]
    other = body(node("other", "def run():\n    return 1\n"), outputs=None)
    space.patch(TEMPLATES, "edited", {"spec": other})
    operator.crash(operator.ready())
    operator.ready()
    seen = run.succeeded()
    assert seen["status"]["template"] == pin
    assert node_of(seen, "second")["output"] == "old and old"
    assert ledger.starts(run.uid) == {"first": 1, "second": 1}
    run.set(rerun={"round": 2, "template": "Latest"})
    seen = run.until(
        lambda found: (
            found["status"].get("round") == 2
            and condition(found, "Finished").get("status") == "True"
        ),
        what="round 2 has finished",
    )
    assert seen["status"]["template"]["generation"] > pin["generation"]
    assert [entry["path"] for entry in seen["status"]["nodes"]] == ["other"]


def test_s105_a_suspended_template_holds_new_runs(space: Space) -> None:
    template(space, "held", body(node("work", "def run():\n    return 1\n"), suspend=True))
    run = start(space, "waits", "held")
    run.until(lambda seen: accepted(seen) == ("Unknown", "TemplateSuspended"), what="it is held")
    assert run.read()["status"]["phase"] == "Suspended"
    space.patch(TEMPLATES, "held", {"spec": {"suspend": False}})
    run.succeeded()


@pytest.fixture
def new_runs_suspended(
    kube: Kube, cluster: api.Cluster, operator: Operator
) -> Iterator[Callable[[bool], None]]:
    """Sets the switch of the chart; it is off again after the test."""

    def switch(on: bool) -> None:
        install(kube, {**cluster.chart_values, "suspendNewRuns": str(on).lower()})
        operator.ready()

    yield switch
    switch(False)


@pytest.mark.alone
def test_s105_the_switch_of_the_chart_holds_all_new_runs(
    space: Space,
    ledger: Ledger,
    people: dict[str, Person],
    new_runs_suspended: Callable[[bool], None],
) -> None:
    first = node("first", ledger.counted("def run():\n    held()\n    return 1\n"))
    second = node("second", ledger.counted("def run():\n    return 2\n"), dependsOn=["first"])
    template(space, "switched", body(first, second))
    before = start(space, "before", "switched")
    ledger.holds(before.uid)
    new_runs_suspended(True)
    held = [
        start(space, "of-a-template", "switched"),
        space.start(workflow("with-its-own-nodes").python("work", "return 1")),
    ]
    for run in held:
        run.until(lambda seen: accepted(seen) == ("Unknown", "NewRunsSuspended"), what="it is held")
        assert run.read()["status"]["phase"] == "Suspended"
        shown = people["dana"].reads("get", run.name)
        assert "the operator accepts no new runs: its setting suspendNewRuns is true" in shown
        listed = space.kubectl("get", "aw", run.name, "--no-headers").split()
        assert "suspendNewRuns" in listed, listed
    ledger.release(before.uid)
    before.succeeded()
    assert ledger.starts(before.uid) == {"first": 1, "second": 1}, "accepted runs continue"
    before.set(rerun={"round": 2, "from": ["second"]})
    before.until(
        lambda seen: ledger.starts(before.uid) == {"first": 1, "second": 2},
        what="so does a new round of one",
    )
    assert not [job for run in held for job in run.jobs()], "nothing of the others has started"
    ledger.release(held[0].uid)
    new_runs_suspended(False)
    for run in held:
        run.succeeded()


def test_s101_a_bad_template_says_so_and_is_judged_again(space: Space) -> None:
    template(space, "broken", body(node("a", "def run():\n    return 1\n", dependsOn=["b"])))

    def judged(status: str) -> Obj | None:
        found = space.get(TEMPLATES, "broken")
        return found if found and condition(found, "Accepted").get("status") == status else None

    found = until(lambda: judged("False"), within=30, what="it is refused")
    assert (
        condition(found, "Accepted")["message"]
        == "nodes.a.dependsOn: there is no node 'b'; nodes: a"
    )
    run = start(space, "refused", "broken")
    seen = run.finished()
    assert seen["status"]["phase"] == "Rejected"
    space.patch(TEMPLATES, "broken", {"spec": body(node("a", "def run():\n    return 1\n"))})
    until(lambda: judged("True"), within=30, what="it is accepted")
