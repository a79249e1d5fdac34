"""A node that waits for a Secret says so within seconds, and ends by its queueTimeout."""

from typing import Any

import pytest
from waypost.ports.cluster import Kind, Obj, Unavailable

from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import python, spec
from tests.support.harness import Operator, World, gives
from tests.support.virtual import virtual

NO_SECRET = 'MountVolume.SetUp failed for volume "secrets" : secret "crm" not found'
NO_KEY = 'MountVolume.SetUp failed for volume "secrets" : references non-existent secret key: token'
FETCH: Obj = {
    "name": "fetch",
    "http": {"url": "https://crm.example/", "auth": {"bearer": {"name": "crm", "key": "token"}}},
}


def blocked(text: str, seconds: float | None = None) -> Program:
    """A pod whose volume cannot be mounted, for good or for a while."""

    def program(pod: PodView) -> Outcome:
        done: dict[str, Any] = {"status": 200, "headers": {}, "body": None}
        return pod.succeeds(done, blocked="FailedMount", blocked_text=text, blocked_seconds=seconds)

    return program


def events_read(operator: Operator) -> int:
    """How often it has asked for Events."""
    return sum((call.verb, call.kind) == ("list", Kind.EVENT) for call in operator.line.calls)


MISSING = [
    pytest.param(
        NO_SECRET,
        "Secret crm does not exist; create it: kubectl create secret generic crm "
        "--from-file=token=FILE",
        id="secret",
    ),
    pytest.param(NO_KEY, "Secret crm has no key token; add it, or name the right key", id="key"),
]


@pytest.mark.parametrize(("text", "reported"), MISSING)
@virtual
async def test_what_is_missing_is_named_and_ends_the_node(text: str, reported: str) -> None:
    async with World(script={"fetch": [blocked(text)]}) as world:
        world.start()
        await world.submit(spec({**FETCH, "queueTimeout": "60s"}))
        await world.until(
            lambda: world.node("fetch").get("reason") == "MissingReference", "named", within=8
        )
        assert world.node("fetch")["message"] == reported
        assert world.node("fetch")["phase"] == "Running"
        await world.finished(within=90)
        node = world.node("fetch")
        assert (node["phase"], node["reason"]) == ("Failed", "MissingReference")
        assert reported in node["message"]
        assert world.ledger.executions == []


@virtual
async def test_a_secret_that_comes_late_lets_the_node_go_on() -> None:
    async with World(script={"fetch": [blocked(NO_SECRET, seconds=30)]}) as world:
        world.start()
        await world.submit(spec(FETCH))
        await world.until(
            lambda: world.node("fetch").get("reason") == "MissingReference", "named", within=8
        )
        await world.finished(within=60)
        node = world.node("fetch")
        assert node["phase"] == "Succeeded"
        assert "reason" not in node


@virtual
async def test_what_passes_by_itself_is_not_named() -> None:
    text = "MountVolume.SetUp failed: failed to sync secret cache: timed out waiting"
    async with World(script={"fetch": [blocked(text, seconds=20)]}) as world:
        world.start()
        await world.submit(spec(FETCH))
        while not world.is_finished():
            assert "reason" not in world.node("fetch")
            await world.quiet(1.0)


@virtual
async def test_events_are_read_ever_more_rarely() -> None:
    async with World(script={"fetch": [blocked(NO_SECRET)]}) as world:
        operator = world.start()
        await world.submit(spec({**FETCH, "queueTimeout": "30m"}))
        await world.finished(within=2000)
        assert 20 < events_read(operator) < 45, "soon at first, then once a minute"


@virtual
async def test_events_that_cannot_be_read_cost_nothing_but_the_word() -> None:
    async with World(script={"fetch": [blocked(NO_SECRET, seconds=20)]}) as world:
        world.cluster.fail_next("list", Kind.EVENT, Unavailable("no"), times=2)
        operator = world.start()
        await world.submit(spec(FETCH, python("beside")))
        await world.finished(within=60)
        assert world.node("fetch")["phase"] == "Succeeded"
        assert operator.telemetry.outcomes["error"] == 0, "no pass has failed for a hint"


