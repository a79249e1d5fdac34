"""Compensations played on a simulated cluster: S270 to S285."""

from waypost.api.base import JsonObject
from waypost.kube.objects import items, section

from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import python, spec
from tests.support.children import DOUBLE, calls, children
from tests.support.harness import World, fails, gives, hangs
from tests.support.templates import create_template
from tests.support.virtual import virtual

LARGE = "x" * 3000  # fits no status
UNDO: JsonObject = {
    "inputs": {"gave": "${self.output}", "was": "${self.inputs}"},
    "python": {"source": "def run(gave, was): ..."},
}


def notes(pods: list[PodView]) -> Program:
    """A program that succeeds and leaves its pod in `pods`."""

    def program(pod: PodView) -> Outcome:
        pods.append(pod)
        return pod.succeeds()

    return program


@virtual
async def test_s273_large_outputs_and_inputs_are_read_from_their_records() -> None:
    seen: list[PodView] = []
    script = {
        "draft": [gives({"text": LARGE})],
        "book": [gives({"id": LARGE})],
        "last": [fails()],
        "book/compensate": [notes(seen)],
    }
    nodes = [
        python("draft"),
        python("book", inputs={"text": "${nodes.draft.output.text}"}, compensate=UNDO),
        python("last", dependsOn=["book"]),
    ]
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(*nodes))
        status = await world.finished()
        assert world.node("book")["outputRecord"]
    assert status["phase"] == "Failed"
    (pod,) = seen
    assert pod.inputs == {"gave": {"id": LARGE}, "was": {"text": LARGE}}


@virtual
async def test_s271_a_node_that_succeeds_while_the_run_is_stopped_is_undone() -> None:
    seen: list[PodView] = []

    def late(pod: PodView) -> Outcome:
        return pod.stops_with({"id": 7})

    undo = {"inputs": {"gave": "${self.output}"}, "python": {"source": "def run(gave): ..."}}
    async with World(script={"book": [late], "book/compensate": [notes(seen)]}) as world:
        world.start()
        await world.submit(spec(python("book", compensate=undo)))
        await world.until(lambda: bool(world.ledger.of("book")), "book runs")
        await world.patch_run({"cancel": True})
        status = await world.finished()
    assert status["phase"] == "Cancelled"
    assert [pod.inputs for pod in seen] == [{"gave": {"id": 7}}]


@virtual
async def test_s280_a_round_is_refused_until_a_person_decides() -> None:
    script = {"last": [fails(), gives()], "book/compensate": [fails()]}
    nodes = [
        python("book", compensate={"python": {"source": "def run(): ..."}}),
        python("last", dependsOn=["book"]),
    ]
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(*nodes))
        status = await world.finished()
        conditions = {c["type"]: c for c in items(status, "conditions")}
        assert conditions["CompensationSucceeded"]["reason"] == "CompensationFailed"
        assert "not undone: book" in conditions["Succeeded"]["message"]
        await world.patch_run({"rerun": {"round": 2}})
        await world.quiet(5)
        assert world.status().get("round", 1) == 1
        await world.patch_run({"rerun": {"round": 2, "outputs": {"book": {"id": 1}}}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        status = await world.finished()
    assert status["phase"] == "Succeeded"


@virtual
async def test_s284_a_child_run_that_succeeded_is_undone_by_its_parent() -> None:
    seen: list[PodView] = []
    script = {"twice": [gives(8)], "last": [fails(), gives()], "check/compensate": [notes(seen)]}
    parent = spec(
        calls("check", inputs={"n": 4}, compensate=UNDO), python("last", dependsOn=["check"])
    )
    async with World(script=script) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(parent)
        status = await world.finished()
        assert status["phase"] == "Failed"
        assert [pod.inputs["was"] for pod in seen] == [{"n": 4}]
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        status = await world.finished()
        assert status["phase"] == "Succeeded"
        assert world.node("check")["child"]["generation"] == 2, "its work was undone"
        assert len(children(world)) == 2


@virtual
async def test_s284_a_child_run_that_is_cancelled_undoes_what_it_did() -> None:
    seen: list[PodView] = []
    script = {"step": [gives(1)], "long": [hangs()], "step/compensate": [notes(seen)]}
    undo = {"python": {"source": "def run(): ..."}}
    body = {"nodes": [python("step", compensate=undo), python("long", dependsOn=["step"])]}
    async with World(script=script) as world:
        world.start()
        await create_template(world, body)
        await world.submit(spec(calls("check")))
        await world.until(lambda: bool(world.ledger.of("long")), "long runs")
        await world.patch_run({"cancel": True})
        status = await world.finished()
        (made,) = children(world)
    assert status["phase"] == "Cancelled"
    assert len(seen) == 1, "before the node of the parent ended"
    assert section(made, "status")["stage"] == "Compensating"
