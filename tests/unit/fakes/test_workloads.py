"""Jobs and pods behave as they do on a real cluster, as far as the product depends on it."""

from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.facts.pods import PodFact, pod_fact
from waypost.ports.cluster import Kind, NotFound, Obj, PatchType
from waypost.protocol.record import LIMIT, Attempt, CommitRecord, decode

from tests.fakes.api.builtin import JOB_TRACKING
from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.nodes.pace import Pace
from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.fakes.nodes.workloads import Workloads

RELEASE = {"metadata": {"$deleteFromPrimitiveList/finalizers": [meta.FINALIZER_RESULT]}}


def job(attempt: int = 1, *, path: str = "a", held: bool = True, **spec: Any) -> Obj:
    """A Job as the operator makes it, in short."""
    labels = {
        meta.LABEL_RUN: "run-1",
        meta.LABEL_NODE: path,
        meta.LABEL_ATTEMPT: str(attempt),
        meta.LABEL_ROUND: "1",
    }
    metadata: Obj = {"labels": labels, "annotations": {meta.ANNOTATION_PATH: path}}
    if held:
        metadata["finalizers"] = [meta.FINALIZER_RESULT]
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 5,
        "containers": [{"name": "node", "image": "x:1"}],
        **spec.pop("pod", {}),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{path}-{attempt}", "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "template": {"metadata": metadata, "spec": pod},
            **spec,
        },
    }


class Lab:
    """A cluster with one Job in it."""

    def __init__(self, program: Program, *, seed: int = 0) -> None:
        self.cluster = InMemoryCluster(clock=ManualClock(), seed=seed)
        self.work = Workloads(self.cluster, program=program, seed=seed, machines=("m0",))

    async def launch(self, **options: Any) -> None:
        await self.cluster.create(Kind.JOB, namespace="default", body=job(**options))

    def wait(self, seconds: float) -> None:
        self.cluster.advance(seconds)

    @property
    def pod(self) -> PodView:
        (pod,) = self.work.pods()
        return pod

    @property
    def fact(self) -> PodFact:
        fact = pod_fact(self.pod.body)
        assert fact is not None
        return fact

    @property
    def finalizers(self) -> list[str]:
        return list(self.pod.body["metadata"].get("finalizers", []))

    async def job(self, name: str = "a-1") -> Obj:
        return await self.cluster.get(Kind.JOB, namespace="default", name=name)

    async def suspend(self) -> None:
        await self.cluster.patch(
            Kind.JOB,
            namespace="default",
            name="a-1",
            body={"spec": {"suspend": True}},
            patch_type=PatchType.MERGE,
        )

    async def release(self) -> None:
        await self.cluster.patch(
            Kind.POD,
            namespace="default",
            name=self.pod.name,
            body=RELEASE,
            patch_type=PatchType.STRATEGIC,
        )


def conditions(body: Obj) -> list[str]:
    return [c["type"] for c in body["status"].get("conditions", [])]


def short(pod: PodView) -> Outcome:
    return pod.succeeds({"n": pod.attempt}, seconds=2, log="hello\nworld\n")


def endless(pod: PodView) -> Outcome:
    return pod.hangs()


def stubborn(pod: PodView) -> Outcome:
    return pod.hangs(stop_seconds=None)


@pytest.mark.parametrize("seed", range(5))
async def test_a_job_gives_a_pod_and_the_pod_a_record(seed: int) -> None:
    lab = Lab(short, seed=seed)
    await lab.launch()
    lab.wait(10)
    fact = lab.fact
    assert (fact.terminated, fact.exit_code, fact.phase) == (True, 0, "Succeeded")
    record = decode(fact.message, expect=Attempt("run-1", "a", 1, 1, fact.uid))
    assert isinstance(record, CommitRecord)
    assert record.output == {"n": 1}
    assert conditions(await lab.job()) == ["SuccessCriteriaMet", "Complete"]
    assert lab.finalizers == [meta.FINALIZER_RESULT], "counted, so no longer tracked"
    assert [e.key for e in lab.work.ledger.executions] == [("run-1", "a", 1)]


async def test_a_pod_is_of_its_template_and_of_its_job() -> None:
    lab = Lab(endless)
    await lab.launch()
    lab.wait(5)
    owner = lab.pod.body["metadata"]["ownerReferences"][0]
    assert owner["uid"] == (await lab.job())["metadata"]["uid"]
    assert lab.pod.body["metadata"]["labels"]["job-name"] == "a-1"
    assert lab.finalizers == [meta.FINALIZER_RESULT, JOB_TRACKING]
    assert lab.fact.started_at is not None


