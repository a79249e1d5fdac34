"""The archiver beside whole operators: what is archived, when, and what a TTL deletes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waypost.ports.cluster import Kind, Obj, Unavailable

from tests.archive.place import Shelf, archiver, shelf
from tests.support.builders import gate, python, spec
from tests.support.children import DOUBLE, PARENT, child
from tests.support.harness import NAMESPACE, RUN, World, fails, gives
from tests.support.schedules import create_schedule
from tests.support.templates import REVIEW, create_template
from tests.support.virtual import virtual


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Shelf]:
    """An empty archive."""
    made = shelf(tmp_path)
    yield made
    made.store._engine.dispose()


def archived(world: World, name: str = RUN) -> str:
    """The status of the condition Archived; "" if there is none."""
    return str(world.condition("Archived", name).get("status", ""))


@virtual
async def test_a_ttl_waits_for_the_archive(kept: Shelf) -> None:
    """S710"""
    async with World() as world:
        world.start(archives=True)
        await world.submit(spec(python("a"), ttlSecondsAfterFinished=60))
        await world.finished()
        await world.quiet(7200)
        assert world.run(), "the archive is down: nothing is deleted"
        archive = archiver(world.cluster.as_user("archive"), kept, world.clock)
        await archive.look()
        await world.until(lambda: not world.run(), "it is deleted", within=2)
        assert kept.names() == [RUN]


@virtual
async def test_archived_first_then_the_ttl(kept: Shelf) -> None:
    """S710: the condition does not delete a run before its time."""
    async with World() as world:
        world.start(archives=True)
        await world.submit(spec(python("a"), ttlSecondsAfterFinished=600))
        await world.finished()
        await archiver(world.cluster.as_user("archive"), kept, world.clock).look()
        await world.quiet(500)
        assert archived(world) == "True"
        await world.until(lambda: not world.run(), "it is deleted", within=110)


@virtual
async def test_without_an_archive_a_ttl_waits_for_nothing() -> None:
    async with World() as world:
        world.start()
        await world.submit(spec(python("a"), ttlSecondsAfterFinished=60))
        await world.finished()
        await world.until(lambda: not world.run(), "it is deleted", within=120)


@virtual
async def test_history_of_a_schedule_waits_too(kept: Shelf) -> None:
    """S710"""
    async with World() as world:
        world.start(archives=True)
        await create_template(world, spec(python("a")))
        await create_schedule(
            world, "*/10 * * * *", concurrencyPolicy="Allow", successfulRunsHistoryLimit=1
        )
        await world.quiet(35 * 60)
        assert len(world.all(Kind.AGENT_WORKFLOW)) == 3
        await archiver(world.cluster.as_user("archive"), kept, world.clock).look()
        await world.until(
            lambda: len(world.all(Kind.AGENT_WORKFLOW)) == 1, "two are deleted", within=60
        )
        assert len(kept.names()) == 3


@virtual
async def test_what_a_document_has(kept: Shelf) -> None:
    """S713: the run, its Approvals and its NodeRecords."""
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a"), gate("ask", dependsOn=["a"])))
        await world.submit({"templateRef": {"name": REVIEW}})
        await world.answer(decision="Approved")
        await world.finished()
        before = world.run()
        await archiver(world.cluster.as_user("archive"), kept, world.clock).look()
        document = kept.document(RUN)
        status = document["run"]["status"]
        assert status == before["status"], "without the condition Archived"
        assert document["run"]["spec"] == before["spec"]
        [approval] = document["approvals"]
        assert approval["spec"]["run"] == RUN
        names = [one["metadata"]["name"] for one in document["records"]]
        assert names == [status["template"]["record"]]
        assert document["leftOut"] == []
        condition = world.condition("Archived")
        assert (condition["status"], condition["reason"]) == ("True", "Archived")
        assert "sha256:" in condition["message"]


@virtual
async def test_only_what_has_ended_is_archived(kept: Shelf) -> None:
    async with World() as world:
        world.start()
        archive = archiver(world.cluster.as_user("archive"), kept, world.clock)
        await world.submit(spec(gate("ask")))
        await world.quiet(60)
        await archive.look()
        assert kept.names() == []
        await world.answer(decision="Approved")
        await world.finished()
        await archive.look()
        assert kept.names() == [RUN]


@virtual
async def test_a_new_round_is_archived_again(kept: Shelf) -> None:
    """S712: and no TTL deletes the run in between."""
    async with World(script={"a": [fails(), gives(1)]}) as world:
        world.start(archives=True)
        archive = archiver(world.cluster.as_user("archive"), kept, world.clock)
        await world.submit(spec(python("a", retry={"limit": 0})))
        await world.finished()
        await archive.look()
        assert archived(world) == "True"
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "round 2 has begun")
        await world.finished()
        assert archived(world) == "False"
        assert world.condition("Archived")["reason"] == "NotFinished"
        await archive.look()
        assert archived(world) == "True"
        assert kept.document(RUN)["run"]["status"]["round"] == 2
        assert kept.store.count() == 1


@virtual
async def test_a_round_that_is_requested_is_waited_for(kept: Shelf) -> None:
    async with World() as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.finished()
        operator.die()
        await world.patch_run({"rerun": {"round": 2, "from": ["a"]}})
        await archiver(world.cluster.as_user("archive"), kept, world.clock).look()
        assert kept.names() == []


@virtual
async def test_child_runs_come_first(kept: Shelf) -> None:
    """S716: they are deleted with their parent."""
    async with World(script={"twice": [gives(8)]}) as world:
        world.start(archives=True)
        await create_template(world, DOUBLE)
        await world.submit({**PARENT, "ttlSecondsAfterFinished": 0})
        await world.finished()
        name = child(world)["metadata"]["name"]
        cluster = world.cluster.as_user("archive")
        world.cluster.fail_next(
            "patch_status",
            Kind.AGENT_WORKFLOW,
            Unavailable("down"),
            name=name,
            user="archive",
            times=2,  # once for itself, once as the child run
        )
        archive = archiver(cluster, kept, world.clock)
        await archive.look()
        assert (archived(world), kept.names()) == ("", [name]), "its child run is not safe yet"
        for _ in range(2):
            await archive.look()
        await world.until(lambda: not world.run(), "it is deleted", within=60)
        assert sorted(kept.names()) == sorted([name, RUN])


@virtual
async def test_a_look_at_what_is_known_reads_nothing(kept: Shelf) -> None:
    async with World() as world:
        world.start()
        await world.submit(spec(python("a")))
        await world.submit(spec(gate("ask")), name="other")
        await world.finished()
        archive = archiver(world.cluster.as_user("archive"), kept, world.clock)
        await archive.look()
        await archive.look()  # of the write of the condition
        reads: list[str] = []
        world.cluster.on_read(
            lambda request: reads.append(request.verb) if request.user == "archive" else None
        )
        await archive.look()
        assert reads == ["list"]
        assert len(kept.puts) == 1


CRASHES = [
    pytest.param("patch_status", False, id="before-the-condition"),
    pytest.param("patch_status", True, id="its-answer-is-lost"),
]


@pytest.mark.parametrize(("verb", "after_commit"), CRASHES)
@virtual
async def test_an_end_between_commit_and_condition(
    kept: Shelf, verb: str, after_commit: bool
) -> None:
    """S711: another archiver finds the document."""
    async with World() as world:
        world.start(archives=True)
        await world.submit(spec(python("a"), ttlSecondsAfterFinished=0))
        await world.finished()
        cluster = world.cluster.as_user("archive")
        error = Unavailable("lost")
        world.cluster.fail_next(
            verb, Kind.AGENT_WORKFLOW, error, after_commit=after_commit, user="archive"
        )
        await archiver(cluster, kept, world.clock).look()
        assert kept.store.count() == 1
        await archiver(cluster, kept, world.clock).look()
        assert kept.store.count() == 1
        await world.until(lambda: not world.run(), "it is deleted", within=60)


@virtual
async def test_a_run_that_changes_between_read_and_condition(kept: Shelf) -> None:
    """S712: the condition is never that of another end."""
    async with World() as world:
        world.start()
        await world.submit(spec(python("a")))
        await world.finished()
        cluster = world.cluster.as_user("archive")

        class Between(Shelf):
            async def put(self, *args: Any, **named: Any) -> bool:
                done = await super().put(*args, **named)
                await world.patch_run({"rerun": {"round": 2, "from": ["a"]}})
                return done

        await archiver(cluster, Between(kept.store), world.clock).look()
        assert archived(world) == ""


@virtual
async def test_a_database_that_fails(kept: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    """S710: nothing is deleted, and the next look tries again. The log says it once."""
    async with World() as world:
        world.start(archives=True)
        await world.submit(spec(python("a"), ttlSecondsAfterFinished=0))
        await world.finished()
        kept.broken = True
        archive = archiver(world.cluster.as_user("archive"), kept, world.clock)
        for _ in range(3):
            await archive.look()
        await world.quiet(60)
        assert archived(world) == ""
        assert [r.message for r in caplog.records if r.name == "waypost.archive"] == [
            "a run was not archived, trying again: the database: disk full"
        ]
        registry = archive._metrics.registry
        assert registry.get_sample_value("waypost_archive_failing_runs") == 1
        kept.broken = False
        await archive.look()
        assert registry.get_sample_value("waypost_archive_failing_runs") == 0
        await world.until(lambda: not world.run(), "it is deleted", within=60)


@virtual
async def test_other_namespaces_are_left_alone(kept: Shelf) -> None:
    async with World(namespaces=(NAMESPACE, "other")) as world:
        world.start()
        await world.submit(spec(python("a")))
        await world.finished()
        other = archiver(world.cluster.as_user("archive"), kept, world.clock, namespaces=("other",))
        await other.look()
        assert kept.names() == []


@virtual
async def test_payloads_beyond_the_bound(kept: Shelf) -> None:
    """S713: they are named; the definition comes first."""
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a")))
        await world.submit({"templateRef": {"name": REVIEW}})
        await world.finished()
        run = world.run()
        definition = run["status"]["template"]["record"]
        uid = run["metadata"]["uid"]
        for number in range(3):
            await world.user.create(
                Kind.NODE_RECORD, namespace=NAMESPACE, body=record(number, uid, size=700)
            )
        await archiver(world.cluster.as_user("archive"), kept, world.clock, document=1000).look()
        document = kept.document(RUN)
        names = {one["metadata"]["name"] for one in document["records"]}
        assert definition in names
        assert document["leftOut"]
        assert names.isdisjoint(document["leftOut"])


def record(number: int, uid: str, *, size: int) -> Obj:
    """A NodeRecord of a run."""
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "NodeRecord",
        "metadata": {"name": f"0-{number}", "labels": {"waypost.dev/run": uid}},
        "spec": {
            "run": RUN,
            "runUid": uid,
            "type": "Result",
            "path": "a",
            "round": 1,
            "attempt": number + 1,
            "digest": f"sha256:{'0' * 64}",
            "size": size,
            "data": "x" * size,
        },
    }


@virtual
async def test_retention(kept: Shelf) -> None:
    """S715: counted from the time at which a run was archived."""
    async with World() as world:
        world.start()
        await world.submit(spec(python("a")))
        await world.finished()
        archive = archiver(world.cluster.as_user("archive"), kept, world.clock, days=2)
        await world.quiet(86400 * 3)
        await archive.look()
        await archive.forget_old()
        assert kept.names() == [RUN]
        await world.quiet(86400 * 2 + 60)
        await archive.forget_old()
        assert kept.names() == []