@virtual
async def test_a_pod_without_keys_that_starts_soon_is_not_asked_about() -> None:
    async with World(script={"a": [blocked(NO_SECRET, seconds=30)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.finished()
        assert events_read(operator) == 0


NO_ADDRESS = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = plugin failed: no IP "
    "addresses available"
)


def no_sandbox(text: str, seconds: float | None = None, pull: float = 0.0) -> Program:
    """A pod that its machine gives no sandbox, for good or for a while."""

    def program(pod: PodView) -> Outcome:
        blocked: dict[str, Any] = {"blocked": "FailedCreatePodSandBox", "blocked_text": text}
        return pod.succeeds(1, **blocked, blocked_seconds=seconds, pull_seconds=pull)

    return program


@virtual
async def test_s450_a_pod_without_a_sandbox_says_why_within_a_minute() -> None:
    async with World(script={"a": [no_sandbox(NO_ADDRESS)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a", queueTimeout="30m"), python("b")))
        await world.until(
            lambda: "no IP addresses" in world.node("a").get("message", ""), "named", within=60
        )
        node = world.node("a")
        assert (node["phase"], node["reason"]) == ("Running", "Unschedulable")
        assert node["message"] == f"FailedCreatePodSandBox: {NO_ADDRESS}"
        assert world.node("b")["phase"] == "Succeeded"
        await world.quiet(1500)
        assert events_read(operator) < 12, "at most every five minutes"
        await world.patch_run({"cancel": True})
        await world.finished(within=60)


@virtual
async def test_s450_a_cause_that_lasts_is_no_reason_to_stop_before_its_time() -> None:
    """An Event is a hint, even one with the words of a refusal that lasts."""
    text = "failed: admission webhook x denied the request"
    async with World(script={"a": [no_sandbox(text, seconds=90)]}) as world:
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: text in world.node("a").get("message", ""), "named", within=60)
        await world.finished(within=90)
        node = world.node("a")
        assert (node["phase"], node.get("reason"), node.get("message")) == ("Succeeded", None, None)


@virtual
async def test_s450_what_is_over_is_not_named() -> None:
    """The newest Event counts: by now the machine pulls the image."""
    async with World(script={"a": [no_sandbox(NO_ADDRESS, seconds=30, pull=60.0)]}) as world:
        world.start()
        await world.submit(spec(python("a")))
        while not world.is_finished():
            assert "reason" not in world.node("a")
            await world.quiet(1.0)
        assert world.node("a")["phase"] == "Succeeded"


@virtual
async def test_s450_inputs_whose_config_map_was_deleted_are_named_and_made_again() -> None:
    waits = gives(1, blocked="Unschedulable", blocked_text="full", blocked_seconds=10.0)
    async with World(script={"a": [waits]}) as world:
        world.start()
        node = python("a", inputs={"t": "${inputs.t}"}, queueTimeout="2m")
        await world.submit(spec(node, inputs={"t": "x" * 200_000}))
        await world.until(lambda: bool(world.all(Kind.POD)), "a pod", within=10)
        (inputs,) = world.all(Kind.CONFIG_MAP)
        name = inputs["metadata"]["name"]
        await world.delete(Kind.CONFIG_MAP, name)
        await world.until(
            lambda: "deleted" in world.node("a").get("message", ""), "named", within=70
        )
        assert world.node("a")["reason"] == "Unschedulable", "so it is launched again"
        assert world.node("a")["message"] == (
            f"ConfigMap {name} with the inputs of this attempt was deleted; after queueTimeout the "
            "next attempt has a new one"
        )
        await world.finished(within=300)
        assert world.node("a")["phase"] == "Succeeded"
        assert len(world.ledger.executions) == 1, "of the second attempt"
