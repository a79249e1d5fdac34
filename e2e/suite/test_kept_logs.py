"""Kept logs on a real cluster (S586-S588): the pods are removed, and their logs can be read."""

from e2e.suite.build import workflow
from e2e.suite.people import Person
from e2e.suite.space import Run, Space
from e2e.suite.waiting import until

PRINTS = "print('working on', topic); return topic"
SLEEPS = "import time; print('half of it', flush=True); time.sleep(600)"
FOREIGN = "print('from a foreign image'); raise SystemExit(3)"


def kept(space: Space, run: Run, node: str) -> bool:
    """Whether there is a kept log of a node."""
    labels = f"waypost.dev/run={run.uid},waypost.dev/node={node}"
    return bool(space.all("noderecords", labels))


def remove_pods(space: Space, run: Run) -> None:
    """As the TTL of Jobs does."""
    for job in run.jobs():
        space.delete("jobs", job["metadata"]["name"])
    until(lambda: not run.pods(), within=60, what="the pods are gone")


def test_logs_after_the_pods_are_gone(space: Space, people: dict[str, Person], runner: str) -> None:
    run = space.start(
        workflow("kept")
        .having(inputs={"topic": "tides"})
        .python("a", PRINTS, inputs={"topic": "${inputs.topic}"})
        .container("b", runner, FOREIGN, onFailure="Continue")
    )
    run.finished()
    both = ("a", "b")
    until(lambda: all(kept(space, run, node) for node in both), within=60, what="both logs")
    remove_pods(space, run)
    dana, gail = people["dana"], people["gail"]
    assert dana.reads("logs", "kept", "a") == "working on tides\n"
    assert "from a foreign image" in dana.reads("logs", "kept", "b")
    refused = gail.types("logs", "kept", "a")
    assert refused.code != 0
    assert "noderecords" in refused.err


def test_the_log_of_a_cancelled_node(space: Space, people: dict[str, Person]) -> None:
    """The kubelet removes the containers of a deleted pod at once."""
    run = space.start(workflow("stopped").python("a", SLEEPS))
    run.running_pod("a")
    dana = people["dana"]
    until(lambda: "half of it" in dana.reads("logs", "stopped", "a"), within=30, what="it prints")
    run.set(cancel=True)
    run.finished()
    until(lambda: kept(space, run, "a"), within=60, what="the log is kept")
    remove_pods(space, run)
    assert "half of it" in dana.reads("logs", "stopped", "a")
