"""Probes on a simulated cluster, in virtual time: what Ready says, when, and what it costs."""

import asyncio
import json
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.isolation.policy import NamespacePolicy
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj, PatchType, Rejected, Unavailable
from waypost.probes.job import ProbeSettings, probe_job
from waypost.probes.subject import subject
from waypost.protocol.probe import (
    ProbeReason,
    Verdict,
    encode,
    lines_digest,
    tool_lines,
)

from tests.fakes.api.watch import ROUGH, Delivery
from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, World, gives
from tests.support.virtual import virtual

PROVIDER: Obj = {
    "type": "OpenAI",
    "baseURL": "http://models.example/v1",
    "apiKey": {"name": "openai", "key": "api-key"},
}
SERVER: Obj = {"http": {"url": "http://runbooks:8000/mcp"}}
NO_SECRET = 'MountVolume.SetUp failed for volume "secrets" : secret "openai" not found'
OK = Verdict(ProbeReason.ANSWERED, "3 models", found=3)
LOOK = 0.2


def says(verdict: Verdict, **how: Any) -> Program:
    """A probe that comes to this verdict."""
    return lambda pod: Outcome(message=encode(verdict).decode(), **how)


def lists(*tools: Obj, log: str | None = None) -> Program:
    """The probe of a server with these tools."""
    lines = tool_lines(tools)
    verdict = Verdict(
        ProbeReason.ANSWERED,
        f"{len(tools)} tools",
        found=len(tools),
        lines=len(lines),
        digest=lines_digest(lines),
    )
    printed = "\n".join(["something else", *lines]) if log is None else log
    return says(verdict, log=printed)


def blocked(text: str = NO_SECRET, seconds: float | None = None) -> Program:
    """A probe whose volume cannot be mounted; by and by it can, and the probe answers."""

    def program(pod: PodView) -> Outcome:
        return Outcome(
            message=encode(OK).decode(),
            blocked="FailedMount",
            blocked_text=text,
            blocked_seconds=seconds,
        )

    return program


class Probed:
    """A world with one object to be probed."""

    def __init__(self, world: World, kind: Kind, name: str) -> None:
        self.world = world
        self.kind = kind
        self.name = name

    def body(self) -> Obj:
        return self.world.cluster.server.storage.read(self.kind, NAMESPACE, self.name) or {}

    def ready(self) -> Obj:
        """Its condition; empty before there is one."""
        found = items(self.body(), "status", "conditions")
        return next((c for c in found if c["type"] == "Ready"), {})

    def says(self) -> tuple[str, str]:
        return self.ready().get("status", ""), self.ready().get("reason", "")

    def probe(self) -> Obj:
        return section(self.body(), "status", "probe")

    def jobs(self) -> list[Obj]:
        uid = self.body()["metadata"]["uid"]
        found = self.world.all(Kind.JOB)
        return [j for j in found if j["metadata"]["labels"].get(meta.LABEL_PROBE) == uid]

    async def until(self, status: str, reason: str, *, within: float = 600.0) -> Obj:
        await self.world.until(
            lambda: self.says() == (status, reason),
            f"{self.name} is {status}, {reason}; now {self.ready()}",
            within=within,
            step=LOOK,
        )
        return self.ready()

    async def patch(self, body: Obj) -> None:
        await self.world.user.patch(
            self.kind,
            namespace=NAMESPACE,
            name=self.name,
            body=body,
            patch_type=PatchType.MERGE,
        )


async def provider(world: World, name: str = "default", spec: Obj = PROVIDER) -> Probed:
    return await make(world, Kind.MODEL_PROVIDER, name, spec)


async def server(world: World, name: str = "runbooks", spec: Obj = SERVER) -> Probed:
    return await make(world, Kind.TOOL_SERVER, name, spec)


async def make(world: World, kind: Kind, name: str, spec: Obj) -> Probed:
    body = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": kind.kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    await world.user.create(kind, namespace=NAMESPACE, body=body)
    return Probed(world, kind, name)


def world_where(*programs: Program, **how: Any) -> World:
    """Probes have no node: their attempts are the script of the path ""."""
    return World(script={"": programs}, **how)