async def test_a_failure_fails_the_job_and_makes_no_second_pod() -> None:
    lab = Lab(lambda pod: pod.fails("no"))
    await lab.launch()
    lab.wait(600)
    assert (lab.fact.phase, lab.fact.exit_code) == ("Failed", 1)
    assert conditions(await lab.job()) == ["FailureTarget", "Failed"]
    assert len(lab.work.ledger.executions) == 1


async def test_the_tail_of_a_long_message_is_kept() -> None:
    lab = Lab(lambda pod: Outcome(message="é" * LIMIT))
    await lab.launch()
    lab.wait(10)
    assert len(lab.fact.message) == LIMIT // 2
    lab = Lab(lambda pod: Outcome(message="é" * LIMIT + "x"))
    await lab.launch()
    lab.wait(10)
    assert lab.fact.message[0] == "\ufffd", "a character was cut"


async def test_logs_are_there_once_it_has_started() -> None:
    lab = Lab(lambda pod: Outcome(blocked="ErrImagePull"))
    await lab.launch()
    lab.wait(5)
    read: dict[str, Any] = {"namespace": "default", "container": "node"}
    with pytest.raises(NotFound):
        await lab.cluster.read_log(**read, pod=lab.pod.name, tail_lines=9, limit_bytes=99)
    lab = Lab(short)
    await lab.launch()
    lab.wait(5)
    text = await lab.cluster.read_log(**read, pod=lab.pod.name, tail_lines=1, limit_bytes=99)
    assert text == b"world\n"
    text = await lab.cluster.read_log(**read, pod=lab.pod.name, tail_lines=9, limit_bytes=4)
    assert text == b"hell", "the limit counts from the beginning of the tail"


async def test_suspending_ends_the_pod_and_fails_nothing() -> None:
    lab = Lab(endless)
    await lab.launch()
    lab.wait(5)
    await lab.suspend()
    lab.wait(10)
    assert (lab.fact.phase, lab.fact.exit_code, lab.fact.deleting) == ("Failed", 143, True)
    assert lab.finalizers == [meta.FINALIZER_RESULT]
    assert conditions(await lab.job()) == ["Suspended"], "seen on 1.34.4: it never counts it"
    await lab.release()
    lab.wait(60)
    assert lab.work.pods() == []


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace() -> None:
    lab = Lab(stubborn)
    await lab.launch()
    lab.wait(5)
    lab.work.delete_pod(lab.pod)
    lab.wait(4)
    assert not lab.fact.terminated
    lab.wait(2)
    assert (lab.fact.terminated, lab.fact.exit_code) == (True, 137)


async def test_a_program_that_takes_longer_than_its_grace_is_killed_too() -> None:
    lab = Lab(lambda pod: pod.hangs(stop_seconds=60))
    await lab.launch()
    lab.wait(5)
    lab.work.delete_pod(lab.pod)
    lab.wait(6)
    assert (lab.fact.terminated, lab.fact.exit_code) == (True, 137)


async def test_a_deleted_pod_is_there_until_its_program_has_ended() -> None:
    lab = Lab(stubborn)
    template = job(held=False)["spec"]["template"]
    body = {"apiVersion": "v1", "kind": "Pod", **template}
    body["metadata"]["name"] = "bare"  # no Job, so nothing but its grace keeps it
    await lab.cluster.create(Kind.POD, namespace="default", body=body)
    lab.wait(5)
    lab.work.delete_pod(lab.pod)
    lab.wait(4)
    assert not lab.fact.terminated
    lab.wait(3)
    assert lab.work.pods() == []


async def test_an_ended_pod_needs_no_grace() -> None:
    lab = Lab(short)
    await lab.launch(held=False)
    lab.wait(10)
    lab.work.delete_pod(lab.pod)
    assert lab.work.pods() == []


async def test_a_program_may_still_give_its_result_when_it_is_stopped() -> None:
    lab = Lab(lambda pod: pod.stops_with({"done": True}))
    await lab.launch()
    lab.wait(5)
    lab.work.delete_pod(lab.pod)
    lab.wait(5)
    record = decode(lab.fact.message, expect=Attempt("run-1", "a", 1, 1, lab.fact.uid))
    assert isinstance(record, CommitRecord)
    assert lab.fact.exit_code == 143


