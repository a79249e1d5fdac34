"""Creating, reading, listing: what every implementation of the port does alike."""

from collections.abc import Callable
from typing import Any

import pytest
from waypost.ports.cluster import (
    AlreadyExists,
    Conflict,
    Kind,
    NotFound,
    Obj,
    Rejected,
    Unavailable,
)

from tests.contract.bodies import config_map, job
from tests.contract.conftest import Lab
from tests.crds.manifests import approval, record, workflow


async def test_a_created_object_gets_an_identity(lab: Lab) -> None:
    body = await lab.create(Kind.APPROVAL, approval("sample"))
    metadata = body["metadata"]
    assert metadata["uid"]
    assert metadata["resourceVersion"].isdecimal()
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["generation"] == 1
    assert metadata["namespace"] == lab.namespace
    assert await lab.get(Kind.APPROVAL, "sample") == body


async def test_a_name_is_taken_once(lab: Lab) -> None:
    await lab.create(Kind.CONFIG_MAP, config_map())
    with pytest.raises(AlreadyExists):
        await lab.create(Kind.CONFIG_MAP, config_map())


async def test_a_freed_name_can_be_taken_by_another_object(lab: Lab) -> None:
    first = await lab.create(Kind.CONFIG_MAP, config_map())
    await lab.delete(Kind.CONFIG_MAP, "notes")
    second = await lab.create(Kind.CONFIG_MAP, config_map())
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


async def test_nothing_is_created_where_no_namespace_is(lab: Lab) -> None:
    with pytest.raises(NotFound):
        await lab.cluster.create(Kind.CONFIG_MAP, namespace="no-such", body=config_map())