@virtual
async def test_a_provider_that_answers_is_ready_and_left_alone() -> None:
    async with world_where(says(OK)) as world:
        world.start()
        found = await provider(world)
        ready = await found.until("True", "Answered", within=10)
        assert ready["message"] == "3 models"
        assert ready["observedGeneration"] == 1
        assert found.body()["status"]["modelsFound"] == 3
        (job,) = found.jobs()
        assert job["metadata"]["name"] == found.probe()["job"]
        quiet = await world.quiet(1500)
        assert [w for w in quiet if w.request.user == "waypost-operator"] == []
        await world.quiet(600)
        assert found.probe()["number"] == 2, "after half an hour it is tried again"
        assert found.says() == ("True", "Answered")


@virtual
async def test_the_pod_is_as_a_node_s_would_be() -> None:
    async with world_where(says(OK)) as world:
        world.start()
        found = await provider(world)
        await found.until("True", "Answered")
        job = found.jobs()[0]
        template = job["spec"]["template"]
        pod, (container,) = template["spec"], template["spec"]["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["image"] == "runner:test"
        assert pod["activeDeadlineSeconds"] == 120
        assert job["metadata"]["ownerReferences"][0]["kind"] == "ModelProvider"
        assert meta.LABEL_RUN not in template["metadata"]["labels"], (
            "it would wake the loop of runs"
        )
        assert "finalizers" not in template["metadata"]
        request = json.loads(template["metadata"]["annotations"][meta.ANNOTATION_PROBE])
        assert request["provider"] == {
            "type": "OpenAI",
            "baseUrl": "http://models.example/v1",
            "keyFile": "/waypost/secrets/model/key",
            "models": [],
        }


@virtual
async def test_s240_a_copy_of_the_pod_of_a_probe_decides_nothing() -> None:
    forged = says(Verdict(ProbeReason.ANSWERED, "99 models", found=99))
    slow = says(OK, seconds=20)
    async with world_where(lambda pod: forged(pod) if pod.name == "zz" else slow(pod)) as world:
        world.start()
        found = await provider(world)
        await world.until(lambda: bool(world.all(Kind.POD)), "its pod", within=10)
        original = world.all(Kind.POD)[0]
        metadata = {k: original["metadata"][k] for k in ("labels", "annotations")}
        spec = {k: v for k, v in original["spec"].items() if k != "nodeName"}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": "zz"}}
        await world.user.create(Kind.POD, namespace=NAMESPACE, body={**body, "spec": spec})
        ready = await found.until("True", "Answered", within=60)
        assert ready["message"] == "3 models"


@virtual
async def test_a_server_shows_its_tools() -> None:
    schema = {"type": "object", "properties": {"words": {"type": "string", "default": None}}}
    tool = {"name": "search", "description": "Find.", "inputSchema": schema}
    hinted = {"name": "erase", "annotations": {"destructive": True}}
    async with world_where(lists(hinted, tool)) as world:
        world.start()
        found = await server(world)
        ready = await found.until("True", "Answered")
        status = found.body()["status"]
        assert status["toolsFound"] == 2
        assert status["tools"] == [hinted, tool], "nulls in schemas included"
        assert ready["message"] == "2 tools; 1 of them have a schema that is too large to be listed"
        assert found.jobs()[0]["spec"]["template"]["spec"]["containers"][0]["image"] == "agent:test"


FORGED = [
    pytest.param("", id="rotated-away"),
    pytest.param('waypost-tool {"name":"rm"}', id="not-those-of-the-verdict"),
]


@pytest.mark.parametrize("log", FORGED)
@virtual
async def test_a_log_without_the_tools_is_said(log: str) -> None:
    async with world_where(lists({"name": "search"}, log=log)) as world:
        world.start()
        found = await server(world)
        ready = await found.until("True", "Answered")
        assert "the list could not be read" in ready["message"]
        assert "tools" not in found.body()["status"]


@virtual
async def test_more_tools_than_fit_are_counted() -> None:
    tools = [{"name": f"t{n:03}", "inputSchema": {"type": "object"}} for n in range(200)]
    lines = tool_lines(tools)
    verdict = Verdict(ProbeReason.ANSWERED, "200 tools", 200, (), len(lines), lines_digest(lines))
    async with world_where(says(verdict, log="\n".join(lines))) as world:
        world.start()
        found = await server(world)
        ready = await found.until("True", "Answered")
        assert ready["message"] == "200 tools; the first 128 are listed in status.tools"
        assert len(found.body()["status"]["tools"]) == 128
        assert found.body()["status"]["toolsFound"] == 200


REFUSED = Verdict(ProbeReason.UNAUTHORIZED, "answered 401: no such key; put a valid one in")


@virtual
async def test_a_refusal_is_told_and_tried_again_ever_more_rarely() -> None:
    async with world_where(says(REFUSED)) as world:
        world.start()
        found = await provider(world)
        ready = await found.until("False", "Unauthorized", within=10)
        assert ready["message"] == REFUSED.message
        await world.quiet(3600)
        assert found.says() == ("False", "Unauthorized")
        assert 10 <= found.probe()["number"] <= 20, "10 s, 20 s, ... at most every 5 minutes"


@virtual
async def test_what_is_mended_is_ready_soon() -> None:
    async with world_where(says(REFUSED), says(REFUSED), says(OK)) as world:
        world.start()
        found = await provider(world)
        await found.until("False", "Unauthorized")
        await found.until("True", "Answered", within=60)
        assert found.probe()["failures"] == 0


@virtual
async def test_a_missing_secret_is_named_within_seconds_and_found_when_it_comes() -> None:
    async with world_where(blocked(seconds=40.0)) as world:
        world.start()
        found = await provider(world)
        ready = await found.until("False", "MissingSecret", within=10)
        assert ready["message"] == (
            "Secret openai does not exist; create it: kubectl create secret generic openai "
            "--from-file=api-key=FILE"
        )
        await found.until("True", "Answered", within=60)
        assert len(found.jobs()) == 1, "the pod that waited for it"


@virtual
async def test_a_secret_that_never_comes_stays_named() -> None:
    async with world_where(blocked()) as world:
        world.start()
        found = await provider(world)
        await found.until("False", "MissingSecret", within=10)
        for _ in range(200):
            await asyncio.sleep(5.0)
            assert found.says() == ("False", "MissingSecret"), "also where its pod has ended"
        assert 2 < found.probe()["number"] < 12


@virtual
async def test_a_cache_that_is_not_yet_filled_is_nothing_missing() -> None:
    text = "MountVolume.SetUp failed: failed to sync secret cache: timed out waiting"
    async with world_where(blocked(text, seconds=8.0)) as world:
        world.start()
        found = await provider(world)
        seen = set()
        while found.says() != ("True", "Answered"):
            seen.add(found.says()[0])
            await asyncio.sleep(LOOK)
        assert seen <= {"", "Unknown"}


FAILED = [
    pytest.param(Outcome(exit_code=1, message="Traceback"), "exit code 1: Traceback", id="crash"),
    pytest.param(Outcome(exit_code=137, reason="OOMKilled"), "OOMKilled", id="memory"),
    pytest.param(Outcome(message="{}"), "exit code 0 (Completed): {}", id="no-verdict"),
    pytest.param(Outcome(seconds=None), "longer than the specified deadline", id="hangs"),
    pytest.param(
        Outcome(blocked="Unschedulable", blocked_text="0/1 nodes: Insufficient cpu"),
        "Insufficient cpu",
        id="no-room",
    ),
    pytest.param(
        Outcome(blocked="ErrImagePull", blocked_text="pull access denied"),
        "pull access denied",
        id="no-image",
    ),
]


@pytest.mark.parametrize(("outcome", "says"), FAILED)
@virtual
async def test_a_probe_that_fails_says_nothing_of_the_provider(outcome: Outcome, says: str) -> None:
    async with world_where(lambda pod: outcome) as world:
        world.start()
        found = await provider(world)
        ready = await found.until("Unknown", "ProbeFailed", within=300)
        assert says in ready["message"]
        first = found.probe()["number"]
        await world.until(lambda: found.probe()["number"] > first, "it is repeated", within=600)


@virtual
async def test_an_image_that_never_comes_stays_named() -> None:
    outcome = Outcome(blocked="ErrImagePull", blocked_text="pull access denied")
    async with world_where(lambda pod: outcome) as world:
        world.start()
        found = await provider(world)
        await found.until("Unknown", "ProbeFailed", within=10)
        for _ in range(100):
            await asyncio.sleep(5.0)
            assert "pull access denied" in found.ready()["message"]
        assert found.probe()["number"] > 1


@virtual
async def test_a_job_that_is_refused_is_told() -> None:
    async with world_where(says(OK)) as world:
        text = "admission webhook denied the request: no images from there"
        world.cluster.fail_next("create", Kind.JOB, Rejected(text, code=403))
        world.start()
        found = await provider(world)
        ready = await found.until("Unknown", "ProbeFailed", within=10)
        assert text in ready["message"]
        await found.until("True", "Answered", within=60)


@virtual
async def test_a_job_of_another_with_the_name_of_the_probe_is_told() -> None:
    async with world_where(says(OK)) as world:
        found = await provider(world)
        observed = subject("ModelProvider", found.body())
        assert observed is not None
        job = probe_job(observed, 1, ProbeSettings(runner_image="x:1", agent_image="x:1"))
        del job["metadata"]["ownerReferences"], job["metadata"]["labels"]
        del job["spec"]["template"]["metadata"]["labels"]
        await world.user.create(Kind.JOB, namespace=NAMESPACE, body=job)
        world.start()
        ready = await found.until("Unknown", "ProbeFailed", within=10)
        assert f"Job {job['metadata']['name']} exists and is not this probe's" in ready["message"]
        await found.until("True", "Answered", within=60)


@virtual
async def test_a_pod_that_is_refused_is_told() -> None:
    async with world_where(says(OK)) as world:
        world.work.refuse_pods(lambda job: 'pods "x" is forbidden: exceeded quota: small')
        world.start()
        found = await provider(world)
        ready = await found.until("Unknown", "ProbeFailed", within=30)
        assert "exceeded quota: small" in ready["message"]


@virtual
async def test_a_changed_spec_is_probed_at_once_and_the_old_probe_given_up() -> None:
    async with world_where(lambda pod: pod.hangs(), says(OK)) as world:
        world.start()
        found = await provider(world)
        await world.until(lambda: bool(world.ledger.executions), "the first one runs")
        old = found.probe()["job"]
        await found.patch({"spec": {"baseURL": "http://other.example/v1"}})
        ready = await found.until("True", "Answered", within=10)
        assert ready["observedGeneration"] == 2
        assert old not in [job["metadata"]["name"] for job in found.jobs()]


@virtual
async def test_what_was_said_of_another_spec_is_taken_back() -> None:
    async with world_where(says(OK), lambda pod: pod.hangs()) as world:
        world.start()
        found = await provider(world)
        await found.until("True", "Answered")
        await found.patch({"spec": {"baseURL": "http://other.example/v1"}})
        ready = await found.until("Unknown", "Probing", within=5)
        assert ready["observedGeneration"] == 2


@virtual
async def test_an_annotation_asks_anew() -> None:
    async with world_where(says(OK), says(REFUSED)) as world:
        world.start()
        found = await provider(world)
        await found.until("True", "Answered")
        note = {meta.ANNOTATION_PROBE_AT: "2026-11-23T07:00:00Z"}
        await found.patch({"metadata": {"annotations": note}})
        await found.until("False", "Unauthorized", within=10)
        assert found.probe()["asked"] == "2026-11-23T07:00:00Z"
        assert found.probe()["number"] == 2, "once"


@virtual
async def test_a_broken_object_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with world_where(says(OK)) as world:
        world.start()
        bad = [await server(world, f"bad-{n}", {}) for n in range(6)]  # CEL is not asked here
        good = await provider(world)
        await good.until("True", "Answered", within=10)
        await world.submit(spec(python("a")))
        await world.finished()
        assert [found.ready() for found in bad] == [{}] * 6
        assert "a defect of the operator; the probe is retried" in caplog.text


@virtual
async def test_a_crash_between_record_and_job_is_repaired() -> None:
    async with world_where(says(OK)) as world:
        first = world.start()
        gate = world.cluster.hold("create", Kind.JOB)
        found = await provider(world)
        await world.until(lambda: bool(found.probe()), "the probe is recorded")
        first.die()
        gate.open()
        assert found.jobs() == []
        world.start()
        await found.until("True", "Answered", within=30)
        assert found.probe()["number"] <= 2


@virtual
async def test_after_a_restart_nothing_is_probed_that_is_known() -> None:
    async with world_where(says(OK)) as world:
        first = world.start()
        found = await provider(world)
        await found.until("True", "Answered")
        await first.shut_down()
        world.start()
        await world.quiet(60)
        assert found.probe()["number"] == 1


@pytest.mark.parametrize("seed", range(3))
@virtual
async def test_a_bad_network_and_two_operators_probe_once_each(seed: int) -> None:
    async with world_where(says(OK), seed=seed) as world:
        world.start(delivery=ROUGH, seed=seed)
        world.start(delivery=ROUGH, seed=seed + 10)
        world.cluster.fail_next(
            "create", Kind.JOB, Unavailable("lost"), after_commit=True, user=None
        )
        world.cluster.fail_next("patch_status", Kind.MODEL_PROVIDER, Unavailable("lost"))
        found = await provider(world)
        await found.until("True", "Answered", within=900)
        assert found.probe()["number"] == 1
        assert len(found.jobs()) == 1


@virtual
async def test_what_the_watch_keeps_to_itself_is_found_by_the_first_list_and_the_next() -> None:
    deaf = Delivery(delay=(50_000.0, 60_000.0))
    async with world_where(says(OK)) as world:
        before = await provider(world, "before")
        world.start(delivery=deaf)
        await before.until("True", "Answered", within=10)
        after = await provider(world, "after")
        await after.until("True", "Answered", within=400)


@virtual
async def test_deleted_objects_are_forgotten() -> None:
    async with world_where(says(REFUSED)) as world:
        operator = world.start()
        found = await provider(world)
        await found.until("False", "Unauthorized")
        await world.delete(Kind.MODEL_PROVIDER, "default")
        quiet = await world.quiet(1200)
        assert [w for w in quiet if w.request.kind is Kind.JOB and w.request.verb == "create"] == []
        assert operator.controller.health() is None


@virtual
async def test_a_finding_that_is_the_same_writes_the_probe_and_no_transition() -> None:
    async with world_where(says(REFUSED)) as world:
        world.start()
        found = await provider(world)
        since = (await found.until("False", "Unauthorized"))["lastTransitionTime"]
        await world.quiet(120)
        assert found.probe()["number"] > 2
        assert found.ready()["lastTransitionTime"] == since


@virtual
async def test_runs_and_probes_do_not_meet() -> None:
    async with World(script={"": [says(OK)], "a": [gives(1)]}) as world:
        world.start()
        found = await provider(world)
        await world.submit(spec(python("a")))
        await world.finished()
        await found.until("True", "Answered")
        assert world.ledger.doubled() == []


# --- what the platform allows --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        pytest.param({"secrets": ["openai"]}, True, id="named"),
        pytest.param({"secrets": ["other-*"]}, False, id="other-secrets"),
        pytest.param({"secrets": []}, False, id="no-secret"),
        pytest.param({}, True, id="no-limit"),
        pytest.param({"hosts": ["models.example"]}, True, id="its-host"),
        pytest.param({"hosts": ["*.example"]}, True, id="a-pattern-of-hosts"),
        pytest.param({"hosts": ["api.openai.com"]}, False, id="another-host"),
        pytest.param({"hosts": ["models.exam"]}, False, id="a-beginning-of-the-host"),
    ],
)
@virtual
async def test_s555_a_probe_gets_no_secret_that_the_policy_does_not_allow(
    policy: Any, allowed: bool
) -> None:
    """W5: the author of a ModelProvider chooses where the key of any Secret is sent."""
    async with World() as world:
        world.script[""] = [says(OK)]
        world.start(policies=(NamespacePolicy.model_validate(policy),))
        body = {
            "apiVersion": meta.API_VERSION,
            "kind": "ModelProvider",
            "metadata": {"name": "default"},
            "spec": PROVIDER,
        }
        await world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=body)
        probed = Probed(world, Kind.MODEL_PROVIDER, "default")
        expected = ("True", "Answered") if allowed else ("False", "NotPermitted")
        await world.until(lambda: probed.says() == expected, str(expected), within=60)
        assert bool(world.all(Kind.JOB)) is allowed, "no pod mounts the key"
        if not allowed:
            found = "host models.example" if "hosts" in policy else "Secret openai"
            assert f"does not allow {found}" in probed.ready()["message"]
