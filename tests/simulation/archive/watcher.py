"""A watcher of the archive: judges every change as the API server and the database have it (VH1 to
VH4).

What it reads of the database is the document, never what an archiver or an operator says.
"""

from typing import Any, Final

from waypost.archive.core.entry import Entry
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.simulation.archive.service import Database
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

_RESULT: Final = ("round", "phase", "startedAt", "finishedAt", "nodes", "outputs", "template")
_ENDED: Final = frozenset({"Succeeded", "Failed", "Cancelled", "Rejected"})


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World, database: Database) -> None:
        self.violations: list[Violation] = []
        self.removed: set[str] = set()  # names of runs that a person has deleted
        self._world, self._database = world, database
        self._runs: dict[str, Obj] = {}  # by uid, as stored last
        self._ends: dict[str, list[tuple[int, str, str]]] = {}  # by uid: what ended, in order
        self._kept: dict[str, int] = {}  # by uid: the end that the database has
        database.committed = self._committed
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, what: str, invariant: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, what, self._world.clock.monotonic()))

    def alive(self) -> list[Obj]:
        """The runs that exist, the oldest first."""
        return list(self._runs.values())

    # --- changes ---------------------------------------------------------------------------------

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is not Kind.AGENT_WORKFLOW:
            return
        uid = text(section(body, "metadata"), "uid")
        if change == "DELETED":
            self._deleted(self._runs.pop(uid, body))
            return
        before, self._runs[uid] = self._runs.get(uid, {}), body
        if (end := _end(body)) and end not in self._ends.setdefault(uid, []):
            self._ends[uid].append(end)
        if _archived(body):
            self._is_in_the_archive(body, before)

    def _deleted(self, body: Obj) -> None:
        """VH1: what nobody deleted by hand is in the archive, whole."""
        metadata = section(body, "metadata")
        above = text(section(body, "spec", "parent"), "run")
        if {text(metadata, "name"), above} & self.removed:
            return
        found = self._database.document(text(metadata, "uid"))
        name = metadata["name"]
        if found is None:
            self.blame(f"{name} is deleted, and is not archived: {body['status']}", "VH1")
            return
        _, document = found
        if (kept := _status(document["run"])) != _status(body):
            self.blame(f"{name} is deleted, as {_status(body)}; archived is {kept}", "VH1")
        has = {one["metadata"]["name"] for one in document["records"]}
        if missing := self._records(text(metadata, "uid")) - has:
            self.blame(f"{name} is deleted, and the archive lacks {sorted(missing)}", "VH1")

    def _records(self, uid: str) -> set[str]:
        """The NodeRecords of a run."""
        found = (one for one in self._world.all(Kind.NODE_RECORD) if one["spec"]["runUid"] == uid)
        return {one["metadata"]["name"] for one in found}

    def _is_in_the_archive(self, body: Obj, before: Obj) -> None:
        """VH2: the condition says True only of the end that was committed."""
        name, uid = body["metadata"]["name"], body["metadata"]["uid"]
        found = self._database.document(uid)
        if found is None:
            self.blame(f"{name} is Archived, and the archive does not have it", "VH2")
            return
        digest, document = found
        if (kept := _status(document["run"])) != _status(body):
            self.blame(f"{name} is Archived as {_status(body)}; the archive has {kept}", "VH2")
        message = next(c["message"] for c in _conditions(body) if c["type"] == "Archived")
        if not _archived(before) and digest not in message:
            self.blame(f"{name} is Archived with '{message}', not {digest}", "VH2")

    def _committed(self, run: Entry) -> None:
        """VH4: an earlier end never takes the place of a later one."""
        found = self._database.document(run.uid)
        assert found is not None, "it was committed just now"
        end = _end(found[1]["run"])
        known = self._ends.get(run.uid, [])
        if end not in known:
            self.blame(f"{run.name} is archived as {end}, and ended as {known}", "VH4")
            return
        place = known.index(end)
        if place < self._kept.get(run.uid, 0):
            self.blame(f"{run.name} is archived as {end}, after a later end: {known}", "VH4")
        self._kept[run.uid] = max(place, self._kept.get(run.uid, 0))

    # --- the end ---------------------------------------------------------------------------------

    def at_rest(self, limited: set[str]) -> None:
        """VH3, once all is quiet: each run that ended is archived once, and what may go is gone.

        Args:
            limited: Names of runs that have a TTL.
        """
        for body in self.alive():
            name = body["metadata"]["name"]
            if _end(body) is None:
                self.blame(f"{name} has not ended: {self._world.tell()}", "I11")
            elif not _archived(body):
                self.blame(f"{name} has ended, and is not archived: {_conditions(body)}", "VH3")
            elif name in limited:
                self.blame(f"{name} is archived, and its TTL does not delete it", "VH3")
        for uid, ends in self._ends.items():
            found = self._database.document(uid)
            end = _end(found[1]["run"]) if found is not None else None
            if uid in self._runs and end != ends[-1]:
                self.blame(f"{uid} ended as {ends}, and is archived as {end}", "VH3")
        count, known = self._database.count(), len(self._ends)
        if count > known:
            self.blame(f"the archive has {count} runs, of {known}", "VH3")


def _conditions(body: Obj) -> list[Any]:
    return list(items(body, "status", "conditions"))


def _archived(body: Obj) -> bool:
    return any((c["type"], c["status"]) == ("Archived", "True") for c in _conditions(body))


def _status(body: Obj) -> Obj:
    """What of the status is the result of a run. A person may still edit a run that has ended, and
    the status says what became of that."""
    status = section(body, "status")
    conditions = [c for c in _conditions(body) if c["type"] in ("Succeeded", "Finished")]
    kept = {key: status.get(key) for key in _RESULT}
    return kept | {c["type"]: (c["status"], c["reason"], c["message"]) for c in conditions}


def _end(body: Obj) -> tuple[int, str, str] | None:
    """Round, phase and time of the end of a run; None while it has not ended."""
    status = section(body, "status")
    if text(status, "phase") not in _ENDED or not status.get("finishedAt"):
        return None
    return int(status.get("round", 1)), text(status, "phase"), text(status, "finishedAt")
