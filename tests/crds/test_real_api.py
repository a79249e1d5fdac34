"""The CRDs judged by a real API server, and read through kubectl as users read them."""

import itertools
from typing import Any

import pytest
from pydantic import BaseModel
from waypost.api.approval import ApprovalSpec
from waypost.api.provider import ModelProviderSpec
from waypost.api.record import NodeRecordSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.api.workflow import AgentWorkflowSpec
from waypost.cli.lint.linter import server_violations
from waypost.cli.lint.structure import UNKNOWN

from tests.crds import endpoints
from tests.crds.accepted import ACCEPTED
from tests.crds.manifests import Manifest, approval, record, workflow
from tests.crds.refused import LENIENT, STRICT
from tests.crds.transitions import QUORUM, TRANSITIONS, VOTES, Update
from tests.kubectl import Kubectl

pytestmark = [pytest.mark.real_api, pytest.mark.usefixtures("no_operator")]

MODELS: dict[str, type[BaseModel]] = {
    "AgentWorkflow": AgentWorkflowSpec,
    "Approval": ApprovalSpec,
    "NodeRecord": NodeRecordSpec,
    "ModelProvider": ModelProviderSpec,
    "ToolServer": ToolServerSpec,
}
_numbers = itertools.count()


def dry_run(kubectl: Kubectl, manifest: Manifest, validate: str = "strict") -> tuple[int, str]:
    done = kubectl.run(
        *("create", "-f", "-", "--dry-run=server", f"--validate={validate}"), stdin=manifest
    )
    return done.returncode, done.stderr


def stored(kubectl: Kubectl, manifest: Manifest, status: Manifest | None) -> str:
    """Create it under a name of its own, write its status, and return kind/name."""
    name = f"{manifest['kind'].lower()}-{next(_numbers)}"
    kubectl.create({**manifest, "metadata": {"name": name}})
    reference = f"{manifest['kind']}.waypost.dev/{name}"
    if status is not None:
        written = kubectl.patch(reference, {"status": status}, status=True)
        assert written.returncode == 0, written.stderr
    return reference


@pytest.mark.parametrize(("manifest", "says"), [*STRICT, *endpoints.REFUSED])
def test_refused(kube_context: Kubectl, manifest: Manifest, says: tuple[str, ...]) -> None:
    code, text = dry_run(kube_context, manifest)
    assert code != 0
    for part in says:
        assert part in text
    violations = server_violations(manifest)
    if all(one.cause != UNKNOWN for one in violations):  # else nothing but these is printed
        for one in violations:
            assert one.is_structural or one.message in text, "lint says the same"


@pytest.mark.parametrize(("manifest", "says"), LENIENT)
def test_refused_though_unknown_fields_are_dropped(
    kube_context: Kubectl, manifest: Manifest, says: tuple[str, ...]
) -> None:
    code, text = dry_run(kube_context, manifest, validate="ignore")
    assert code != 0
    for part in says:
        assert part in text


@pytest.mark.parametrize(("manifest", "reason"), [*ACCEPTED, *endpoints.ACCEPTED])
def test_accepted_and_stored_to_the_last_field(
    kube_context: Kubectl, manifest: Manifest, reason: str
) -> None:
    answer = kube_context.json(
        *("create", "-f", "-", "--dry-run=server", "--validate=strict"), stdin=manifest
    )
    assert answer["spec"] == manifest["spec"], reason
    MODELS[manifest["kind"]].model_validate(answer["spec"])


@pytest.mark.parametrize(("before", "status", "update", "says"), TRANSITIONS)
def test_update(
    kube_context: Kubectl,
    before: Manifest,
    status: Manifest | None,
    update: Update,
    says: tuple[str, ...],
) -> None:
    reference = stored(kube_context, before, status)
    kind = "json" if isinstance(update.patch, list) else "merge"
    done = kube_context.patch(reference, update.patch, status=update.status, kind=kind)
    assert (done.returncode != 0) == bool(says), done.stderr
    for part in says:
        assert part in done.stderr


@pytest.mark.parametrize(("votes", "says"), VOTES)
def test_votes(kube_context: Kubectl, votes: Any, says: tuple[str, ...]) -> None:
    reference = stored(kube_context, QUORUM, None)
    first = kube_context.patch(reference, {"spec": {"votes": {"ann": {"decision": "Approved"}}}})
    assert first.returncode == 0, first.stderr
    done = kube_context.patch(reference, {"spec": {"votes": votes}})
    assert (done.returncode != 0) == bool(says), done.stderr
    for part in says:
        assert part in done.stderr


COLUMNS = [
    pytest.param(workflow(), "aw", "NAME PHASE PROGRESS WAITING TOKENS COST AGE", id="aw"),
    pytest.param(
        approval(expiresAt="2126-11-24T03:10:00Z"),
        "ap",
        "NAME RUN NODE MESSAGE DECISION EXPIRES AGE",
        id="ap",
    ),
    pytest.param(record(), "nr", "NAME RUN PATH ATTEMPT TYPE SIZE AGE", id="nr"),
    pytest.param(endpoints.provider(), "mp", "NAME TYPE READY REASON AGE", id="mp"),
    pytest.param(endpoints.server(), "ts", "NAME READY REASON TOOLS AGE", id="ts"),
]


@pytest.mark.parametrize(("manifest", "short", "header"), COLUMNS)
def test_columns(kube_context: Kubectl, manifest: Manifest, short: str, header: str) -> None:
    name = stored(kube_context, manifest, None).rpartition("/")[2]
    table = kube_context.run("get", short, name).stdout.splitlines()
    assert table[0].split() == header.split()
    assert "<invalid>" not in table[1], "a time to come is not an age"


def test_nulls_inside_outputs_survive_in_status(kube_context: Kubectl) -> None:
    reference = stored(kube_context, QUORUM, {"state": "Open"})
    answer = {"n": None, "l": [None, {"y": None}]}
    patch = [{"op": "add", "path": "/status/answer", "value": answer}]
    done = kube_context.patch(reference, patch, status=True, kind="json")
    assert done.returncode == 0, done.stderr
    assert kube_context.json("get", reference)["status"]["answer"] == answer
