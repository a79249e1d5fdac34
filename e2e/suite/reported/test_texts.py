"""Text that another reader gets (a shell, YAML, the clock) is not changed silently, and lint says
what the cluster says."""

import subprocess
import sys
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from waypost.kube import names

from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.kube import ApiError
from e2e.suite.operators import OPERATOR_USER
from e2e.suite.space import Run, Space, condition, node_of


def script(image: str, text: str) -> Obj:
    """A container node that runs a shell script with two arguments."""
    arguments = [text, "archive", "acme", "acme.tar"]
    return {"image": image, "command": ["/bin/sh", "-ec"], "args": arguments}


def rejected(space: Space, flow: Workflow) -> str:
    """Why a run is not accepted."""
    try:
        run = space.start(flow)
    except ApiError as error:  # the rules of the CRD came first
        return error.message
    seen = run.until(
        lambda found: condition(found, "Accepted").get("status") == "False", what="it is refused"
    )
    return str(condition(seen, "Accepted")["message"])


@pytest.mark.parametrize("text", ["${1}", "${TARGET:-staging}", "${HOME}"])
def test_an_expression_of_a_shell_is_refused_with_the_way_out(space: Space, text: str) -> None:
    name = f"shell-{sum(map(ord, text))}"
    message = rejected(space, workflow(name).node("run", container=script("any:1", f"echo {text}")))
    assert f"${text}" in message, "how to write it for the shell"


def test_an_escaped_expression_reaches_the_shell(space: Space, runner: str) -> None:
    text = 'echo "\\"archived $${1} as $${2}\\"" > "$WAYPOST_OUTPUT"'
    run = space.start(workflow("shell-escaped").node("run", container=script(runner, text)))
    assert node_of(run.succeeded(), "run")["output"] == "archived acme as acme.tar"


YAML = """apiVersion: waypost.dev/v1alpha1
kind: AgentWorkflow
metadata: {{name: {name}}}
spec:
  inputSchema:
    type: object
    properties: {{value: {{type: {type}}}}}
  inputs: {{value: {value}}}
  nodes:
  - name: use
    inputs: {{value: "${{inputs.value}}"}}
    python: {{source: "def run(value):\\n    return value\\n"}}
"""


# What is written, the type that the schema asks for, what it is then; None: refused.
SCALARS: dict[str, tuple[str, str, Any]] = {
    "commit-id": ("9509425e4", "string", None),
    "postal-code": ("08003", "string", None),
    "learning-rate": ("1e-3", "number", 0.001),
    "fraction": ("-.5", "number", -0.5),
    "quoted": ('"9509425e4"', "string", "9509425e4"),
}


@pytest.mark.parametrize("name", SCALARS)
def test_lint_reads_a_scalar_as_the_cluster_does(space: Space, tmp_path: Path, name: str) -> None:
    text, type_, value = SCALARS[name]
    file = tmp_path / "run.yaml"
    file.write_text(YAML.format(name=name, type=type_, value=text))
    lint = subprocess.run(
        [sys.executable, "-m", "waypost", "lint", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    space.kubectl("apply", "-f", str(file))
    run = Run(space, name, (space.get("agentworkflows", name) or {})["metadata"]["uid"])
    if value is None:
        assert lint.returncode == 1, lint.stdout
        seen = run.until(
            lambda found: condition(found, "Accepted").get("status") == "False",
            what="it is refused",
        )
        said = condition(seen, "Accepted")["message"]
        assert "expected string, found" in said
        assert "expected string, found" in lint.stdout
    else:
        assert lint.returncode == 0, lint.stdout
        assert node_of(run.succeeded(), "use")["output"] == value


def test_a_wait_ends_at_a_computed_time(space: Space) -> None:
    until = (
        "${string(timestamp(run.createdAt) + duration(string(nodes.ask.output.retryAfter) + 's'))}"
    )
    flow = workflow("computed").python("ask", "return {'retryAfter': 5}")
    run = space.start(flow.node("pause", wait={"until": until}))
    run.succeeded()


@pytest.mark.parametrize("made", ["timestamp(run.createdAt)", "duration('5m')", "b'abc'"])
def test_a_value_that_json_does_not_have_is_refused_before_the_run(space: Space, made: str) -> None:
    name = f"no-json-{len(made)}"
    flow = workflow(name).python("use", "return at", inputs={"at": f"${{{made}}}"})
    assert "string(" in rejected(space, flow), "the way out"


LONG = "supplier-invoice-intake-eu-central-1-production-weekly"  # longer than an Approval's name


def test_gates_of_runs_with_long_names_have_names_of_their_own(space: Space) -> None:
    runs = [
        space.start(workflow(f"{LONG}-{number}").approval("sign_off", gate={"message": "Pay?"}))
        for number in range(5)
    ]
    opened = [run.opened("sign_off") for run in runs]
    assert len(set(opened)) == 5
    assert all(len(name.rpartition("-")[2]) >= 10 for name in opened), "hash digits of each"


def test_a_question_of_another_run_is_not_to_be_deleted(space: Space) -> None:
    other = space.start(workflow("first-asker").approval("sign_off"))
    theirs = space.get("approvals", other.opened("sign_off"))
    assert theirs is not None
    run = space.start(workflow("second-asker").having(suspend=True).approval("sign_off"))
    name = names.approval_name(run=run.name, run_uid=run.uid, path="sign_off", round_=1)
    metadata = {"name": name, "ownerReferences": theirs["metadata"]["ownerReferences"]}
    kept = {k: theirs[k] for k in ("apiVersion", "kind", "spec")}
    # No person can: the account of the operator stands for an operator with other names.
    space.create("approvals", {**kept, "metadata": metadata}, by=OPERATOR_USER)
    run.set(suspend=False)
    ended = node_of(run.finished(), "sign_off")
    assert (ended["phase"], ended["reason"]) == ("Failed", "LaunchRejected")
    assert "it belongs to run first-asker: keep it" in ended["message"]


# --- the size of /tmp ----------------------------------------------------------------------------

WRITES = """
import os
with open("/tmp/pack", "wb") as out:
    for _ in range(300):
        out.write(bytes(1_000_000))
"""
ANSWERS = 'open(os.environ["WAYPOST_OUTPUT"], "w").write("1")\n'
STAYS = "import time\ntime.sleep(600)\n"  # the kubelet measures every now and then
FUNCTION = f"def run():\n{indent(WRITES, '    ')}\n    return 1"


def room(size: str) -> Obj:
    return {"resources": {"limits": {"ephemeral-storage": size}}}


def test_a_declared_limit_is_the_room_in_tmp(space: Space, runner: str) -> None:
    run = space.start(
        workflow("room")
        .container("foreign", runner, WRITES + ANSWERS, kind=room("2Gi"))
        .python("ours", FUNCTION, kind=room("2Gi"))
    )
    run.succeeded(within=120)


@pytest.mark.nightly  # the kubelet looks at disks once a minute
def test_a_full_tmp_names_the_field_that_gives_room(space: Space, runner: str) -> None:
    patient = {"timeout": "4m", "onFailure": "Continue"}
    run = space.start(
        workflow("full")
        .container("foreign", runner, WRITES + STAYS, kind=room("200Mi"), **patient)
        .python("ours", FUNCTION, kind=room("200Mi"), **patient)
    )
    seen = run.finished(within=120)
    for path in ("foreign", "ours"):
        node = node_of(seen, path)
        assert node["reason"] == "OutOfDisk", node
        assert "limits.ephemeral-storage" in node["message"]
