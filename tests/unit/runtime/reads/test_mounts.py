"""A node that waits for a Secret says so within seconds, and ends by its queueTimeout."""

from typing import Any

import pytest
from waypost.ports.cluster import Kind, Obj, Unavailable

from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import python, spec
from tests.support.harness import Operator, World
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


@pytest.mark.parametrize(("text", "told"), MISSING)
@virtual
async def test_what_is_missing_is_named_and_ends_the_node(text: str, told: str) -> None:
    async with World(script={"fetch": [blocked(text)]}) as world:
        world.start()
        await world.submit(spec({**FETCH, "queueTimeout": "60s"}))
        await world.until(
            lambda: world.node("fetch").get("reason") == "MissingReference", "named", within=8
        )
        assert world.node("fetch")["message"] == told
        assert world.node("fetch")["phase"] == "Running"
        await world.finished(within=90)
        node = world.node("fetch")
        assert (node["phase"], node["reason"]) == ("Failed", "MissingReference")
        assert told in node["message"]
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
async def test_pods_without_keys_are_not_asked_about() -> None:
    async with World(script={"a": [blocked(NO_SECRET, seconds=30)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.finished()
        assert events_read(operator) == 0
