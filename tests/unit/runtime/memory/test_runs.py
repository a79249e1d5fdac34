"""The memory of runs on a simulated cluster: the snapshot, the Episode, and who sees what."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.ports.cluster import Kind
from waypost.views.io import needed_records, node_io

from tests.support.builders import SOURCE, python
from tests.support.harness import World, fails, gives
from tests.support.memory import (
    ENTRY,
    LABELS,
    block,
    entries,
    finds,
    forget,
    memory_of,
    ran,
    reader,
    saw,
    snapshot_of,
    triage,
    triage_template,
    values,
)
from tests.support.templates import REVIEW, RUN_OF
from tests.support.virtual import virtual

DISK = {"a": [finds("disk")]}


@virtual
async def test_the_second_run_sees_what_the_first_found() -> None:
    """S690 S691: an Episode at the end, and `memory.last` in the next run."""
    async with World(script=DISK) as world:
        world.start()
        first = await ran(world, "first")
        assert first["memory"]["episodes"] == 0
        assert "entries" not in first["memory"]
        assert saw(world, "first") == "nothing"
        (entry,) = entries(world)
        assert entry["spec"]["scope"] == "triage"
        assert entry["spec"]["succeeded"] is True
        assert entry["spec"]["source"]["run"] == "first"
        assert entry["spec"]["value"] == {"cause": "disk"}
        second = await ran(world, "second")
        assert second["memory"]["entries"] == [entry["metadata"]["name"]]
        assert saw(world, "second") == "disk"
        assert "outbox" not in second["memory"]


@virtual
async def test_whoever_waits_for_finished_and_starts_the_next_run_finds_the_episode() -> None:
    """S692: Finished is written when nothing is left to write."""
    async with World(script=DISK) as world:
        seen: list[int] = []

        def look(kind: Kind, _change: str, body: Any) -> None:
            done = body.get("status", {}).get("conditions", ())
            if kind is Kind.AGENT_WORKFLOW and any(
                c["type"] == "Finished" and c["status"] == "True" for c in done
            ):
                seen.append(len(entries(world)))

        world.cluster.server.storage.listeners.append(look)
        world.start()
        await ran(world, "first")
        assert seen[0] == 1


@virtual
async def test_a_template_names_the_memory_of_its_runs() -> None:
    """S693: by the template; the label of a run is for runs without one."""
    async with World(script=DISK) as world:
        world.start()
        await triage_template(world)
        await ran(world, "first", RUN_OF)
        assert memory_of(world, "first")["scope"] == REVIEW
        await ran(world, "other")
        assert saw(world, "other") == "nothing"
        await ran(world, "second", RUN_OF, labels={})
        assert saw(world, "second") == "disk"


@virtual
async def test_a_run_without_a_name_that_outlives_it_is_not_accepted() -> None:
    """S693: a generated name is never a scope."""
    async with World() as world:
        world.start()
        await world.submit(triage(), name="alone")
        await world.finished("alone")
        refused = world.condition("Accepted", "alone")
        assert refused["status"] == "False"
        assert refused["message"] == (
            "memory: memory needs a name that outlives this run: use a template, or the label "
            "waypost.dev/workflow"
        )


@virtual
@pytest.mark.parametrize(
    ("customer", "found"),
    [
        ("", "memory.key: InputInvalid: is empty; give it a name, such as that of a customer"),
        (None, "memory.key: InputInvalid: expected a text, found null"),
        ("x" * 201, "memory.key: InputInvalid: has 201 characters, the limit is 200"),
    ],
    ids=["empty", "null", "long"],
)
async def test_a_key_that_cannot_be_used_is_refused(customer: Any, found: str) -> None:
    """S693: an empty key never means all."""
    async with World() as world:
        world.start()
        body = triage(memory=block("${inputs.customer}"), inputs={"customer": customer})
        await world.submit(body, name="first", labels=LABELS)
        await world.finished("first")
        assert world.condition("Accepted", "first")["message"] == found
        assert not world.all(ENTRY)


@virtual
async def test_another_key_and_another_namespace_see_nothing() -> None:
    """S693: the canary."""
    async with World(script=DISK, namespaces=("default", "other")) as world:
        world.start()
        await ran(world, "first")
        await ran(world, "key", triage(memory=block("customer-8")))
        assert saw(world, "key") == "nothing"
        await world.submit(triage(), name="first", labels=LABELS, namespace="other")
        await world.until(
            lambda: len(entries(world)) == 3, "the run of the other namespace has ended"
        )
        there = [r for r in world.all(Kind.NODE_RECORD) if r["metadata"]["namespace"] == "other"]
        read = [r["spec"]["data"] for r in there if r["spec"]["type"] == "Memory"]
        assert read[0]["episodes"] == []


@virtual
async def test_a_failed_run_is_last_and_not_last_succeeded() -> None:
    """S691: of a failed run the keys that have a source."""
    nodes = (reader(), python("b", inputs={"x": "${nodes.a.output.cause}"}))
    remember = {"cause": "${nodes.a.output.cause}", "end": "${nodes.b.output}"}
    outputs = {
        "last": "${memory.?last.?succeeded}",
        "good": "${memory.?lastSucceeded.?outputs.?end}",
    }
    body = triage(*nodes, memory=block(remember=remember), outputs=outputs)
    script = {"a": [finds("disk")], "b": [gives("done")]}
    async with World(script=script) as world:
        world.start()
        await ran(world, "good", body)
        world.script["b"] = [fails()]
        assert (await ran(world, "bad", body))["phase"] == "Failed"
        assert values(world) == [{"cause": "disk", "end": "done"}, {"cause": "disk"}]
        world.script["b"] = [gives("done")]
        third = await ran(world, "third", body)
        assert third["outputs"] == {"last": False, "good": "done"}
        assert third["memory"]["episodes"] == 2


@virtual
async def test_a_cancelled_run_has_no_episode() -> None:
    """S691: neither has one that was cancelled after it began."""
    async with World(script={"a": [finds("disk", seconds=60.0)]}) as world:
        world.start()
        await world.submit(triage(), name="first", labels=LABELS)
        await asyncio.sleep(10)
        await world.patch_run({"cancel": True}, name="first")
        assert (await world.finished("first"))["phase"] == "Cancelled"
        assert not world.all(ENTRY)


@virtual
async def test_retries_restarts_and_rounds_see_the_same_snapshot() -> None:
    """S690: byte for byte, whatever was written meanwhile."""
    async with World(script={"a": [finds("disk")]}) as world:
        world.start()
        await ran(world, "first")
        world.script["a"] = [fails(), finds("net")]
        body = triage(reader(retry={"limit": 1}))
        await world.submit(body, name="second", labels=LABELS)
        await world.until(lambda: bool(memory_of(world, "second")), "it has begun", step=0.01)
        begun = (memory_of(world, "second"), snapshot_of(world, "second"))
        await ran(world, "between", triage(reader(retry={"limit": 1})))
        world.operators[-1].die()
        world.start()
        await world.finished("second")
        assert saw(world, "second") == "disk"
        await world.patch_run({"rerun": {"round": 2, "from": ["a"]}}, name="second")
        await world.until(lambda: world.status("second")["round"] == 2, "the round begins")
        await world.finished("second")
        assert saw(world, "second") == "disk"
        read = ("scope", "key", "digest", "record", "episodes", "facts", "entries")
        now = memory_of(world, "second")
        assert {key: now.get(key) for key in read} == {key: begun[0].get(key) for key in read}
        assert snapshot_of(world, "second") == begun[1]


@virtual
async def test_a_round_of_a_run_with_finally_keeps_its_memory() -> None:
    """S690 S691: its verdict is not what the key is evaluated from."""
    body = triage(reader(), finally_=[python("tidy")])
    body["finally"] = body.pop("finally_")
    async with World(script=DISK) as world:
        world.start()
        await ran(world, "first", body)
        await world.patch_run({"rerun": {"round": 2, "from": ["a"]}}, name="first")
        await world.until(lambda: world.status("first")["round"] == 2, "the round begins")
        await world.finished("first")
        assert len(entries(world)) == 2


@virtual
async def test_the_latest_round_of_a_run_counts() -> None:
    """S691: an Episode for each round that ended; readers take the latest."""
    async with World(script={"a": [fails(), finds("net")]}) as world:
        world.start()
        assert (await ran(world, "first"))["phase"] == "Failed"
        await world.patch_run({"rerun": {"round": 2}}, name="first")
        await world.until(lambda: world.status("first")["round"] == 2, "the round begins")
        await world.finished("first")
        assert values(world) == [{}, {"cause": "net"}]
        world.script["a"] = [finds("disk")]
        second = await ran(world, "second", triage(memory=block(read={"episodes": 5})))
        assert second["memory"]["episodes"] == 1
        assert saw(world, "second") == "net"


@virtual
async def test_a_round_cannot_have_another_memory() -> None:
    """S693: not that of another customer."""
    body = triage(memory=block("customer-${inputs.n}"), inputs={"n": 7})
    async with World(script=DISK) as world:
        world.start()
        await ran(world, "first", body)
        await world.patch_run({"inputs": {"n": 8}, "rerun": {"round": 2}}, name="first")
        await asyncio.sleep(5)
        refused = world.condition("Accepted", "first")
        assert refused["status"] == "False"
        assert refused["message"] == (
            "memory.key: is 'customer-8' in scope triage, and this run has read the memory of "
            "'customer-7' in scope triage; for another memory create a new run"
        )


@virtual
@pytest.mark.parametrize("held", ["suspend", "concurrency"])
async def test_a_run_that_waits_reads_when_it_begins(held: str) -> None:
    """S690: it sees what its predecessor wrote while it waited."""
    more: Any = {"concurrency": {"key": "one"}} if held == "concurrency" else {}
    async with World(script={"a": [finds("disk", seconds=30.0)]}) as world:
        world.start()
        await world.submit(triage(**more), name="first", labels=LABELS)
        await asyncio.sleep(5)
        waits: Any = {"suspend": True} if held == "suspend" else {}
        await world.submit(triage(**more, **waits), name="second", labels=LABELS)
        await asyncio.sleep(5)
        assert not memory_of(world, "second")
        await world.finished("first")
        if held == "suspend":
            await world.patch_run({"suspend": False}, name="second")
        await world.finished("second")
        assert saw(world, "second") == "disk"


@virtual
async def test_a_forgotten_key_is_neither_read_nor_written() -> None:
    """S694: the outbox of a run in progress brings nothing back."""
    async with World(script=DISK) as world:
        world.start()
        await ran(world, "first")
        now = world.clock.now() + timedelta(seconds=1)
        await forget(world, scope="triage", key="customer-7", at=now)
        await ran(world, "second")
        assert saw(world, "second") == "nothing"


@virtual
async def test_an_entry_of_another_scope_with_the_label_is_not_read() -> None:
    """S693: labels are hints."""
    async with World(script=DISK) as world:
        world.start()
        await ran(world, "first")
        (entry,) = entries(world)
        strange = {
            **entry,
            "metadata": {"name": "strange", "labels": entry["metadata"]["labels"]},
            "spec": {**entry["spec"], "key": "customer-8", "value": {"cause": "poison"}},
        }
        strange.pop("status", None)
        await world.user.create(ENTRY, namespace="default", body=strange)
        await ran(world, "second")
        assert saw(world, "second") == "disk"


@virtual
async def test_a_compensation_sees_the_inputs_that_came_from_memory() -> None:
    """S690: the inputs of its node are evaluated again, from the same snapshot."""
    undo = {"python": {"source": SOURCE}, "inputs": {"was": "${self.inputs.before}"}}
    nodes = (reader(compensate=undo), python("b", inputs={"x": "${nodes.a.output.cause}"}))
    async with World(script=DISK) as world:
        world.start()
        await ran(world, "first", triage(*nodes))
        world.script.update({"a": [finds("net")], "b": [fails()]})
        seen: list[Any] = []

        def undone(pod: Any) -> Any:
            seen.append(pod.inputs)
            return pod.succeeds()

        world.script["a/compensate"] = [undone]
        await ran(world, "second", triage(*nodes))
        assert seen == [{"was": "disk"}]


@virtual
async def test_waypost_io_shows_inputs_that_came_from_memory() -> None:
    """S690: evaluated again from the record that the status names."""
    async with World(script=DISK) as world:
        world.start()
        await ran(world, "first")
        await ran(world, "second")
        run, now = world.run("second"), world.clock.now()
        definition = define(run["spec"])
        stored = {r["metadata"]["name"]: r for r in world.all(Kind.NODE_RECORD)}
        needed = needed_records(run, definition, "a", records={}, now=now)
        read = {name: stored[name] for name in needed}
        shown = node_io(run, definition, "a", records=read, now=now)
        assert (shown.inputs, shown.same) == ({"before": "disk"}, True)
