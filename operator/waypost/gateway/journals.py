"""Journals of nodes: segments that are appended one after the other and read in order.

A segment is a NodeRecord ref name is derived from its journal and its number. Of two writers of
the same number only one succeeds: appending is the fence between attempts
(docs/adr/0011-agent-journal.md). No state is kept between requests, so replicas need no
coordination.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from waypost.api.base import JsonObject
from waypost.gateway.authentication import Caller
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import Payload
from waypost.kube import node_records, objects
from waypost.ports.cluster import AlreadyExists, Cluster, Kind, NotFound, Obj
from waypost.protocol.ijson import Json

LARGEST_SEGMENT: Final = node_records.EVALUATED
MOST_SEGMENTS: Final = 10_000
MOST_BYTES: Final = 64 * 1024 * 1024
PAGE_BYTES: Final = 1024 * 1024
_ADVICE: Final = "limit the conversation with agent.limits"


@dataclass(frozen=True)
class Segment:
    """A stored segment: its document and its writer."""

    number: int
    attempt: object
    pod_uid: str
    document: Json

    def to_json(self) -> JsonObject:
        """The segment as in the response of GET /v1/journal."""
        return {
            "number": self.number,
            "attempt": self.attempt,
            "podUID": self.pod_uid,
            "document": self.document,
        }


class Journals:
    """The journals of one cluster. Every method raises Refused, or ClusterError if the outcome is
    unknown."""

    def __init__(self, *, cluster: Cluster) -> None:
        self._cluster = cluster

    async def append(self, caller: Caller, number: int, payload: Payload) -> bool:
        """Store a segment as the next one; False if this pod has stored it before."""
        before = await self._before(caller, number)
        total = payload.size + (before["spec"]["journal"]["total"] if before else 0)
        if number > MOST_SEGMENTS or total > MOST_BYTES:
            text = (
                f"a journal has at most {MOST_SEGMENTS} segments and {MOST_BYTES} bytes; {_ADVICE}"
            )
            raise Refused(RefusalReason.JOURNAL_FULL, text)
        previous = objects.text(before["spec"], "digest") if before else None
        manifest = _manifest(caller, number, payload, total=total, previous=previous)
        try:
            await self._cluster.create(
                Kind.NODE_RECORD, namespace=caller.pod.namespace, body=manifest
            )
        except AlreadyExists:
            await self._same(caller, number, manifest["spec"])
            return False
        return True

    async def page(self, caller: Caller, *, after: int) -> tuple[list[Obj], bool]:
        """NodeRecords of the segments after number `after`, in order, and whether there are more.

        Their payloads are not parsed yet.
        """
        before = await self._before(caller, after + 1)
        found: list[Obj] = []
        size = 0
        while size < PAGE_BYTES:
            number = after + len(found) + 1
            body = await self._segment(caller, number)
            if body is None:
                return found, False
            _follows(before, body)
            found.append(body)
            before = body
            size += body["spec"]["size"]
        return found, True

    async def _before(self, caller: Caller, number: int) -> Obj | None:
        """The segment before `number`, which must exist; None before the first."""
        if not caller.journal.fingerprint:
            text = f"the status of {caller.ref.path} has no fingerprint, so it has no journal"
            raise Refused(RefusalReason.NOT_CURRENT, text)
        if number <= 1:
            return None
        before = await self._segment(caller, number - 1)
        if before is None:
            text = f"segment {number - 1} of the journal of {caller.ref.path} does not exist"
            raise Refused(RefusalReason.JOURNAL_GAP, text)
        return before

    async def _segment(self, caller: Caller, number: int) -> Obj | None:
        name = caller.journal.segment_name(caller.ref, number)
        try:
            body = await self._cluster.get(
                Kind.NODE_RECORD, namespace=caller.pod.namespace, name=name
            )
        except NotFound:
            return None
        if not _is_segment(body, caller, number):
            raise Refused(
                RefusalReason.DAMAGED, f"the content of NodeRecord {name} does not match its name"
            )
        return body

    async def _same(self, caller: Caller, number: int, wanted: JsonObject) -> None:
        """Raises Refused unless the segment of that number equals the one this pod appends."""
        body = await self._segment(caller, number)
        found = objects.section(body, "spec") if body else {}
        if any(found.get(key) != wanted[key] for key in ("digest", "attempt", "journal")):
            writer = f"attempt {found.get('attempt')}"
            text = f"{writer} has written segment {number} of the journal of {caller.ref.path}"
            raise Refused(RefusalReason.JOURNAL_MOVED, text)


def segments(bodies: list[Obj]) -> list[JsonObject]:
    """Parse the segments in these NodeRecords. Slow. Raises Refused."""
    return [_read(body).to_json() for body in bodies]


def _read(body: Obj) -> Segment:
    fact = node_records.record_fact(body)
    if fact.problem:
        raise Refused(RefusalReason.DAMAGED, f"NodeRecord {fact.name}: {fact.problem}")
    place = objects.section(body, "spec", "journal")
    return Segment(place["number"], fact.attempt, place["podUid"], fact.payload.value)


def _manifest(
    caller: Caller, number: int, payload: Payload, *, total: int, previous: str | None
) -> dict[str, Any]:
    form = payload.form
    assert form is not None, "a segment of at most LARGEST_SEGMENT bytes fits"
    place: JsonObject = {
        "fingerprint": caller.journal.fingerprint,
        "generation": caller.journal.generation,
        "number": number,
        "total": total,
        "podUid": caller.pod.uid,
    }
    if previous is not None:
        place["previous"] = previous
    return node_records.manifest(
        "Journal",
        replace(caller.ref, path=caller.journal.path),
        digest=payload.digest,
        size=payload.size,
        form=form,
        owner=caller.owner,
        namespace=caller.pod.namespace,
        segment=(caller.journal.segment_name(caller.ref, number), place),
    )


def _is_segment(body: Obj, caller: Caller, number: int) -> bool:
    spec, place = objects.section(body, "spec"), objects.section(body, "spec", "journal")
    found = (spec.get("type"), spec.get("runUid"), spec.get("path"), objects.controller_uid(body))
    ref, key = caller.ref, caller.journal
    wanted = ("Journal", ref.run_uid, key.path, ref.run_uid)
    at = (place.get("fingerprint"), place.get("generation"), place.get("number"))
    return found == wanted and at == (key.fingerprint, key.generation, number)


def _follows(before: Obj | None, body: Obj) -> None:
    """Raises Refused if a segment was removed and another one put in its place."""
    wanted = objects.text(before["spec"], "digest") if before else None
    if objects.section(body, "spec", "journal").get("previous") != wanted:
        name = objects.text(objects.section(body, "metadata"), "name")
        text = f"NodeRecord {name} does not continue the segment before it: a segment was removed"
        raise Refused(RefusalReason.DAMAGED, text)
