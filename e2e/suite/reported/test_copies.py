"""A person copies the pod of a node, with its labels and its program: the node ends with its own
pod and with its result, whatever the copy does (S240)."""

from collections.abc import Callable

import pytest

from e2e.suite.build import Obj, workflow
from e2e.suite.space import FINALIZER, Run, Space, node_of
from e2e.suite.waiting import until

# The original waits; a copy has another environment, and ends at once.
PROGRAM = """
import os, time
copied = os.environ.get("COPY")
time.sleep(0.1 if copied == "ends" else 3600 if copied else 8)
open(os.environ["WAYPOST_OUTPUT"], "w").write('"copy"' if copied else '"original"')
"""
JOB_LABELS = ("controller-uid", "job-name")
SERVER_FIELDS = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generateName")


def copy_of(pod: Obj, name: str, does: str) -> Obj:
    """What a person makes of `kubectl get pod -o yaml`."""
    metadata = {k: v for k, v in pod["metadata"].items() if k not in SERVER_FIELDS}
    metadata |= {"name": name, "finalizers": [FINALIZER]}
    spec = {k: v for k, v in pod["spec"].items() if k != "nodeName"}
    containers = [{**c, "env": [*c.get("env", []), {"name": "COPY", "value": does}]}
                  for c in spec["containers"]]  # fmt: skip
    return {**pod, "metadata": metadata, "spec": {**spec, "containers": containers}, "status": {}}


def disowned(pod: Obj) -> Obj:
    """The copy without owner and without the labels by which the Job controller adopts."""
    metadata = pod["metadata"]
    labels = {k: v for k, v in metadata["labels"].items() if not k.endswith(JOB_LABELS)}
    kept = {k: v for k, v in metadata.items() if k != "ownerReferences"}
    return {**pod, "metadata": {**kept, "labels": labels}}


def ownerless(pod: Obj) -> Obj:
    """The copy without owner, with all labels: the Job controller adopts it."""
    return {
        **pod,
        "metadata": {k: v for k, v in pod["metadata"].items() if k != "ownerReferences"},
    }


def whole(pod: Obj) -> Obj:
    """The copy with owner and labels: one pod too many of its Job."""
    return pod


LOOKS: dict[str, Callable[[Obj], Obj]] = {
    "disowned": disowned,
    "ownerless": ownerless,
    "whole": whole,
}


def copied(space: Space, runner: str, look: str, does: str) -> tuple[Run, str]:
    """A run whose first pod is copied while its program runs, and the name of the copy."""
    run = space.start(
        workflow(f"copied-{look}-{does}")
        .container("draft", runner, PROGRAM)
        .python("uses", "return text", inputs={"text": "${nodes.draft.output}"})
    )
    pod = run.running_pod("draft")
    name = f"{pod['metadata']['name'][:-5]}zzzzz" if look == "disowned" else f"{look}-{does}"
    space.create("pods", LOOKS[look](copy_of(pod, name, does)))
    return run, name


NIGHTLY = pytest.mark.nightly  # the gate tries one copy of each kind


@pytest.mark.parametrize(
    ("look", "does"),
    [
        pytest.param("disowned", "ends", id="disowned-ends"),
        pytest.param("disowned", "stays", id="disowned-stays", marks=NIGHTLY),
        pytest.param("ownerless", "ends", id="ownerless-ends", marks=NIGHTLY),
        pytest.param("ownerless", "stays", id="ownerless-stays"),
        pytest.param("whole", "ends", id="whole-ends"),
        pytest.param("whole", "stays", id="whole-stays", marks=NIGHTLY),
    ],
)
def test_a_copy_of_a_pod_gives_no_result_and_holds_up_nothing(
    space: Space, runner: str, look: str, does: str
) -> None:
    run, name = copied(space, runner, look, does)
    found = run.succeeded()
    draft = node_of(found, "draft")
    assert (draft["output"], draft["attempt"]) == ("original", 1), run.shown()
    assert node_of(found, "uses")["output"] == "original"

    def released() -> bool:
        pod = space.get("pods", name)
        return pod is None or FINALIZER not in pod["metadata"].get("finalizers", [])

    until(released, within=30, what="the finalizer of the copy is taken off")
    space.delete("agentworkflows", run.name)
    if space.get("pods", name) is not None:
        space.delete("pods", name, grace=0)
    until(lambda: not run.pods(), within=60, what="no pod is left")
