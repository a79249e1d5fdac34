"""The command line as people use it: each with the documented roles only.

A run fails at night. Dana started it, looks why, sees what a new round would do, and begins it.
Gail may only look. Bert answers the question.
"""

import json
from pathlib import Path

import yaml

from e2e.suite.build import Workflow, workflow
from e2e.suite.people import Person, account
from e2e.suite.space import Space
from e2e.suite.waiting import until

# Kubernetes counts whole seconds: what takes longer than one has a length in the trace.
FETCH = "import time; time.sleep(1.2); return {'topic': topic}"
BROKEN = "raise ValueError('no such topic: ' + news['topic'])"


def brief(space: Space, *, body: str) -> Workflow:
    """fetch, then draft, then a question to Bert, then publish."""
    approvers = {"users": [account(space, "bert")]}
    return (
        workflow("brief")
        .python("fetch", FETCH, inputs={"topic": "${inputs.topic}"})
        .python("draft", body, inputs={"news": "${nodes.fetch.output}"})
        .approval("review", gate={"approvers": approvers}, dependsOn=["draft"])
        .python("publish", "return 'done'", dependsOn=["review"])
    )


def test_a_night_with_the_command_line(
    space: Space, people: dict[str, Person], tmp_path: Path
) -> None:
    broken, repaired = tmp_path / "broken.yaml", tmp_path / "repaired.yaml"
    broken.write_text(yaml.safe_dump(brief(space, body=BROKEN).manifest()))
    good = brief(space, body="return news").having(inputs={"topic": "tides"})
    repaired.write_text(yaml.safe_dump(good.manifest()))
    fails(space, people, broken)
    look(people)
    run_again(people, repaired)
    answer(space, people)
    fork(space, people)
    clean_up(space, people, repaired)


def fails(space: Space, people: dict[str, Person], broken: Path) -> None:
    """Who may only look cannot start a run; the exit code of the command is that of the run."""
    refused = people["gail"].types("run", str(broken))
    assert (refused.code, "agentworkflows" in refused.err) == (4, True), refused
    started = people["dana"].types("run", str(broken), "--input", "topic=tides", "--wait")
    assert started.code == 1, started
    assert "brief  draft  Failed: NodeError" in started.out
    stored = space.get("agentworkflows", "brief")
    assert stored is not None
    assert stored["spec"]["requestedBy"] == account(space, "dana")


def look(people: dict[str, Person]) -> None:
    """What went wrong, and where."""
    dana, gail = people["dana"], people["gail"]
    assert "no such topic: tides" in gail.reads("get", "brief")
    failed = gail.reads("list", "--phase", "Failed", "-o", "name")
    assert failed == "agentworkflow.waypost.dev/brief\n"
    inputs = json.loads(gail.reads("io", "brief", "draft", "-o", "json"))
    assert (inputs["inputs"], inputs["same"]) == ({"news": {"topic": "tides"}}, True)
    assert "no such topic" in inputs["tail"]
    names = "jsonpath={.nodes[*].attempts[*].segments[*].name}"
    parts = set(dana.reads("trace", "brief", "-o", names).split())
    assert "work" in parts
    assert parts <= {"queue", "scheduling", "pull", "startup", "work"}, parts
    assert "n0 --> n1" in gail.reads("graph", "brief")
    page = dana.reads("trace", "brief", "-o", "html")
    assert page.startswith("<!doctype html>")
    assert "no such topic: tides" in page
    assert "no such topic: tides" in dana.reads("logs", "brief", "draft", "-f")


def run_again(people: dict[str, Person], repaired: Path) -> None:
    """S390: the operator does what was shown."""
    dana, gail = people["dana"], people["gail"]
    argv = ("rerun", "brief", "-f", str(repaired))
    shown = json.loads(gail.reads(*argv, "--dry-run", "-o", "json"))
    actions = {node["path"]: node["action"] for node in shown["nodes"]}
    assert actions == {"fetch": "keep", "draft": "run", "review": "run", "publish": "run"}
    assert "round 2 of brief has started" in dana.reads(*argv)
    begun = json.loads(gail.reads("get", "brief", "-o", "json"))["nodes"]
    assert {node["path"]: node.get("disposition") for node in begun} == {
        node["path"]: node.get("disposition") for node in shown["nodes"]
    }


def answer(space: Space, people: dict[str, Person]) -> None:
    """Only who is named can answer, after what follows was shown."""
    bert, gail = people["bert"], people["gail"]
    name = until(
        lambda: bert.reads("approvals", "-o", "jsonpath={.items[0].name}"),
        within=60,
        what="the question is open",
    )
    assert f"waypost approve {name}" in gail.reads("get", "brief")
    denied = people["dana"].types("approve", name, "--yes")
    assert denied.code == 4, denied
    assert "after a yes these nodes can run" in denied.out
    assert f"is Approved by {account(space, 'bert')}" in bert.reads("approve", name, "--yes")
    until(
        lambda: gail.reads("list", "-o", "jsonpath={.items[*].phase}") == "Succeeded",
        within=60,
        what="the run has succeeded",
    )


def fork(space: Space, people: dict[str, Person]) -> None:
    """S667: a new run takes over what was shown, without pods, and asks again."""
    dana, gail = people["dana"], people["gail"]
    argv = ("fork", "brief", "--name", "twin", "--from", "publish")
    shown = json.loads(gail.reads(*argv, "--dry-run", "-o", "json"))
    actions = {node["path"]: node["action"] for node in shown["nodes"]}
    assert actions == {"fetch": "keep", "draft": "keep", "review": "run", "publish": "run"}
    refused = gail.types(*argv)
    assert (refused.code, "agentworkflows" in refused.err) == (4, True), refused
    before = space.get("agentworkflows", "brief")
    assert dana.reads(*argv, "-o", "name") == "agentworkflow.waypost.dev/twin\n"
    until(
        lambda: "twin" in gail.reads("approvals", "-o", "jsonpath={.items[*].run}"),
        within=60,
        what="the new run asks its question",
    )
    twin = json.loads(gail.reads("get", "twin", "-o", "json"))
    given = {node["path"]: (node.get("disposition"), node["attempt"]) for node in twin["nodes"]}
    assert (given["fetch"], given["draft"]) == (("Given", 0), ("Given", 0)), given
    output = json.loads(gail.reads("io", "twin", "draft", "-o", "json"))["output"]
    assert output == {"topic": "tides"}
    assert space.get("agentworkflows", "brief") == before
    dana.reads("cancel", "twin")


def clean_up(space: Space, people: dict[str, Person], repaired: Path) -> None:
    """Compare with another run, and delete all."""
    dana, gail = people["dana"], people["gail"]
    again = dana.reads("run", str(repaired), "--name", "second", "-o", "name")
    assert again == "agentworkflow.waypost.dev/second\n"
    assert "definition: no difference" in gail.reads("diff", "brief", "second")
    dana.reads("cancel", "second")
    assert '"result": "ok"' in dana.types("doctor", "-o", "json").out
    until(
        lambda: all(
            (space.get("agentworkflows", name) or {}).get("status", {}).get("finishedAt")
            for name in ("second", "twin")
        ),
        within=60,
        what="the other runs have ended",
    )
    refused = gail.types("cleanup", "--older-than", "1s", "--yes")
    assert refused.code in (0, 4), refused
    assert "brief" in gail.reads("list", "-o", "name"), "nothing was deleted"
    until(
        lambda: (
            dana.types("cleanup", "--older-than", "1s", "--yes").code == 0
            and space.all("agentworkflows") == []
        ),
        within=20,
        what="all runs are deleted",
    )
