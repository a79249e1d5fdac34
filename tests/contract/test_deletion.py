"""Deletion: finalizers, preconditions, owners, namespaces."""

from datetime import datetime, timedelta

import pytest
from waypost.ports.cluster import AlreadyExists, Conflict, Kind, NotFound, Rejected

from tests.contract.bodies import HOLD, OTHER_HOLD, config_map, job, pod, reference
from tests.contract.conftest import Lab, create_pod, namespace_body
from tests.crds.manifests import approval

MAP = Kind.CONFIG_MAP
ASK = Kind.APPROVAL


async def test_a_finalizer_keeps_the_object_until_it_is_taken_off(lab: Lab) -> None:
    await lab.create(MAP, config_map(finalizers=[HOLD]))
    await lab.delete(MAP, "notes")
    body = await lab.get(MAP, "notes")
    assert body["metadata"]["deletionTimestamp"]
    assert body["metadata"]["deletionGracePeriodSeconds"] == 0
    await lab.merge(MAP, "notes", {"metadata": {"finalizers": None}})
    assert await lab.gone(MAP, "notes")


async def test_deleting_twice_changes_nothing(lab: Lab) -> None:
    await lab.create(MAP, config_map(finalizers=[HOLD]))
    await lab.delete(MAP, "notes")
    before = await lab.get(MAP, "notes")
    await lab.delete(MAP, "notes")
    assert await lab.get(MAP, "notes") == before
    await lab.merge(MAP, "notes", {"metadata": {"finalizers": None}})


async def test_a_deletion_is_a_new_generation(lab: Lab) -> None:
    body = approval("sample")
    body["metadata"]["finalizers"] = [HOLD]
    await lab.create(ASK, body)
    await lab.delete(ASK, "sample")
    assert (await lab.get(ASK, "sample"))["metadata"]["generation"] == 2
    await lab.merge(ASK, "sample", {"metadata": {"finalizers": None}})


async def test_a_dying_object_takes_status_but_no_new_finalizer(lab: Lab) -> None:
    body = approval("sample")
    body["metadata"]["finalizers"] = [HOLD]
    await lab.create(ASK, body)
    await lab.delete(ASK, "sample")
    await lab.merge(ASK, "sample", {"status": {"state": "Open"}}, subresource="status")
    with pytest.raises(Rejected):
        await lab.merge(ASK, "sample", {"metadata": {"finalizers": [HOLD, OTHER_HOLD]}})
    await lab.merge(ASK, "sample", {"metadata": {"finalizers": []}})
    assert await lab.gone(ASK, "sample")


async def test_a_dying_object_keeps_its_name(lab: Lab) -> None:
    await lab.create(MAP, config_map(finalizers=[HOLD]))
    await lab.delete(MAP, "notes")
    with pytest.raises(AlreadyExists):
        await lab.create(MAP, config_map())
    await lab.merge(MAP, "notes", {"metadata": {"finalizers": None}})


async def test_delete_holds_to_its_preconditions(lab: Lab) -> None:
    first = await lab.create(ASK, approval("sample"))
    stale = first["metadata"]["resourceVersion"]
    second = await lab.merge(ASK, "sample", {"spec": {"reason": "why"}})
    uid = second["metadata"]["uid"]
    with pytest.raises(Conflict):
        await lab.delete(ASK, "sample", uid=uid, resource_version=stale)
    with pytest.raises(Conflict):
        await lab.delete(ASK, "sample", uid="another")
    await lab.delete(ASK, "sample", uid=uid, resource_version=second["metadata"]["resourceVersion"])
    assert await lab.gone(ASK, "sample")


async def test_a_pod_that_no_machine_has_goes_at_once(lab: Lab) -> None:
    await create_pod(lab, pod())
    await lab.delete(Kind.POD, "worker")
    assert await lab.gone(Kind.POD, "worker")


async def test_a_held_pod_stays_until_it_is_released(lab: Lab) -> None:
    await create_pod(lab, pod(finalizers=[HOLD]))
    await lab.delete(Kind.POD, "worker")
    assert (await lab.get(Kind.POD, "worker"))["metadata"]["deletionTimestamp"]
    await lab.strategic(
        Kind.POD, "worker", {"metadata": {"$deleteFromPrimitiveList/finalizers": [HOLD]}}
    )
    assert await lab.gone(Kind.POD, "worker")


BOUND = {"nodeName": "no-such-machine", "terminationGracePeriodSeconds": 30}


@pytest.mark.parametrize("grace", [0, 1, 20], ids=["force", "now", "shorter"])
async def test_a_shorter_grace_period_counts_from_the_first_request(lab: Lab, grace: int) -> None:
    """But never moves the deletion into the past: the kubelet's last delete, which has period 0,
    leaves the time of that delete."""
    body = pod(finalizers=[HOLD])
    body["spec"] |= BOUND
    await create_pod(lab, body)
    await lab.delete(Kind.POD, "worker")
    first = await deletion(lab)
    await lab.pass_time(3)
    await lab.delete_pod("worker", grace=grace)
    last = await deletion(lab)
    requested = first[0] - timedelta(seconds=30)
    if grace == 20:
        assert last == (requested + timedelta(seconds=20), 20)
    else:
        assert timedelta(seconds=3) <= last[0] - requested < timedelta(seconds=30)
        assert last[1] == grace
    await lab.strategic(
        Kind.POD, "worker", {"metadata": {"$deleteFromPrimitiveList/finalizers": [HOLD]}}
    )


