"""Patches: the fence, nulls, the two halves of an object, and what no patch may change."""

import pytest
from waypost.ports.cluster import Conflict, Kind, NotFound, Obj, PatchType, Rejected

from tests.contract.bodies import CONDITION, HOLD, OTHER_HOLD, config_map, pod
from tests.contract.conftest import Lab, create_pod
from tests.crds.manifests import approval, record, workflow

RUN, ASK = Kind.AGENT_WORKFLOW, Kind.APPROVAL


def fence(body: Obj) -> Obj:
    """The operation that makes a stale patch a conflict."""
    version = body["metadata"]["resourceVersion"]
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": version}


def add(path: str, value: object) -> Obj:
    return {"op": "add", "path": path, "value": value}


def without(body: Obj, key: str) -> Obj:
    return {name: value for name, value in body.items() if name != key}


async def test_a_stale_fence_is_a_conflict(lab: Lab) -> None:
    body = await lab.create(ASK, approval("sample"))
    first = await lab.json_patch(
        ASK, "sample", fence(body), add("/status", {"reason": "Running"}), subresource="status"
    )
    assert first["status"]["reason"] == "Running"
    with pytest.raises(Conflict):
        await lab.json_patch(
            ASK, "sample", fence(body), add("/status/reason", "Failed"), subresource="status"
        )
    second = await lab.json_patch(
        ASK, "sample", fence(first), add("/status/reason", "Failed"), subresource="status"
    )
    assert second["status"]["reason"] == "Failed"


async def test_a_stale_fence_is_a_conflict_also_in_a_merge_patch(lab: Lab) -> None:
    body = await lab.create(ASK, approval("sample"))
    stale = body["metadata"]["resourceVersion"]
    await lab.merge(ASK, "sample", {"spec": {"reason": "why"}})
    with pytest.raises(Conflict):
        await lab.merge(
            ASK, "sample", {"metadata": {"resourceVersion": stale}, "spec": {"reason": "because"}}
        )


async def test_every_write_counts_up_and_only_the_spec_makes_a_generation(lab: Lab) -> None:
    bodies = [await lab.create(ASK, approval("sample"))]
    bodies.append(await lab.merge(ASK, "sample", {"spec": {"reason": "why"}}))
    bodies.append(await lab.merge(ASK, "sample", {"metadata": {"labels": {"a": "b"}}}))
    bodies.append(
        await lab.merge(ASK, "sample", {"status": {"reason": "Running"}}, subresource="status")
    )
    versions = [int(body["metadata"]["resourceVersion"]) for body in bodies]
    assert versions == sorted(set(versions))
    assert [body["metadata"]["generation"] for body in bodies] == [1, 2, 2, 2]


async def test_a_patch_that_changes_nothing_writes_nothing(lab: Lab) -> None:
    before = await lab.create(ASK, approval("sample"))
    after = await lab.merge(ASK, "sample", {"spec": {"subject": "gate"}})
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    again = await lab.json_patch(ASK, "sample", fence(before), subresource="status")
    assert again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


OPERATIONS_REFUSED = [
    pytest.param({"op": "test", "path": "/spec/subject", "value": "x"}, id="test-fails"),
    pytest.param(
        {"op": "test", "path": "/spec/approvers/users/0", "value": 1}, id="test-of-a-type"
    ),
    pytest.param({"op": "remove", "path": "/spec/decision"}, id="remove-what-is-not-there"),
    pytest.param({"op": "replace", "path": "/spec/decision", "value": 1}, id="replace-absent"),
    pytest.param(add("/status/conditions/0", {}), id="no-parent"),
    pytest.param(add("/spec/approvers/users/7", "x"), id="index-beyond-the-end"),
]


@pytest.mark.parametrize("operation", OPERATIONS_REFUSED)
async def test_an_operation_that_fails_is_refused(lab: Lab, operation: Obj) -> None:
    before = await lab.create(ASK, approval("sample"))
    with pytest.raises(Rejected) as caught:
        await lab.json_patch(ASK, "sample", add("/spec/reason", "why"), operation)
    assert caught.value.code == 422
    assert await lab.get(ASK, "sample") == before, "nothing of the patch was kept"


async def test_json_patch_keeps_nulls_and_merge_patch_drops_them(lab: Lab) -> None:
    output = {"n": None, "deep": {"l": [{"y": None}, None]}}
    node = {"path": "gather", "phase": "Succeeded", "output": output}
    await lab.create(RUN, workflow())
    body = await lab.json_patch(
        RUN, "sample", add("/status", {"nodes": [node]}), subresource="status"
    )
    assert body["status"]["nodes"][0]["output"] == output

    await lab.create(Kind.APPROVAL, approval())
    status = {"status": {"state": "Open", "answer": output}}
    merged = await lab.merge(
        Kind.APPROVAL, approval()["metadata"]["name"], status, subresource="status"
    )
    assert merged["status"]["answer"] == {"deep": {"l": [{}, None]}}


