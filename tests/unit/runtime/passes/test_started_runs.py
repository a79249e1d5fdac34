"""Events that start runs: once, whatever happens to operators and requests."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.names import started_name
from waypost.kube.objects import section
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.ports.cluster import Kind, Obj, Rejected, Unavailable

from tests.support.builders import http, python, spec
from tests.support.events import EVENT, event, waits
from tests.support.guarding import STRICT
from tests.support.harness import NAMESPACE, World
from tests.support.templates import create_template
from tests.support.virtual import virtual

TEMPLATE = Kind.AGENT_WORKFLOW_TEMPLATE
RUN = Kind.AGENT_WORKFLOW
SHAPE = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
BODY: Obj = {
    **spec(python("work", inputs={"n": "${inputs.n}"}), inputSchema=SHAPE),
    "triggers": [{"eventSource": "other"}, {"eventSource": "github"}],
}


async def template(world: World, **fields: Any) -> None:
    """The template `triage`."""
    body = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": TEMPLATE.kind,
        "metadata": {"name": "triage"},
        "spec": {key: value for key, value in {**BODY, **fields}.items() if value is not None},
    }
    await world.user.create(TEMPLATE, namespace=NAMESPACE, body=body)


async def start(
    world: World,
    id_: str = "e1",
    *,
    n: Any = 7,
    source: str = "github",
    annotations: Obj | None = None,
    **more: Any,
) -> None:
    """The event of a request that starts `triage`."""
    origin = {"name": source, "id": id_}
    run = {"templateRef": {"name": "triage"}, "inputs": {"n": n}}
    body = event(id_, name=source, start=run, source=origin, **more)
    body["metadata"]["annotations"] = annotations or {}
    await world.user.create(EVENT, namespace=NAMESPACE, body=body)


def status(world: World, id_: str = "e1") -> Obj:
    """The status of an event."""
    [body] = [one for one in world.all(EVENT) if one["metadata"]["name"] == id_]
    return section(body, "status")


def creates(world: World) -> int:
    """How many runs were ever created."""
    return len({run["metadata"]["uid"] for run in world.all(RUN)})


@virtual
async def test_s752_the_run_of_an_event_names_the_span_of_the_sender() -> None:
    async with World() as world:
        world.start()
        await template(world)
        given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        for id_, sent in (("e1", given), ("e2", "anything")):
            await start(world, id_, annotations={meta.ANNOTATION_TRACEPARENT: sent})
        await world.quiet(5)
        notes = {
            run["spec"]["origin"]["event"]: run["metadata"]["annotations"] for run in world.all(RUN)
        }
        assert notes["e1"][meta.ANNOTATION_TRACEPARENT] == given
        assert meta.ANNOTATION_TRACEPARENT not in notes["e2"]


@virtual
async def test_the_run_of_an_event() -> None:
    """S597, S598: its name follows from the event, it says where it comes from, and it runs."""
    async with World() as world:
        world.start()
        await template(world)
        await start(world)
        await world.quiet(5)
        [run] = world.all(RUN)
        name = run["metadata"]["name"]
        assert name.startswith("triage-")
        assert run["metadata"]["labels"]["waypost.dev/event-source"] == "github"
        assert run["metadata"]["annotations"]["waypost.dev/event"].startswith("e1 ")
        assert run["spec"]["origin"] == {"event": "e1"}
        assert run["spec"]["inputs"] == {"n": 7}
        found = status(world)
        assert (found["phase"], found["start"]["run"]) == ("Consumed", name)
        done = await world.finished(name)
        assert done["phase"] == "Succeeded"
        accepted = world.condition("Accepted", name)
        assert accepted["message"] == "the spec is valid", "S28: its labels are the operator's"


LINK: Obj = {"type": "object", "required": ["n"], "properties": {"n": {"type": "string"}}}
OUTSIDE: Obj = {"nodes": [http("call", url="${inputs.n}")], "inputSchema": LINK}


@virtual
async def test_s611_strict_mode_starts_no_run_whose_sender_chooses_a_host() -> None:
    async with World() as world:
        world.start(approvals=STRICT)
        await template(world, **OUTSIDE)
        await start(world, n="http://169.254.169.254/")
        await world.quiet(5)
        found = status(world)
        assert found["phase"] == "Refused"
        assert found["message"] == (
            "the run would be rejected: approvals.mode is Strict, and nodes.call.http.url: "
            "inputs.n comes from outside and chooses the host; write the host, as in "
            "https://api.example.com/items/${...}"
        )
        assert world.all(RUN) == []


@virtual
async def test_s611_strict_mode_rejects_a_run_that_sends_where_an_event_says() -> None:
    wait = waits("paid", key="k", schema={"type": "string"})
    node = http("call", url="${nodes.paid.output.payload}")
    async with World() as world:
        world.start(approvals=STRICT)
        await world.submit(spec(wait, node))
        done = await world.finished()
        assert done["phase"] == "Rejected"
        says = world.condition("Accepted")["message"]
        assert says.startswith("nodes.call.http.url: approvals.mode is Strict, and nodes.paid.")


@virtual
@pytest.mark.parametrize("given", ["${nodes.paid.output.payload}", "https://api.example/x"])
async def test_s785_strict_mode_follows_values_into_child_runs(given: str) -> None:
    wait = waits("paid", key="k", schema={"type": "string"})
    call = {"name": "sub", "workflow": {"templateRef": {"name": "sends"}}, "inputs": {"n": given}}
    async with World() as world:
        world.start(approvals=STRICT)
        await create_template(
            world, {**spec(http("call", url="${inputs.n}")), "inputSchema": LINK}, "sends"
        )
        await world.submit(spec(wait, call))
        await world.quiet(5)
        accepted = world.condition("Accepted")
        if given.startswith("https"):
            assert accepted["status"] == "True"
            return
        assert world.status()["phase"] == "Rejected"
        assert accepted["message"].startswith(
            "nodes.sub.inputs.n: approvals.mode is Strict, and nodes.paid.output.payload comes "
            "from outside and chooses the host of nodes.call.http.url of template sends; "
        )


@virtual
async def test_s611_without_strict_mode_it_is_a_warning() -> None:
    async with World() as world:
        world.start()
        await template(world, **OUTSIDE)
        await start(world, n="https://example.com/")
        await world.quiet(5)
        assert status(world)["phase"] == "Consumed"
        says = world.condition("Accepted", world.all(RUN)[0]["metadata"]["name"])["message"]
        assert says == "the spec is valid", "a warning about a template is for its author"


REFUSED = [
    pytest.param({"triggers": None}, 7, "github", "does not list EventSource github", id="none"),
    pytest.param({}, 7, "gitlab", "does not list EventSource gitlab", id="other-source"),
    pytest.param({}, "seven", "github", "$.n: expected integer", id="typed-inputs"),
    pytest.param(
        {"nodes": [python("a", inputs={"x": "${nodes.b.output}"})]}, 7, "github", "b", id="i"
    ),
]


@pytest.mark.parametrize(("fields", "n", "source", "says"), REFUSED)
@virtual
async def test_what_a_template_does_not_take(fields: Obj, n: Any, source: str, says: str) -> None:
    """S599: the event says why, and no run is created."""
    async with World() as world:
        world.start()
        await template(world, **fields)
        await start(world, n=n, source=source)
        await world.quiet(5)
        found = status(world)
        assert found["phase"] == "Refused"
        assert says in found["message"]
        assert world.all(RUN) == []


@pytest.mark.parametrize("held", ["missing", "suspended"])
@virtual
async def test_an_event_waits_for_its_template(held: str) -> None:
    """S600: it starts its run as soon as the template can take it."""
    async with World() as world:
        world.start()
        if held == "suspended":
            await template(world, suspend=True)
        await start(world)
        await world.quiet(20)
        assert status(world).get("phase", "Pending") == "Pending"
        assert "triage" in status(world)["message"]
        assert world.all(RUN) == []
        if held == "suspended":
            await world.patch(TEMPLATE, "triage", {"suspend": False})
        else:
            await template(world)
        await world.quiet(5)
        assert status(world)["phase"] == "Consumed"
        assert creates(world) == 1


@virtual
async def test_an_event_that_waits_too_long_expires() -> None:
    """S600"""
    async with World() as world:
        world.start()
        soon = world.clock.now() + timedelta(minutes=20)
        await start(world, expiresAt=timestamp(soon))
        await world.quiet(1260)
        assert status(world)["phase"] == "Expired"
        assert "does not exist" in status(world)["message"]


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize(("verb", "kind"), [("patch_status", EVENT), ("create", RUN)])
@virtual
async def test_a_request_is_lost(verb: str, kind: Kind, after_commit: bool) -> None:
    """S598: whether it arrived or not, there is one run."""
    async with World() as world:
        world.cluster.fail_next(verb, kind, Unavailable("lost"), after_commit=after_commit)
        world.start()
        await template(world)
        await start(world)
        await world.quiet(60)
        assert status(world)["phase"] == "Consumed"
        assert creates(world) == 1


@virtual
async def test_two_operators_start_one_run() -> None:
    """S598"""
    async with World() as world:
        world.start()
        world.start()
        await template(world)
        for number in range(5):
            await start(world, f"e{number}")
        await world.quiet(30)
        assert {status(world, f"e{n}")["phase"] for n in range(5)} == {"Consumed"}
        assert creates(world) == 5


@virtual
async def test_a_run_that_the_api_server_refuses() -> None:
    """S601: tried again for ten minutes, then the event says why."""
    async with World() as world:
        world.start()
        await template(world)
        refusals = world.cluster.server.refusals
        refusals["create", RUN] = lambda: Rejected("denied by a policy", code=403)
        await start(world)
        await world.quiet(300)
        assert status(world)["phase"] == "Claimed"
        refusals.clear()
        await world.quiet(60)
        assert (status(world)["phase"], creates(world)) == ("Consumed", 1)
        refusals["create", RUN] = lambda: Rejected("denied by a policy", code=403)
        await start(world, "e2")
        await world.quiet(700)
        refusals.clear()
        await world.quiet(60)
        found = status(world, "e2")
        assert found["phase"] == "Refused"
        assert "denied by a policy" in found["message"]
        assert creates(world) == 1


@virtual
async def test_a_run_of_others_with_this_name() -> None:
    """S601: it is not taken for the run of the event."""
    async with World() as world:
        world.start()
        await template(world)
        await start(world)
        [found] = world.all(EVENT)
        name = started_name(template="triage", event_uid=found["metadata"]["uid"])
        await world.submit(spec(python("a")), name=name)
        await world.quiet(60)
        assert status(world)["phase"] == "Refused"
        assert "is not of this event" in status(world)["message"]


@virtual
async def test_its_ttl_does_not_end_before_the_start_is_settled() -> None:
    """S598: else an operator that finds no run would create it again."""
    async with World() as world:
        world.start()
        await template(world)
        await start(world)
        await world.quiet(5)
        [run] = world.all(RUN)
        kept = parse_timestamp(run["metadata"]["annotations"]["waypost.dev/keep-until"])
        begun = parse_timestamp(status(world)["start"]["begunAt"])
        assert kept is not None
        assert begun is not None
        assert (kept - begun).total_seconds() == 660


@virtual
async def test_the_operator_that_was_killed_between_the_two_writes() -> None:
    """S598: the next one creates the run that the event names."""
    async with World() as world:
        first = world.start()
        await template(world)
        world.cluster.fail_next("create", RUN, Unavailable("lost"))
        await start(world)
        for _ in range(1000):
            if status(world).get("phase") == "Claimed":
                break
            await world.quiet(0.01)
        first.die()
        assert world.all(RUN) == []
        named = status(world)["start"]["run"]
        world.start()
        await world.quiet(60)
        [run] = world.all(RUN)
        assert (run["metadata"]["name"], status(world)["phase"]) == (named, "Consumed")
