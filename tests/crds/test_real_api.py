"""The CRDs judged by a real API server, and their tables as kubectl shows them."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel
from waypost.adapters.credentials import KubeconfigSource
from waypost.api.approval import ApprovalSpec
from waypost.api.event.model import WorkflowEventSpec
from waypost.api.memory.model import MemoryEntrySpec
from waypost.api.provider import ModelProviderSpec
from waypost.api.record import NodeRecordSpec
from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.api.source.model import EventSourceSpec
from waypost.api.template.spec import AgentWorkflowTemplateSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.api.workflow import MAX_NODES, AgentWorkflowSpec
from waypost.cli.lint.linter import server_violations
from waypost.compiler.admission.structure import UNKNOWN

from tests.crds import children, endpoints, events, identity, memory, schedules, sources, templates
from tests.crds.accepted import ACCEPTED
from tests.crds.manifests import Manifest, approval, node, record, workflow
from tests.crds.refused import LENIENT, STRICT
from tests.crds.server import Server
from tests.crds.transitions import (
    QUORUM,
    TRANSITIONS,
    VOTES,
    Update,
    checkpoint,
    judged,
)
from tests.support.kubectl import Kubectl

pytestmark = [pytest.mark.real_api, pytest.mark.usefixtures("no_operator")]

MODELS: dict[str, type[BaseModel]] = {
    "AgentWorkflow": AgentWorkflowSpec,
    "AgentWorkflowSchedule": AgentWorkflowScheduleSpec,
    "WorkflowEvent": WorkflowEventSpec,
    "EventSource": EventSourceSpec,
    "MemoryEntry": MemoryEntrySpec,
    "AgentWorkflowTemplate": AgentWorkflowTemplateSpec,
    "Approval": ApprovalSpec,
    "NodeRecord": NodeRecordSpec,
    "ModelProvider": ModelProviderSpec,
    "ToolServer": ToolServerSpec,
}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(kube_context: Kubectl) -> Iterator[Server]:
    """The API server, asked in the namespace of `kube_context`."""
    found = asyncio.run(KubeconfigSource(path=kube_context.kubeconfig).current())
    opened = Server(
        host=urlsplit(found.server).netloc,
        trust=found.ssl_context(),
        authorization=found.authorization or None,
        namespace=kube_context.namespace,
    )
    yield opened
    opened.close()


def stored(server: Server, manifest: Manifest, status: Manifest | None) -> str:
    """Create it under another name each time, write its status, and return plural/name."""
    name = f"{manifest['kind'].lower()}-{next(_numbers)}"
    reference = server.create({**manifest, "metadata": {"name": name}})
    if status is not None:
        written = server.patch(reference, {"status": status}, status=True)
        assert not written.refused, written.text
    return reference


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        *STRICT,
        *endpoints.REFUSED,
        *events.REFUSED,
        *memory.REFUSED,
        *schedules.REFUSED,
        *sources.REFUSED,
        *templates.REFUSED,
    ],
)
def test_refused(server: Server, manifest: Manifest, says: tuple[str, ...]) -> None:
    said = server.try_to_create(manifest)
    assert said.refused
    for part in says:
        assert part in said.text
    violations = server_violations(manifest)
    if all(one.cause != UNKNOWN for one in violations):  # else nothing but these is printed
        for one in violations:
            assert one.is_structural or one.message in said.text, "lint says the same"


@pytest.mark.parametrize(("manifest", "says"), LENIENT)
def test_refused_though_unknown_fields_are_dropped(
    server: Server, manifest: Manifest, says: tuple[str, ...]
) -> None:
    said = server.try_to_create(manifest, strict=False)
    assert said.refused
    for part in says:
        assert part in said.text


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        *ACCEPTED,
        *endpoints.ACCEPTED,
        *events.ACCEPTED,
        *memory.ACCEPTED,
        *schedules.ACCEPTED,
        *sources.ACCEPTED,
    ],
)
def test_accepted_and_stored_to_the_last_field(
    server: Server, manifest: Manifest, reason: str
) -> None:
    said = server.try_to_create(manifest)
    assert not said.refused, said.text
    assert said.body["spec"] == manifest["spec"], reason
    MODELS[manifest["kind"]].model_validate(said.body["spec"])


@pytest.mark.parametrize(
    ("before", "status", "update", "says"),
    [
        *TRANSITIONS,
        *templates.TRANSITIONS,
        *children.TRANSITIONS,
        *events.TRANSITIONS,
        *memory.TRANSITIONS,
        *identity.TRANSITIONS,
    ],
)
def test_update(
    server: Server,
    before: Manifest,
    status: Manifest | None,
    update: Update,
    says: tuple[str, ...],
) -> None:
    reference = stored(server, before, status)
    kind = "json" if isinstance(update.patch, list) else "merge"
    said = server.patch(reference, update.patch, status=update.status, kind=kind)
    assert said.refused == bool(says), said.text
    for part in says:
        assert part in said.text


@pytest.mark.parametrize(("votes", "says"), VOTES)
def test_votes(server: Server, votes: Any, says: tuple[str, ...]) -> None:
    reference = stored(server, QUORUM, None)
    first = server.patch(reference, {"spec": {"votes": {"ann": {"decision": "Approved"}}}})
    assert not first.refused, first.text
    said = server.patch(reference, {"spec": {"votes": votes}})
    assert said.refused == bool(says), said.text
    for part in says:
        assert part in said.text


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
    pytest.param(
        schedules.schedule(),
        "awsched",
        "NAME SCHEDULES ZONE SUSPENDED NEXT LAST MISSED AGE",
        id="awsched",
    ),
    pytest.param(
        events.event(), "awev", "NAME EVENT KEY WORKFLOW PHASE RUN NODE STARTED AGE", id="awev"
    ),
    pytest.param(endpoints.server(), "ts", "NAME READY REASON TOOLS AGE", id="ts"),
]


@pytest.mark.parametrize(("manifest", "short", "header"), COLUMNS)
def test_columns(
    kube_context: Kubectl, server: Server, manifest: Manifest, short: str, header: str
) -> None:
    name = stored(server, manifest, None).rpartition("/")[2]
    table = kube_context.run("get", short, name).stdout.splitlines()
    assert table[0].split() == header.split()
    assert "<invalid>" not in table[1], "a time to come is not an age"


def test_an_event_that_nobody_has_looked_at_is_pending(
    kube_context: Kubectl, server: Server
) -> None:
    """S610: without a write of its status, and until the first one."""
    reference = stored(server, events.event(), None)
    name = reference.rpartition("/")[2]
    row = kube_context.run("get", "awev", name).stdout.splitlines()[1].split()
    assert row[1:4] == ["paid", "42", "Pending"]
    assert server.read(reference)["status"] == {"phase": "Pending"}
    written = server.patch(reference, {"status": events.claim()}, status=True)
    assert not written.refused, written.text
    row = kube_context.run("get", "awev", name).stdout.splitlines()[1].split()
    assert row[3] == "Claimed"


def test_nulls_inside_outputs_survive_in_status(server: Server) -> None:
    reference = stored(server, QUORUM, {"state": "Open"})
    answer = {"n": None, "l": [None, {"y": None}]}
    patch = [{"op": "add", "path": "/status/answer", "value": answer}]
    said = server.patch(reference, patch, status=True, kind="json")
    assert not said.refused, said.text
    assert server.read(reference)["status"]["answer"] == answer


def test_a_write_of_the_status_cannot_change_the_spec(server: Server) -> None:
    """S608: so the rule that a definition is frozen need not compare 200 nodes at such a write."""
    reference = stored(server, workflow(), judged("True", progress="0/1"))
    patch = {"spec": {"nodes": [node("other")]}, "status": {"progress": "1/1"}}
    said = server.patch(reference, patch, status=True)
    assert not said.refused, said.text
    found = server.read(reference)
    assert found["status"]["progress"] == "1/1"
    assert found["spec"] == workflow()["spec"]


def test_a_definition_is_compared_whatever_status_stands_beside_it(server: Server) -> None:
    """S608"""
    reference = stored(server, workflow(), judged("True", progress="0/1"))
    patch = {"spec": {"nodes": [node("other")]}, "status": {"progress": "1/1"}}
    said = server.patch(reference, patch)
    assert "was accepted, so its definition cannot change; found a change of nodes" in said.text


def test_managed_fields_do_not_grow_with_the_run(server: Server) -> None:
    """S609: of a run with 200 nodes, those of the status have less than 500 bytes."""
    names = [f"n{at}" for at in range(MAX_NODES)]
    checkpoints = [checkpoint(name, outputDigest="sha256:1") for name in names]
    status = judged("True", progress="200/200", nodes=checkpoints)
    reference = stored(server, workflow(*map(node, names)), status)
    managed = server.read(reference)["metadata"]["managedFields"]
    (of_status,) = [one for one in managed if one.get("subresource") == "status"]
    assert len(json.dumps(of_status)) < 500


def test_kubectl_says_what_the_server_says(kube_context: Kubectl, server: Server) -> None:
    manifest = workflow(surprise=True)
    said = server.try_to_create(manifest).text.partition(": ")[2]
    shown = kube_context.run("create", "-f", "-", "--dry-run=server", stdin=manifest)
    assert shown.returncode != 0
    assert said in shown.stderr