async def test_a_status_patch_leaves_the_spec_alone(lab: Lab) -> None:
    await lab.create(ASK, approval("sample"))
    body = await lab.merge(
        ASK,
        "sample",
        {
            "spec": {"reason": "why"},
            "metadata": {"labels": {"a": "b"}},
            "status": {"reason": "Running"},
        },
        subresource="status",
    )
    assert "reason" not in body["spec"]
    assert "labels" not in body["metadata"]
    assert body["status"]["reason"] == "Running"


async def test_a_main_patch_leaves_the_status_alone(lab: Lab) -> None:
    await lab.create(ASK, approval("sample"))
    body = await lab.merge(
        ASK, "sample", {"spec": {"reason": "why"}, "status": {"state": "Denied"}}
    )
    assert body["spec"]["reason"] == "why"
    assert "status" not in body


async def test_defaults_of_the_schema_are_filled_in(lab: Lab) -> None:
    await lab.create(RUN, workflow())
    node = {"path": "gather", "phase": "Running"}
    status = {"phase": "Running", "nodes": [node], "conditions": [without(CONDITION, "message")]}
    body = await lab.json_patch(RUN, "sample", add("/status", status), subresource="status")
    defaults = {"observedGeneration": 0, "engineVersion": 1, "progress": "", "round": 1}
    condition = {**CONDITION, "message": "", "observedGeneration": 0}
    assert body["status"] == {**status, **defaults, "conditions": [condition]}


async def test_a_kind_without_status_has_no_status_to_patch(lab: Lab) -> None:
    body = await lab.create(Kind.NODE_RECORD, record())
    with pytest.raises(NotFound):
        await lab.merge(
            Kind.NODE_RECORD, body["metadata"]["name"], {"status": {}}, subresource="status"
        )


async def test_a_wrong_uid_is_ignored_in_a_status_patch(lab: Lab) -> None:
    await lab.create(ASK, approval("sample"))
    patch = {"metadata": {"uid": "another"}, "status": {"reason": "Running"}}
    body = await lab.merge(ASK, "sample", patch, subresource="status")
    assert body["metadata"]["uid"] != "another"
    assert body["status"]["reason"] == "Running"


STATUS_REFUSED = [
    pytest.param({"fence": "x"}, id="unknown-field"),
    pytest.param({"nodes": [{"path": "a", "phase": "Running", "owner": 1}]}, id="unknown-deep"),
    pytest.param({"phase": "Sleeping"}, id="not-of-the-enum"),
    pytest.param({"nodes": [{"phase": "Running"}]}, id="required-field-missing"),
    pytest.param({"nodes": [{"path": "a", "phase": "Running"}] * 2}, id="same-path-twice"),
    pytest.param({"conditions": [CONDITION, CONDITION]}, id="same-condition-twice"),
    pytest.param({"startedAt": "noon"}, id="no-date-time"),
]


@pytest.mark.parametrize("status", STATUS_REFUSED)
async def test_a_status_the_schema_does_not_know_is_refused(lab: Lab, status: Obj) -> None:
    await lab.create(RUN, workflow())
    with pytest.raises(Rejected):
        await lab.json_patch(RUN, "sample", add("/status", status), subresource="status")
    found = await lab.get(RUN, "sample")
    assert found.get("status", {}) != status


async def test_an_accepted_run_keeps_its_definition(lab: Lab) -> None:
    await lab.create(RUN, workflow())
    edited = {"spec": {"inputs": {"a": 1}}}
    await lab.merge(RUN, "sample", edited)
    await lab.merge(RUN, "sample", {"status": {"conditions": [CONDITION]}}, subresource="status")
    with pytest.raises(Rejected):
        await lab.merge(RUN, "sample", {"spec": {"inputs": {"a": 2}}})
    body = await lab.merge(RUN, "sample", {"spec": {"cancel": True}})
    assert body["spec"]["cancel"] is True
    with pytest.raises(Rejected):
        await lab.merge(RUN, "sample", {"spec": {"cancel": False}})


async def test_a_checkpoint_is_final(lab: Lab) -> None:
    await lab.create(RUN, workflow())
    node = {"path": "gather", "phase": "Succeeded", "outputDigest": "sha256:1"}
    await lab.json_patch(RUN, "sample", add("/status", {"nodes": [node]}), subresource="status")
    for changed in ({**node, "phase": "Running"}, {**node, "outputDigest": "sha256:2"}):
        with pytest.raises(Rejected):
            await lab.json_patch(
                RUN,
                "sample",
                add("/status/nodes/0", changed),
                {"op": "remove", "path": "/status/nodes/1"},
                subresource="status",
            )
    with pytest.raises(Rejected):
        await lab.json_patch(
            RUN, "sample", {"op": "remove", "path": "/status/nodes/0"}, subresource="status"
        )