async def deletion(lab: Lab) -> tuple[datetime, int]:
    """When the pod is to be gone, and its grace period."""
    metadata = (await lab.get(Kind.POD, "worker"))["metadata"]
    moment = datetime.fromisoformat(metadata["deletionTimestamp"])
    return moment, metadata["deletionGracePeriodSeconds"]


async def test_children_follow_their_owner_in_the_background(lab: Lab) -> None:
    owner = await lab.create(ASK, approval("sample"))
    await lab.create(MAP, config_map("child", owner=owner))
    await lab.create(MAP, config_map("stranger"))
    await lab.delete(ASK, "sample")
    assert await lab.gone(ASK, "sample"), "the owner goes first"

    async def collected() -> bool:
        return await lab.gone(MAP, "child")

    await lab.eventually(collected, "its owner is gone")
    assert not await lab.gone(MAP, "stranger")


async def test_a_child_of_an_owner_that_is_gone_is_collected(lab: Lab) -> None:
    owner = await lab.create(ASK, approval("sample"))
    await lab.delete(ASK, "sample")
    await lab.create(MAP, config_map("late", owner=owner))

    async def collected() -> bool:
        return await lab.gone(MAP, "late")

    await lab.eventually(collected, "its owner was gone before it came")


async def test_an_owner_of_the_same_name_is_not_the_owner(lab: Lab) -> None:
    owner = await lab.create(ASK, approval("sample"))
    await lab.delete(ASK, "sample")
    await lab.create(ASK, approval("sample"))
    await lab.create(MAP, config_map("late", owner=owner))

    async def collected() -> bool:
        return await lab.gone(MAP, "late")

    await lab.eventually(collected, "its owner had another uid")


async def test_a_child_of_two_stays_with_the_one_that_is_left(lab: Lab) -> None:
    first = await lab.create(ASK, approval("sample"))
    second = await lab.create(ASK, approval("other"))
    child = config_map("child", owner=first)
    shared = {**reference(second), "controller": False}
    child["metadata"]["ownerReferences"].append(shared)
    await lab.create(MAP, child)
    await lab.create(MAP, config_map("only", owner=first))
    await lab.delete(ASK, "sample")

    async def collected() -> bool:
        return await lab.gone(MAP, "only")

    await lab.eventually(collected, "its one owner is gone")
    assert not await lab.gone(MAP, "child")


async def test_foreground_deletion_waits_for_held_children(lab: Lab) -> None:
    owner = await lab.create(ASK, approval("sample"))
    await lab.create(MAP, config_map("child", owner=owner, finalizers=[HOLD]))
    await lab.delete(ASK, "sample", propagation="Foreground")

    async def child_is_dying() -> bool:
        return "deletionTimestamp" in (await lab.get(MAP, "child"))["metadata"]

    await lab.eventually(child_is_dying, "its owner is being deleted in the foreground")
    body = await lab.get(ASK, "sample")
    assert body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await lab.merge(MAP, "child", {"metadata": {"finalizers": None}})

    async def owner_is_gone() -> bool:
        return await lab.gone(ASK, "sample")

    await lab.eventually(owner_is_gone, "its last child is gone")


async def test_orphans_stay(lab: Lab) -> None:
    owner = await lab.create(ASK, approval("sample"))
    await lab.create(MAP, config_map("child", owner=owner))
    await lab.delete(ASK, "sample", propagation="Orphan")

    async def owner_is_gone() -> bool:
        return await lab.gone(ASK, "sample")

    await lab.eventually(owner_is_gone, "its child was orphaned")
    assert not (await lab.get(MAP, "child"))["metadata"].get("ownerReferences")


async def test_a_terminating_namespace_takes_nothing_new_and_empties_pods_first(lab: Lab) -> None:
    inner = Lab(lab.cluster, f"{lab.namespace}-inner", lab.memory)
    await lab.cluster.create(Kind.NAMESPACE, namespace="", body=namespace_body(inner.namespace))
    await create_pod(inner, pod(finalizers=[HOLD]))
    await inner.create(Kind.JOB, job())
    await lab.cluster.delete(Kind.NAMESPACE, namespace="", name=inner.namespace)
    home = await lab.cluster.get(Kind.NAMESPACE, namespace=None, name=inner.namespace)
    assert home["status"]["phase"] == "Terminating"
    with pytest.raises(Rejected) as caught:
        await inner.create(MAP, config_map())
    assert (caught.value.code, caught.value.reason) == (403, "NamespaceTerminating")

    async def pod_is_dying() -> bool:
        return "deletionTimestamp" in (await inner.get(Kind.POD, "worker"))["metadata"]

    await lab.eventually(pod_is_dying, "the namespace deletes pods first")
    assert not await inner.gone(Kind.JOB, "work"), "the rest waits for the pods"
    await inner.strategic(
        Kind.POD, "worker", {"metadata": {"$deleteFromPrimitiveList/finalizers": [HOLD]}}
    )

    async def namespace_is_gone() -> bool:
        try:
            await lab.cluster.get(Kind.NAMESPACE, namespace=None, name=inner.namespace)
        except NotFound:
            return True
        return False

    await lab.eventually(namespace_is_gone, "nothing is left in it")