@pytest.mark.parametrize("kind", [Kind.CONFIG_MAP, Kind.AGENT_WORKFLOW, Kind.POD, Kind.JOB])
async def test_what_does_not_exist_is_not_found(lab: Lab, kind: Kind) -> None:
    with pytest.raises(NotFound):
        await lab.get(kind, "no-such")
    with pytest.raises(NotFound):
        await lab.merge(kind, "no-such", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(NotFound):
        await lab.delete(kind, "no-such")


async def test_status_is_ignored_on_create(lab: Lab) -> None:
    body = await lab.create(Kind.AGENT_WORKFLOW, workflow() | {"status": {"phase": "Succeeded"}})
    assert "status" not in body


async def test_metadata_of_the_server_is_ignored_on_create(lab: Lab) -> None:
    given = config_map()
    given["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z"}
    metadata = (await lab.create(Kind.CONFIG_MAP, given))["metadata"]
    assert metadata["uid"] != "mine"
    assert not metadata["creationTimestamp"].startswith("2001")


async def test_numbers_come_back_as_the_api_server_writes_them(lab: Lab) -> None:
    data = {"one": 1.0, "thousand": 1e3, "half": 0.5, "zero": -0.0, "null": None, "deep": [1.0]}
    body = await lab.create(Kind.NODE_RECORD, record(data=data))
    found = body["spec"]["data"]
    assert found == {"one": 1, "thousand": 1000, "half": 0.5, "zero": 0, "null": None, "deep": [1]}
    assert [type(found[key]) for key in ("one", "thousand", "zero")] == [int, int, int]
    assert (await lab.get(Kind.NODE_RECORD, body["metadata"]["name"]))["spec"]["data"] == found


async def test_integers_beyond_64_bits_lose_digits(lab: Lab) -> None:
    data = {"fits": 9223372036854775807, "above": 12345678901234567890}
    body = await lab.create(Kind.NODE_RECORD, record(data=data))
    assert body["spec"]["data"] == {"fits": 9223372036854775807, "above": 12345678901234567000}


def _with(base: Obj, change: Callable[[Obj], Any]) -> Obj:
    change(base)
    return base


REFUSED = [
    pytest.param(
        Kind.AGENT_WORKFLOW,
        workflow(colour="red"),
        id="unknown-field",
    ),
    pytest.param(
        Kind.AGENT_WORKFLOW,
        {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow", "metadata": {"name": "x"}},
        id="required-field-missing",
    ),
    pytest.param(Kind.AGENT_WORKFLOW, workflow(parallelism="2"), id="wrong-type"),
    pytest.param(Kind.AGENT_WORKFLOW, workflow(parallelism=0), id="below-minimum"),
    pytest.param(
        Kind.AGENT_WORKFLOW,
        workflow(*[{"name": "a", "wait": {"duration": "1s"}}] * 2),
        id="same-key-twice-in-a-list-map",
    ),
    pytest.param(Kind.APPROVAL, approval(decision="Approved"), id="approval-already-answered"),
    pytest.param(Kind.APPROVAL, approval(expiresAt="tomorrow"), id="no-date-time"),
    pytest.param(Kind.CONFIG_MAP, config_map("Upper_Case"), id="no-dns-name"),
    pytest.param(Kind.CONFIG_MAP, config_map(labels={"a": "x" * 64}), id="label-too-long"),
    pytest.param(Kind.CONFIG_MAP, config_map(labels={"a": "x y"}), id="label-with-a-blank"),
    pytest.param(
        Kind.CONFIG_MAP,
        _with(config_map(), lambda b: b["metadata"].update(annotations={"a": "x" * 262_144})),
        id="annotations-too-long",
    ),
    pytest.param(Kind.CONFIG_MAP, workflow(), id="another-kind"),
    pytest.param(
        Kind.NODE_RECORD,
        record(data={"a": "x" * 1_600_000}),
        id="above-etcds-limit",
        marks=pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
    ),
    pytest.param(Kind.JOB, job("x" * 64), id="job-name-over-63"),
    pytest.param(Kind.JOB, job(colour="red"), id="unknown-field-of-a-job"),
    pytest.param(
        Kind.JOB,
        _with(job(), lambda b: b["spec"]["template"]["spec"].update(restartPolicy="Always")),
        id="job-that-restarts",
    ),
    pytest.param(
        Kind.JOB,
        _with(
            job(),
            lambda b: b["spec"]["template"]["spec"]["containers"][0].update(
                resources={"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}
            ),
        ),
        id="request-above-limit",
    ),
]


@pytest.mark.parametrize(("kind", "body"), REFUSED)
async def test_refused_for_good(lab: Lab, kind: Kind, body: Obj) -> None:
    with pytest.raises(Rejected):
        await lab.create(kind, body)
    assert await lab.names(kind) in ([], ["kube-root-ca.crt"]), "nothing was stored"


async def test_a_resource_version_cannot_be_chosen(lab: Lab) -> None:
    body = config_map()
    body["metadata"]["resourceVersion"] = "1"
    with pytest.raises(Unavailable):  # a 500, of all codes
        await lab.create(Kind.CONFIG_MAP, body)


async def test_null_is_absence_where_the_schema_has_no_null(lab: Lab) -> None:
    body = await lab.create(Kind.AGENT_WORKFLOW, workflow(parallelism=None, inputs={"a": None}))
    assert "parallelism" not in body["spec"]
    assert body["spec"]["inputs"] == {"a": None}


async def test_annotations_up_to_the_limit_are_kept(lab: Lab) -> None:
    body = config_map()
    body["metadata"]["annotations"] = {"a": "x" * 262_143}
    assert await lab.create(Kind.CONFIG_MAP, body)


SELECTIONS = [
    pytest.param("tier", ["a", "b"], id="has-the-label"),
    pytest.param("!tier", ["c"], id="has-it-not"),
    pytest.param("tier=front", ["a"], id="equal"),
    pytest.param("tier==front", ["a"], id="equal-twice"),
    pytest.param("tier!=front", ["b", "c"], id="unequal-or-absent"),
    pytest.param("tier in (front, back)", ["a", "b"], id="in"),
    pytest.param("tier notin (front)", ["b", "c"], id="notin-or-absent"),
    pytest.param("tier,kind=x", ["b"], id="both"),
]


@pytest.mark.parametrize(("selector", "expected"), SELECTIONS)
async def test_lists_by_label(lab: Lab, selector: str, expected: list[str]) -> None:
    for name, labels in (("a", {"tier": "front"}), ("b", {"tier": "back", "kind": "x"}), ("c", {})):
        await lab.create(Kind.NODE_RECORD, _labelled(record(name), labels))
    assert await lab.names(Kind.NODE_RECORD, labels=selector) == expected


async def test_a_list_of_metadata(lab: Lab) -> None:
    """S536: without the content, which may be large."""
    await lab.create(Kind.NODE_RECORD, _labelled(record("a"), {"tier": "front"}))
    await lab.create(Kind.NODE_RECORD, record("b"))
    listing = await lab.cluster.list(
        Kind.NODE_RECORD, namespace=lab.namespace, labels="tier", metadata_only=True
    )
    [body] = listing.items
    assert sorted(body) == ["apiVersion", "kind", "metadata"]
    assert (body["kind"], body["metadata"]["name"]) == ("NodeRecord", "a")
    whole = await lab.get(Kind.NODE_RECORD, "a")
    for key in ("uid", "resourceVersion", "namespace", "labels"):
        assert body["metadata"][key] == whole["metadata"][key]


def _labelled(body: Obj, labels: dict[str, str]) -> Obj:
    return _with(body, lambda b: b["metadata"].update(labels=labels))


async def test_a_selector_that_does_not_parse_is_refused(lab: Lab) -> None:
    with pytest.raises(Rejected):
        await lab.names(Kind.CONFIG_MAP, labels="a in (b")


def _event(name: str, *, uid: str, reason: str, namespace: str) -> Obj:
    about = {"kind": "Job", "name": "work", "namespace": namespace, "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name},
        "involvedObject": about,
        "reason": reason,
        "message": "no",
        "type": "Warning",
    }


async def test_lists_events_by_field(lab: Lab) -> None:
    for name, uid, reason in (
        ("a", "1", "FailedCreate"),
        ("b", "2", "FailedCreate"),
        ("c", "1", "Other"),
    ):
        body = _event(name, uid=uid, reason=reason, namespace=lab.namespace)
        await lab.create(Kind.EVENT, body)
    fields = "involvedObject.uid=1,reason=FailedCreate"
    assert await lab.names(Kind.EVENT, fields=fields) == ["a"]


async def test_a_field_without_index_is_refused(lab: Lab) -> None:
    with pytest.raises(Rejected):
        await lab.names(Kind.AGENT_WORKFLOW, fields="status.phase=Running")


async def test_a_list_tells_its_version(lab: Lab) -> None:
    body = await lab.create(Kind.CONFIG_MAP, config_map())
    listing = await lab.cluster.list(Kind.CONFIG_MAP, namespace=lab.namespace)
    assert int(listing.resource_version) >= int(body["metadata"]["resourceVersion"])


async def test_listed_objects_are_what_get_gives(lab: Lab) -> None:
    await lab.create(Kind.JOB, job())
    listing = await lab.cluster.list(Kind.JOB, namespace=lab.namespace)
    got = await lab.get(Kind.JOB, "work")
    assert [(b["apiVersion"], b["kind"]) for b in listing.items] == [("batch/v1", "Job")]
    assert listing.items[0]["metadata"]["uid"] == got["metadata"]["uid"]


async def test_a_suspended_job_keeps_its_template_and_takes_suspend_only(lab: Lab) -> None:
    await lab.create(Kind.JOB, job())
    body = await lab.merge(Kind.JOB, "work", {"spec": {"ttlSecondsAfterFinished": 60}})
    assert body["metadata"]["generation"] == 2
    with pytest.raises(Rejected):
        await lab.merge(Kind.JOB, "work", {"spec": {"completions": 7}})


async def test_deleting_with_another_uid_is_a_conflict(lab: Lab) -> None:
    body = await lab.create(Kind.CONFIG_MAP, config_map())
    with pytest.raises(Conflict):
        await lab.delete(Kind.CONFIG_MAP, "notes", uid="another")
    await lab.delete(Kind.CONFIG_MAP, "notes", uid=body["metadata"]["uid"])
    assert await lab.gone(Kind.CONFIG_MAP, "notes")


async def test_a_lease_is_taken_by_one_and_let_go_of(lab: Lab) -> None:
    moment = "2026-01-01T00:00:00.000000Z"
    spec = {
        "holderIdentity": "a",
        "leaseDurationSeconds": 4,
        "acquireTime": moment,
        "renewTime": moment,
        "leaseTransitions": 0,
    }
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}
    first = await lab.create(Kind.LEASE, {**body, "metadata": {"name": "leader"}})
    assert first["spec"] == spec
    with pytest.raises(AlreadyExists):
        await lab.create(Kind.LEASE, {**body, "metadata": {"name": "leader"}})
    version = {
        "op": "replace",
        "path": "/metadata/resourceVersion",
        "value": first["metadata"]["resourceVersion"],
    }
    free = {key: value for key, value in spec.items() if key != "holderIdentity"}
    freed = await lab.json_patch(
        Kind.LEASE, "leader", version, {"op": "add", "path": "/spec", "value": free}
    )
    assert freed["spec"] == free
    with pytest.raises(Conflict):
        await lab.json_patch(
            Kind.LEASE, "leader", version, {"op": "add", "path": "/spec", "value": spec}
        )