async def test_an_approval_is_answered_once_and_recorded_for_good(lab: Lab) -> None:
    name = approval()["metadata"]["name"]
    await lab.create(Kind.APPROVAL, approval())
    with pytest.raises(Rejected):
        await lab.merge(Kind.APPROVAL, name, {"spec": {"message": "Really?"}})
    await lab.merge(Kind.APPROVAL, name, {"spec": {"decision": "Approved"}})
    await lab.merge(Kind.APPROVAL, name, {"spec": {"decision": "Denied"}})
    await lab.merge(Kind.APPROVAL, name, {"status": {"state": "Denied"}}, subresource="status")
    with pytest.raises(Rejected):
        await lab.merge(Kind.APPROVAL, name, {"spec": {"decision": "Approved"}})
    with pytest.raises(Rejected):
        await lab.merge(
            Kind.APPROVAL, name, {"status": {"state": "Approved"}}, subresource="status"
        )


async def test_a_vote_that_was_given_stays(lab: Lab) -> None:
    name = approval()["metadata"]["name"]
    asked = {"users": ["ann", "bob"], "required": 2}
    await lab.create(Kind.APPROVAL, approval(approvers=asked))
    for user in ("ann", "bob"):
        vote = {"spec": {"votes": {user: {"decision": "Approved"}}}}
        body = await lab.merge(Kind.APPROVAL, name, vote)
    assert sorted(body["spec"]["votes"]) == ["ann", "bob"]
    for change in ({"ann": None}, {"ann": {"decision": "Denied"}}):
        with pytest.raises(Rejected):
            await lab.merge(Kind.APPROVAL, name, {"spec": {"votes": change}})


async def test_who_decided_and_when_is_in_managed_fields(lab: Lab) -> None:
    name = approval()["metadata"]["name"]
    await lab.create(Kind.APPROVAL, approval())
    body = await lab.merge(Kind.APPROVAL, name, {"spec": {"decision": "Approved"}})
    entries = [
        entry
        for entry in body["metadata"]["managedFields"]
        if "f:decision" in entry["fieldsV1"].get("f:spec", {})
    ]
    assert len(entries) == 1
    assert entries[0]["time"].endswith("Z")


async def test_a_record_never_changes(lab: Lab) -> None:
    body = await lab.create(Kind.NODE_RECORD, record())
    with pytest.raises(Rejected):
        await lab.merge(Kind.NODE_RECORD, body["metadata"]["name"], {"spec": {"data": {"a": 1}}})


async def test_an_immutable_config_map_never_changes(lab: Lab) -> None:
    await lab.create(Kind.CONFIG_MAP, config_map(immutable=True))
    with pytest.raises(Rejected):
        await lab.merge(Kind.CONFIG_MAP, "notes", {"data": {"a": "2"}})


async def test_a_finalizer_is_taken_off_beside_others(lab: Lab) -> None:
    await create_pod(lab, pod(finalizers=[HOLD, OTHER_HOLD]))
    body = await lab.strategic(
        Kind.POD, "worker", {"metadata": {"$deleteFromPrimitiveList/finalizers": [HOLD]}}
    )
    assert body["metadata"]["finalizers"] == [OTHER_HOLD]
    again = await lab.strategic(
        Kind.POD, "worker", {"metadata": {"$deleteFromPrimitiveList/finalizers": [HOLD]}}
    )
    assert again["metadata"]["resourceVersion"] == body["metadata"]["resourceVersion"]
    await lab.merge(Kind.POD, "worker", {"metadata": {"finalizers": None}})


async def test_releasing_another_pod_of_the_name_is_refused(lab: Lab) -> None:
    await create_pod(lab, pod(finalizers=[HOLD]))
    release = {"metadata": {"uid": "another", "$deleteFromPrimitiveList/finalizers": [HOLD]}}
    with pytest.raises(Rejected) as caught:
        await lab.strategic(Kind.POD, "worker", release)
    assert caught.value.code == 422
    assert (await lab.get(Kind.POD, "worker"))["metadata"]["finalizers"] == [HOLD]
    await lab.merge(Kind.POD, "worker", {"metadata": {"finalizers": None}})


async def test_our_own_kinds_take_no_strategic_patch(lab: Lab) -> None:
    await lab.create(RUN, workflow())
    with pytest.raises(Rejected):
        await lab.cluster.patch(
            RUN,
            namespace=lab.namespace,
            name="sample",
            body={"spec": {"suspend": True}},
            patch_type=PatchType.STRATEGIC,
        )


async def test_a_pods_containers_are_final(lab: Lab) -> None:
    await create_pod(lab, pod())
    with pytest.raises(Rejected):
        await lab.merge(Kind.POD, "worker", {"spec": {"restartPolicy": "Always"}})