async def test_a_pod_stopped_before_its_start_has_never_run() -> None:
    lab = Lab(lambda pod: Outcome(blocked="ErrImagePull", blocked_text="not found"))
    await lab.launch()
    lab.wait(5)
    assert lab.fact.waiting_reason == "ErrImagePull"
    lab.work.delete_pod(lab.pod)
    lab.wait(5)
    fact = lab.fact
    assert (fact.exit_code, fact.terminated_reason) == (None, "ContainerStatusUnknown")
    assert fact.started_at is None
    assert lab.work.ledger.executions == []


async def test_an_unschedulable_pod_waits_and_podgc_ends_it() -> None:
    lab = Lab(lambda pod: Outcome(blocked="Unschedulable", blocked_text="0/1 nodes"))
    await lab.launch()
    lab.wait(30)
    assert "0/1 nodes" in lab.fact.unschedulable
    lab.work.delete_pod(lab.pod)
    lab.wait(30)
    assert (lab.fact.phase, lab.fact.over) == ("Failed", True)


@pytest.mark.parametrize("blocked", ["Unschedulable", "ErrImagePull"])
async def test_what_blocks_a_pod_may_pass(blocked: Any) -> None:
    lab = Lab(lambda pod: Outcome(blocked=blocked, blocked_seconds=30))
    await lab.launch()
    lab.wait(20)
    assert lab.fact.started_at is None
    lab.wait(30)
    assert lab.fact.phase == "Succeeded"


async def test_a_refused_pod_leaves_an_event_and_is_tried_again() -> None:
    lab = Lab(short)
    lab.work.refuse_pods(lambda job: 'exceeded quota: "small"')
    await lab.launch()
    lab.wait(35)
    assert lab.work.pods() == []
    uid = (await lab.job())["metadata"]["uid"]
    events = await lab.cluster.list(
        Kind.EVENT, namespace="default", fields=f"involvedObject.uid={uid},reason=FailedCreate"
    )
    assert len(events.items) == 3, "after 0, 10 and 30 seconds"
    assert "exceeded quota" in events.items[0]["message"]
    lab.work.refuse_pods(lambda job: None)
    lab.wait(60)
    assert lab.fact.phase == "Succeeded"


async def test_deleting_a_job_ends_its_pod_which_our_finalizer_keeps() -> None:
    lab = Lab(endless)
    await lab.launch()
    lab.wait(5)
    await lab.cluster.delete(Kind.JOB, namespace="default", name="a-1")
    with pytest.raises(NotFound):
        await lab.job()
    assert not lab.fact.terminated, "the Job is gone and its program still runs"
    lab.wait(10)
    assert (lab.fact.terminated, lab.finalizers) == (True, [meta.FINALIZER_RESULT])
    await lab.release()
    assert lab.work.pods() == []


async def test_a_job_made_again_runs_beside_the_old_pod_and_the_ledger_knows() -> None:
    lab = Lab(stubborn)
    await lab.launch()
    lab.wait(5)
    await lab.cluster.delete(Kind.JOB, namespace="default", name="a-1")
    await lab.launch()
    lab.wait(3)
    assert len(lab.work.pods()) == 2
    assert lab.work.ledger.doubled() == [("run-1", "a", 1)]
    assert len(lab.work.ledger.overlaps()) == 1


async def test_without_our_finalizer_the_result_goes_with_the_job() -> None:
    lab = Lab(short)
    await lab.launch(held=False, ttlSecondsAfterFinished=30)
    lab.wait(20)
    assert lab.fact.phase == "Succeeded"
    lab.wait(60)
    assert lab.work.pods() == []


async def test_a_ttl_takes_the_job_and_leaves_a_held_pod() -> None:
    lab = Lab(short)
    await lab.launch(ttlSecondsAfterFinished=30)
    lab.wait(60)
    assert (await lab.job())["metadata"]["deletionTimestamp"], "it waits for its pod"
    assert lab.fact.deleting
    await lab.release()
    lab.wait(1)
    with pytest.raises(NotFound):
        await lab.job()


async def test_an_eviction_says_so() -> None:
    lab = Lab(endless)
    await lab.launch()
    lab.wait(5)
    lab.work.evict(lab.pod)
    lab.wait(5)
    assert lab.fact.disruption.startswith("EvictionByEvictionAPI")
    assert (lab.fact.deleting, lab.fact.terminated) == (True, True)


