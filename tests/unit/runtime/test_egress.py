"""Policies of `isolation.egress` in the cluster: before the Job, shared, removed when unused."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.egress.policy import EgressSettings
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind, Obj, QuotaExceeded, Rejected
from waypost.protocol.isolation import PROBE

from tests.support.builders import container, python, spec
from tests.support.harness import NAMESPACE, Call, World, gives
from tests.support.virtual import virtual

PODS = PodSettings(
    runner_image="runner:test",
    gateway_url="http://waypost-gateway.waypost.svc:8080",
    egress=EgressSettings(
        gateway_namespace="waypost",
        gateway_labels=(("app.kubernetes.io/component", "gateway"),),
        gateway_address="http://10.96.0.7:8080",
    ),
)


def limited(*names: str, egress: str = "None", **fields: Any) -> Obj:
    return spec(*(python(name, isolation={"egress": egress}) for name in names), **fields)


def policies(world: World) -> list[Obj]:
    return world.all(Kind.NETWORK_POLICY)


@virtual
async def test_the_policy_is_there_before_the_job_that_it_selects() -> None:
    """S383"""
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.start(pods=PODS)
        await world.submit(limited("a", "b"))
        assert (await world.finished())["phase"] == "Succeeded"
        order = [
            w.request.kind
            for w in world.cluster.log
            if w.request.verb == "create" and w.request.kind in (Kind.JOB, Kind.NETWORK_POLICY)
        ]
        assert order[0] is Kind.NETWORK_POLICY
        assert order.count(Kind.NETWORK_POLICY) == 1, "the same egress is the same policy"
        [policy] = policies(world)
        assert not policy["metadata"].get("ownerReferences"), "other runs use it too"
        for job in world.all(Kind.JOB):
            label = policy["metadata"]["labels"]
            assert label.items() <= job["metadata"]["labels"].items()
            assert label.items() <= job["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("egress", "gateway"),
    [
        pytest.param("None", None, id="none"),
        pytest.param("Gateway", "http://10.96.0.7:8080", id="address-instead-of-a-name"),
        pytest.param("Inherit", "http://waypost-gateway.waypost.svc:8080", id="as-configured"),
    ],
)
@virtual
async def test_how_the_pod_reaches_the_gateway(egress: str, gateway: str | None) -> None:
    """S381: pods without DNS get an address; pods without the gateway neither URL nor token."""
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=PODS)
        await world.submit(limited("a", egress=egress))
        await world.finished()
        [job] = world.all(Kind.JOB)
        pod = job["spec"]["template"]
        request = pod["metadata"]["annotations"][meta.ANNOTATION_REQUEST]
        assert (f'"gateway":"{gateway}"' in request) == (gateway is not None)
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        assert ("token" in volumes) == (gateway is not None)
        assert bool(policies(world)) == (egress != "Inherit")
        assert (meta.LABEL_EGRESS in pod["metadata"]["labels"]) == (egress != "Inherit")


@virtual
async def test_a_gateway_without_an_address() -> None:
    """S381"""
    egress = replace(PODS.egress, gateway_address="")
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=replace(PODS, egress=egress))
        await world.submit(limited("a", egress="Gateway"))
        assert (await world.finished())["phase"] == "Failed"
        assert world.node("a")["reason"] == "InputInvalid"
        assert "gateway.clusterIP" in world.node("a")["message"]
        assert not world.all(Kind.JOB)


@virtual
async def test_a_private_network_that_the_installation_does_not_list() -> None:
    """S382"""
    allow = {"to": [{"cidr": "10.1.0.0/16", "port": 5432}]}
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=PODS)
        node = container("a", isolation={"egress": "AllowList", "allow": allow})
        await world.submit(spec(node))
        assert (await world.finished())["phase"] == "Failed"
        assert "networkPolicy.privateHosts" in world.node("a")["message"]


@pytest.mark.parametrize(
    ("verb", "error", "words", "ends"),
    [
        pytest.param(
            "create",
            QuotaExceeded("exceeded quota: tight, requested: count/networkpolicies=1", code=403),
            "exceeded quota: tight",
            False,
            id="quota",
        ),
        pytest.param(
            "create",
            Rejected("admission webhook denied the request", code=403),
            "denied the request",
            True,
            id="policy-engine",
        ),
        pytest.param(
            "get",
            Rejected("networkpolicies is forbidden", code=403),
            "is forbidden",
            False,
            id="no-right",
        ),
    ],
)
@virtual
async def test_a_policy_that_is_refused(verb: str, error: Any, words: str, ends: bool) -> None:
    """S384: no Job is created, and the node says why."""
    async with World(script={"a": [gives(1)]}) as world:
        world.cluster.fail_next(verb, Kind.NETWORK_POLICY, error, times=3)
        world.start(pods=PODS)
        await world.submit(limited("a"))
        await world.until(lambda: words in world.node("a").get("message", ""), "the node says why")
        assert not world.all(Kind.JOB)
        assert world.node("a")["reason"] == "LaunchRejected"
        status = await world.finished()
        assert status["phase"] == ("Failed" if ends else "Succeeded")
        assert len(world.ledger.executions) == (0 if ends else 1)


@virtual
async def test_a_policy_that_a_person_has_changed() -> None:
    """S384"""
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.start(pods=PODS)
        await world.submit(limited("a"))
        await world.finished()
        [policy] = policies(world)
        name = policy["metadata"]["name"]
        await world.delete(Kind.NETWORK_POLICY, name)
        opened = {**policy["spec"], "egress": [{}]}
        body = {**policy, "metadata": {"name": name}, "spec": opened}
        await world.user.create(Kind.NETWORK_POLICY, namespace=NAMESPACE, body=body)
        await world.submit(limited("b"), name="second")
        assert (await world.finished("second"))["phase"] == "Failed"
        assert "exists and was changed; delete it" in world.node("b", "second")["message"]


@virtual
async def test_a_policy_that_was_deleted_is_made_again() -> None:
    """S383: a live read before each launch."""
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.start(pods=PODS)
        await world.submit(limited("a"))
        await world.finished()
        await world.delete(Kind.NETWORK_POLICY, policies(world)[0]["metadata"]["name"])
        await world.submit(limited("b"), name="second")
        assert (await world.finished("second"))["phase"] == "Succeeded"
        assert len(policies(world)) == 1


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(Kind.NETWORK_POLICY, id="the policy is created"),
        pytest.param(Kind.JOB, id="the Job is created"),
    ],
)
@virtual
async def test_a_crash_around_the_policy(kind: Kind, sent: bool) -> None:
    """S383: no Job without its policy, one execution."""
    async with World(script={"a": [gives(1)]}) as world:
        first = world.start(pods=PODS)

        async def dies(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is kind:
                if sent:
                    await send()
                first.die()
                world.helper(later())
            return await send()

        async def later() -> None:
            world.start(pods=PODS)

        first.line.intercept = dies
        world.cluster.server.storage.listeners.insert(0, _no_job_without_its_policy(world))
        await world.submit(limited("a"))
        assert (await world.finished())["phase"] == "Succeeded"
        assert len(world.ledger.executions) == 1
        assert len(policies(world)) == 1


def _no_job_without_its_policy(world: World) -> Callable[[Kind, str, Obj], None]:
    def judge(kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.JOB and change == "ADDED":
            label = body["metadata"]["labels"][meta.LABEL_EGRESS]
            labels = [policy["metadata"]["labels"][meta.LABEL_EGRESS] for policy in policies(world)]
            assert label in labels

    return judge


@virtual
async def test_what_nothing_uses_is_removed() -> None:
    """S385: when neither Job nor pod nor a launch has used it for two sweeps."""
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.start(pods=PODS)
        await world.submit(limited("a"))
        await world.finished()
        await world.quiet(3000)
        assert len(policies(world)) == 1, "its Job is still there"
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await world.quiet(3000)
        assert policies(world) == []
        await world.submit(limited("b"), name="second")
        assert (await world.finished("second"))["phase"] == "Succeeded"


@virtual
async def test_policies_of_others_stay() -> None:
    """S385"""
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "theirs"},
        "spec": {"podSelector": {}},
    }
    async with World(script={}) as world:
        world.start(pods=PODS)
        await world.user.create(Kind.NETWORK_POLICY, namespace=NAMESPACE, body=body)
        await world.quiet(3000)
        assert [policy["metadata"]["name"] for policy in policies(world)] == ["theirs"]


def probes(world: World) -> list[Obj]:
    [job] = world.all(Kind.JOB)
    found: list[Obj] = job["spec"]["template"]["spec"].get("initContainers", [])
    return [one for one in found if one["name"] == PROBE]


FAILS = "169.254.169.254:80,[fd00:ec2::254]:80,100.100.100.200:80,10.96.0.7:8081"


@pytest.mark.parametrize(
    ("isolation", "reaches", "dns"),
    [
        pytest.param({"egress": "None"}, "", False, id="none"),
        pytest.param(
            {"egress": "Gateway", "verify": "Required"}, "10.96.0.7:8080", False, id="gateway"
        ),
        pytest.param(
            {"egress": "AllowList", "allow": {"to": [{"pods": {"app": "db"}, "port": 5432}]}},
            "10.96.0.7:8080",
            False,
            id="list",
        ),
        pytest.param(
            {"egress": "AllowList", "allow": {"dns": True}}, "10.96.0.7:8080", True, id="dns"
        ),
        pytest.param(
            {
                "egress": "AllowList",
                "allow": {"to": [{"pods": {"app": "names"}, "namespace": "net", "port": 53}]},
            },
            "10.96.0.7:8080",
            True,
            id="a-name-server-of-the-list",
        ),
        pytest.param({"egress": "None", "verify": "Off"}, None, False, id="off"),
        pytest.param({"egress": "Inherit"}, None, False, id="nothing-to-verify"),
    ],
)
@virtual
async def test_what_the_probe_looks_at(isolation: Obj, reaches: str | None, dns: bool) -> None:
    """S387"""
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=PODS)
        await world.submit(spec(python("a", isolation=isolation)))
        assert (await world.finished())["phase"] == "Succeeded"
        found = [{one["name"]: one["value"] for one in probe["env"]} for probe in probes(world)]
        expected = {"WAYPOST_MUST_FAIL": FAILS, "WAYPOST_MUST_REACH": reaches}
        if not dns:
            expected["WAYPOST_NO_DNS"] = "true"
        assert found == ([] if reaches is None else [expected])


@virtual
async def test_the_probe_is_the_first_init_container() -> None:
    """S387: what unpacks artifacts, and the sidecar for large outputs, come after it."""
    node = {"name": "a", "container": {"image": "work:1", "largeOutput": True}}
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=PODS)
        await world.submit(spec({**node, "isolation": {"egress": "Gateway"}}))
        await world.until(lambda: bool(world.all(Kind.JOB)), "the Job")
        [job] = world.all(Kind.JOB)
        inits = job["spec"]["template"]["spec"]["initContainers"]
        assert inits[0]["name"] == PROBE
        assert len(inits) == 2
