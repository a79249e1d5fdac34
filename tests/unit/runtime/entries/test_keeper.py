"""S689: the operator shows what entries are, and deletes what is over."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.api.meta import API_VERSION
from waypost.kube.memory.names import entry_labels
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import Conflict, Kind, Rejected, Unavailable

from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

ENTRY = Kind.MEMORY_ENTRY
DECISION: dict[str, Any] = {"decision": "Accepted", "decidedBy": "ann"}


class Memory:
    """An operator that watches entries, and what is in the cluster."""

    def __init__(self, world: World) -> None:
        self.world = world

    def start(self) -> None:
        operator = self.world.start()
        self.world.cluster.subscribe(operator.controller.on_watch_event, kinds=[ENTRY])

    def at(self, seconds: float) -> str:
        return timestamp(self.world.clock.now() + timedelta(seconds=seconds))

    async def put(self, name: str, *, made: float = -60.0, lasts: float = 9e5, **spec: Any) -> None:
        """An entry made so many seconds ago; `spec` changes its fields, None removes one."""
        type_ = spec.get("type", "Fact")
        source = {"run": "r", "runUid": f"u-{name}", "round": 1, "path": "ask", "at": self.at(made)}
        fields = {
            "scope": "triage",
            "key": "k",
            "type": type_,
            "value": {"text": name},
            "source": source,
            "expiresAt": self.at(lasts),
            **spec,
        }
        labels = entry_labels(scope="triage", key=fields["key"], type_=type_)
        body = {
            "apiVersion": API_VERSION,
            "kind": "MemoryEntry",
            "metadata": {"name": name, "labels": labels},
            "spec": {key: value for key, value in fields.items() if value is not None},
        }
        await self.world.user.create(ENTRY, namespace=NAMESPACE, body=body)

    async def forget(self, name: str, **fields: Any) -> None:
        await self.put(name, type="Forgotten", value=None, **fields)

    async def phases(self) -> dict[str, str]:
        listed = await self.world.user.list(ENTRY, namespace=NAMESPACE)
        return {
            one["metadata"]["name"]: one.get("status", {}).get("phase", "-") for one in listed.items
        }


@virtual
async def test_s689_phases_are_shown_when_something_changes() -> None:
    async with World() as world:
        memory = Memory(world)
        await memory.put("before")
        memory.start()
        await memory.put("old", made=-90.0, subject="s", **DECISION)
        await memory.put("new", subject="s")
        await world.quiet(5)
        assert await memory.phases() == {"before": "Proposed", "old": "Active", "new": "Proposed"}
        await world.patch(ENTRY, "new", DECISION)
        await world.quiet(5)
        assert await memory.phases() == {"before": "Proposed", "old": "Superseded", "new": "Active"}
        found = await world.user.get(ENTRY, namespace=NAMESPACE, name="new")
        assert found["status"] == {"phase": "Active", "decidedBy": "ann", "reason": "Decided"}


@virtual
async def test_s689_entries_are_deleted_when_they_expire() -> None:
    async with World() as world:
        memory = Memory(world)
        memory.start()
        await memory.put("short", lasts=3600)
        await memory.put("long")
        await world.quiet(1800)
        assert set(await memory.phases()) == {"short", "long"}
        await world.quiet(1900)
        assert set(await memory.phases()) == {"long"}


@virtual
async def test_s689_what_was_forgotten_is_deleted_and_the_tombstone_last() -> None:
    async with World() as world:
        memory = Memory(world)
        await memory.put("known", made=-100.0, **DECISION)
        await memory.forget("gone", made=-60.0, lasts=1.0)
        await memory.put("later", made=-30.0, **DECISION)
        await world.quiet(2)
        memory.start()
        order = []
        world.cluster.subscribe(
            lambda _kind, change, raw: order.append((change, raw["metadata"]["name"])),
            kinds=[ENTRY],
        )
        await world.quiet(30)
        assert [name for change, name in order if change == "DELETED"] == ["known", "gone"]
        assert await memory.phases() == {"later": "Active"}


@virtual
async def test_s689_an_entry_that_was_accepted_meanwhile_is_not_deleted() -> None:
    """Of 201 facts the oldest proposal has to go."""
    async with World() as world:
        memory = Memory(world)
        for n in range(200):
            await memory.put(f"a{n}", **DECISION)
        await memory.put("oldest", made=-99.0)
        world.cluster.fail_next("delete", ENTRY, Conflict("changed"))
        memory.start()
        await world.quiet(0.2)
        await world.patch(ENTRY, "oldest", DECISION)
        await world.quiet(30)
        found = await memory.phases()
        assert len(found) == 201
        assert found["oldest"] == "Active"


@virtual
async def test_s689_what_fails_is_tried_again() -> None:
    async with World() as world:
        memory = Memory(world)
        await memory.put("a", lasts=0.5)
        await memory.put("b")
        await world.quiet(1)
        world.cluster.fail_next("list", ENTRY, Unavailable("down"))
        world.cluster.fail_next("delete", ENTRY, Rejected("no", code=403))
        world.cluster.fail_next("patch_status", ENTRY, Conflict("changed"))
        memory.start()
        await world.quiet(3600)  # a refused deletion is tried again at the next resync
        assert await memory.phases() == {"b": "Proposed"}


@virtual
async def test_while_nothing_is_due_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        asked: list[Kind] = []
        plain = world.cluster.list

        async def counted(kind: Kind, **options: Any) -> Any:
            asked.append(kind)
            return await plain(kind, **options)

        monkeypatch.setattr(world.cluster, "list", counted)
        memory = Memory(world)
        memory.start()
        await memory.put("a")
        await world.quiet(5)
        assert asked.count(ENTRY) == 1
        await world.quiet(7200)
        assert asked.count(ENTRY) == 1