@pytest.mark.parametrize("disruption", [True, False])
async def test_a_kubelet_evicts_for_its_own_need_or_for_the_pods_limit(disruption: bool) -> None:
    lab = Lab(endless)
    await lab.launch()
    lab.wait(5)
    lab.work.run_out_of(lab.pod, disruption=disruption, message="ephemeral local storage")
    lab.wait(1)
    assert (lab.fact.pod_reason, bool(lab.fact.disruption)) == ("Evicted", disruption)
    assert (lab.fact.phase, lab.fact.exit_code) == ("Failed", 137)


async def test_a_pods_deadline_fails_it_whatever_its_program_says() -> None:
    lab = Lab(lambda pod: pod.hangs(stop_code=0))
    await lab.launch(pod={"activeDeadlineSeconds": 20})
    lab.wait(30)
    fact = lab.fact
    assert (fact.phase, fact.pod_reason, fact.exit_code) == ("Failed", "DeadlineExceeded", 0)


async def test_a_lost_machine_says_nothing_until_it_is_removed() -> None:
    lab = Lab(short)
    await lab.launch()
    lab.wait(2)
    lab.work.lose_machine("m0")
    lab.wait(400)
    assert (lab.fact.terminated, lab.fact.deleting) == (False, True)
    assert lab.fact.disruption.startswith("DeletionByTaintManager")
    assert lab.work.ledger.executions[0].ended_at is not None, "its program ended all the same"
    lab.work.remove_machine("m0")
    lab.wait(60)
    assert lab.fact.phase == "Failed"
    assert lab.fact.disruption.startswith("DeletionByPodGC")


async def test_a_machine_that_comes_back_tells_what_happened() -> None:
    lab = Lab(short)
    await lab.launch()
    lab.wait(2)
    lab.work.lose_machine("m0")
    lab.wait(20)
    assert not lab.fact.terminated
    lab.work.regain_machine("m0")
    lab.wait(1)
    assert (lab.fact.phase, lab.fact.exit_code) == ("Succeeded", 0)


async def test_a_removed_machine_never_reports_again() -> None:
    lab = Lab(short)
    await lab.launch()
    lab.wait(2)
    lab.work.remove_machine("m0")
    lab.work.lose_machine("m0")
    lab.work.regain_machine("m0")
    lab.wait(1)
    assert not lab.fact.terminated, "no kubelet is left to report the end"
    lab.wait(60)
    assert lab.fact.disruption.startswith("DeletionByPodGC")


async def test_a_forced_deletion_ends_containers_of_others_too() -> None:
    lab = Lab(lambda pod: pod.succeeds(1))
    lab.work.inject(lambda made: [{"name": "proxy", "image": "proxy:1"}])
    await lab.launch()
    lab.wait(30)
    assert lab.pod.body["status"]["phase"] == "Running", "the proxy runs on"
    lab.work.delete_pod(lab.pod, grace=0)
    lab.wait(5)
    assert lab.pod.body["status"]["phase"] == "Succeeded"
    assert lab.finalizers == [meta.FINALIZER_RESULT], "the Job has counted it"


async def test_a_forced_deletion_kills_at_once() -> None:
    lab = Lab(stubborn)
    await lab.launch()
    lab.wait(5)
    lab.work.delete_pod(lab.pod, grace=0)
    lab.wait(1)
    assert lab.fact.terminated
    assert lab.work.ledger.executions[0].ended_at is not None


async def test_the_container_may_end_before_the_pod_says_so() -> None:
    cluster = InMemoryCluster(clock=ManualClock())
    states = []

    def note(kind: Kind, change: str | None, raw: Obj) -> None:
        fact = pod_fact(raw)
        assert fact is not None
        states.append((fact.terminated, fact.phase))

    cluster.subscribe(note, kinds=[Kind.POD])
    Workloads(cluster, program=short, pace=Pace(split_phase=1.0))
    await cluster.create(Kind.JOB, namespace="default", body=job())
    cluster.advance(20)
    assert (True, "Running") in states
    assert states[-1] == (True, "Succeeded")


async def test_one_seed_one_history() -> None:
    def run(seed: int) -> list[tuple[float, float | None]]:
        lab = Lab(short, seed=seed)
        body = job()
        lab.cluster.server.create(Kind.JOB, namespace="default", body=body, by="t")
        lab.wait(20)
        return [(e.started_at, e.ended_at) for e in lab.work.ledger.executions]

    assert run(4) == run(4) != run(5)
