"""S626, S627: `status.isolation` says in how many attempts each control held."""

from typing import Any

import pytest
from waypost.kube.egress.policy import EgressSettings
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind, Obj, Unavailable
from waypost.protocol.isolation import Measured

from tests.fakes.nodes.programs import Program
from tests.support.builders import python, spec, wait
from tests.support.harness import World, fails, gives
from tests.support.virtual import virtual

PODS = PodSettings(
    runner_image="runner:test",
    egress=EgressSettings(gateway_namespace="waypost", gateway_address="http://10.96.0.7:8080"),
)
ALL_HELD = Measured(("Egress", "Seccomp", "Restricted", "UserNamespace"), (), "")
OPEN = "the pod reaches 10.96.0.1:443, which its NetworkPolicy must block"


def counts(world: World) -> dict[str, Obj]:
    """By control, without the controls that nothing is wrong with."""
    listed = world.status().get("isolation", [])
    return {one["control"]: {k: v for k, v in one.items() if k != "control"} for one in listed}


async def played(world: World, *nodes: Obj, **fields: Any) -> dict[str, Obj]:
    world.start(pods=PODS)
    await world.submit(spec(*nodes, **fields))
    await world.finished()
    return counts(world)


@pytest.mark.parametrize(
    ("isolation", "probed", "found"),
    [
        pytest.param(
            {},
            "",
            {
                "Egress": {"off": 1},
                "UserNamespace": {"off": 1},
                "RuntimeClass": {"off": 1},
                "Seccomp": {"applied": 1},
                "Restricted": {"applied": 1},
            },
            id="nothing-declared",
        ),
        pytest.param(
            {"egress": "None", "hostUsers": False, "runtimeClassName": "gvisor"},
            ALL_HELD.to_text(),
            {
                "Egress": {"verified": 1},
                "UserNamespace": {"verified": 1},
                "RuntimeClass": {"applied": 1},
                "Seccomp": {"verified": 1},
                "Restricted": {"verified": 1},
            },
            id="all-of-it",
        ),
        pytest.param(
            {"egress": "None"}, "", {"Egress": {"verified": 1}}, id="a-probe-without-a-message"
        ),
        pytest.param(
            {"egress": "None", "verify": "Off"}, "", {"Egress": {"applied": 1}}, id="verify-off"
        ),
        pytest.param(
            {"egress": "None", "verify": "Report"},
            ALL_HELD.to_text(),
            {"Egress": {"verified": 1}},
            id="report-and-it-holds",
        ),
        pytest.param(
            {"egress": "None", "verify": "Report"},
            Measured(("Restricted",), ("Egress", "Seccomp"), OPEN).to_text(),
            {
                "Egress": {"unavailable": 1, "message": f"a: {OPEN}"},
                "Seccomp": {
                    "unavailable": 1,
                    "message": "a: the probe in the pod saw that it does not hold",
                },
                "Restricted": {"verified": 1},
            },
            id="report-without-an-enforcing-engine",
        ),
        pytest.param(
            {"egress": "None", "verify": "Report"},
            "",
            {"Egress": {"applied": 1}},
            id="a-report-that-is-lost-proves-nothing",
        ),
    ],
)
@virtual
async def test_what_an_attempt_adds(isolation: Obj, probed: str, found: dict[str, Obj]) -> None:
    async with World(script={"a": [gives(1, probed=probed)]}) as world:
        seen = await played(world, python("a", isolation=isolation))
        assert world.status()["phase"] == "Succeeded"
        assert {name: seen[name] for name in found} == found


@virtual
async def test_hosts_that_drop_the_user_namespace() -> None:
    """A cluster without user namespaces stores the pod without `hostUsers`, and says nothing."""
    async with World(script={"a": [gives(1)]}) as world:

        def drop(kind: Kind, change: str, body: Obj) -> None:
            if kind is Kind.JOB and change == "ADDED":
                body["spec"]["template"]["spec"].pop("hostUsers", None)

        world.cluster.server.storage.listeners.insert(0, drop)
        seen = await played(world, python("a", isolation={"hostUsers": False}))
        assert seen["UserNamespace"] == {
            "unavailable": 1,
            "message": "a: the cluster dropped hostUsers: false, or the pod was changed",
        }


@virtual
async def test_a_cluster_that_does_not_enforce_egress() -> None:
    """S387: nothing of the node has run, and each try is counted for Egress only."""
    refuses: Program = lambda pod: pod.hangs(blocked="ProbeFails", blocked_text=OPEN)  # noqa: E731
    async with World(script={"a": [refuses]}) as world:
        seen = await played(world, python("a", isolation={"egress": "None"}))
        assert (world.node("a")["phase"], world.node("a")["reason"]) == (
            "Failed",
            "IsolationUnverified",
        )
        assert not world.ledger.executions
        text = f"a: init container isolation-probe failed with exit code 7: {OPEN}"
        assert seen == {"Egress": {"unavailable": 3, "message": text}}


@virtual
async def test_each_attempt_counts_once() -> None:
    """Retries and items too, also when a write is repeated and when an operator takes over."""
    script = {"a": [fails(), gives(1)], "m": [gives(2)]}
    async with World(script=script) as world:
        world.cluster.fail_next("patch", Kind.AGENT_WORKFLOW, Unavailable("no answer"), times=4)
        items = python("m", forEach={"items": "${inputs.list}"}, inputs={"x": "${item}"})
        limited = python("a", isolation={"egress": "None"}, retry={"limit": 1})
        seen = await played(world, limited, items, inputs={"list": ["x", "y", "z"]})
        assert seen["Egress"] == {"verified": 2, "off": 3}
        assert seen["Seccomp"] == {"applied": 5}


@virtual
async def test_an_attempt_that_waits_for_its_record_counts_once() -> None:
    """S626: the write that closes the attempt counts it."""
    large = "x" * 3500
    async with World(script={"a": [gives(large)]}) as world:
        world.cluster.fail_next("create", Kind.NODE_RECORD, Unavailable("no answer"), times=3)
        seen = await played(world, python("a"))
        assert seen["Egress"] == {"off": 1}


@virtual
async def test_rounds_add_up_and_nodes_without_pods_add_nothing() -> None:
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=PODS)
        await world.submit(spec(python("a"), wait("pause", duration="1s", after=["a"])))
        await world.finished()
        await world.patch_run({"rerun": {"round": 2, "from": ["a"]}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        await world.until(lambda: world.node("a")["phase"] == "Succeeded", "a runs again")
        assert counts(world)["Seccomp"] == {"applied": 2}
