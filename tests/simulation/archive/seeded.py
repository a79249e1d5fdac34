"""Seeded bugs of the archive: each breaks it or the operator on purpose and must be caught."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from waypost.archive import archiver, condition, reading
from waypost.archive.archiver import Archiver
from waypost.archive.core.document import encode
from waypost.archive.core.entry import Entry
from waypost.archive.storage.store import Store
from waypost.engine.scheduling import archiving
from waypost.schedules import subject

from tests.simulation.archive.plan import Plan, plan
from tests.simulation.archive.play import play
from tests.simulation.focused.hunting import Bugs

bug: Final = Bugs("archive", plan, play, limit=40)
BUGS: Final = bug.all


def _with(*kinds: str) -> Callable[[Plan], bool]:
    return lambda planned: bool(planned.kinds & set(kinds))


def _limited(planned: Plan) -> bool:
    return any(run.ttl == 0 for run in planned.runs)


def _scheduled(planned: Plan) -> bool:
    return planned.kept == 0


def _calling(planned: Plan) -> bool:
    return any(run.calls and not run.pinned and run.ttl == 0 for run in planned.runs)


def _pinned(planned: Plan) -> bool:
    return any(run.pinned and run.ttl == 0 for run in planned.runs)


@bug("VH1", focus=_limited)
def _a_ttl_waits_for_no_archive(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(archiving, "waits", lambda transition, status: False)


@bug("VH1", focus=_scheduled)
def _history_of_a_schedule_waits_for_no_archive(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(subject, "_is_archived", lambda body: True)


@bug("VH1", "VH2", focus=_with("rerun"))
def _a_new_round_counts_as_archived(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(archiving, "without_older_end", lambda transition, status: status)


@bug("VH2", focus=_limited)
def _the_condition_comes_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    read = reading.read_document

    async def hasty(cluster: Any, run: Any, **bounds: Any) -> Any:
        found = await read(cluster, run, **bounds)
        digest = encode(found).digest
        await condition.mark(cluster, run, digest=digest, now=cluster._clock.now())
        return found

    patch.setattr(archiver, "read_document", hasty)


@bug("VH2", focus=_with("archive_overtaken"))
def _the_condition_has_no_resource_version(patch: pytest.MonkeyPatch) -> None:
    made = condition._patch

    def unfenced(*given: Any) -> Any:
        return [one for one in made(*given) if one["path"] != "/metadata/resourceVersion"]

    patch.setattr(condition, "_patch", unfenced)


@bug("VH1", focus=_calling)
def _a_parent_does_not_wait_for_its_child_runs(patch: pytest.MonkeyPatch) -> None:
    look = Archiver._look_at

    async def nothing(cluster: Any, run: Any) -> tuple[()]:
        return ()

    async def parents(self: Any, metadata: Any) -> Any:
        if "waypost.dev/parent" in metadata.get("labels", {}):
            return archiver.Result.WAITS
        return await look(self, metadata)

    patch.setattr(archiver, "child_runs", nothing)
    patch.setattr(Archiver, "_look_at", parents)


@bug("VH4", focus=_with("archive_overtaken"))
def _the_last_writer_wins(patch: pytest.MonkeyPatch) -> None:
    put = Store.put

    def careless(self: Any, run: Entry, document: Any, *, now: int) -> bool:
        with self._writing.begin() as connection:
            for table in ("documents", "labels", "runs"):
                connection.exec_driver_sql(f"DELETE FROM {table} WHERE uid = '{run.uid}'")
        return put(self, run, document, now=now)

    patch.setattr(Store, "put", careless)


@bug("VH3", focus=_with("database_down", "archive_refused"))
def _what_failed_once_is_not_tried_again(patch: pytest.MonkeyPatch) -> None:
    look = Archiver._look_at

    async def forgetful(self: Any, metadata: Any) -> Any:
        if metadata["uid"] in self._failing:
            return archiver.Result.GONE
        return await look(self, metadata)

    patch.setattr(Archiver, "_look_at", forgetful)


@bug("VH1", focus=_pinned)
def _a_document_has_no_records(patch: pytest.MonkeyPatch) -> None:
    async def none(cluster: Any, run: Any, **where: Any) -> list[str]:
        return []

    patch.setattr(reading, "_record_names", none)
