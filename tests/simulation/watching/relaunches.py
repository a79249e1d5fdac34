"""Jobs that are made a second time: the one way in which no operator can prevent a double start.

A person deletes the Job of an attempt. Then another operator, frozen since before the deletion,
creates it under the same name while its fence still holds (A3), or a proxy repeats the request, or
the request of another operator arrives that had looked before the first Job was created.
Nothing else is excused: the second creator is not the first one, and has either neither written nor
read the run since the deletion, or has looked within ten seconds and could not see the first Job:
it listed Jobs before that Job was created, and pods before its first pod was.
"""

from typing import Final

from waypost.kube.objects import items
from waypost.ports.cluster import Kind, Obj

from tests.fakes.faults import Request
from tests.support.virtual import PROCESS

_FENCE: Final = 10.1  # seconds


class Relaunches:
    """Follows who creates Jobs, and who deletes them, by name of the Job."""

    def __init__(self) -> None:
        self._entitled: dict[tuple[str, object], float] = {}
        self._proxies: dict[tuple[str, object], object] = {}
        self._creators: dict[str, object] = {}
        self._created: dict[str, float] = {}
        self._deleted: dict[str, float] = {}
        self._pods: dict[str, float] = {}  # when the first one was created
        self._looked: dict[tuple[object, Kind], float] = {}

    def read(self, request: Request, now: float) -> None:
        """Note that the API server answers a read."""
        if request.verb == "list":
            self._looked[PROCESS.get(), request.kind] = now

    def sent(self, name: str, operator: object, *, entitled_at: float) -> None:
        """Note that an operator is about to create a Job.

        Args:
            name: The name of the Job.
            operator: The operator.
            entitled_at: When it last wrote or read the run.
        """
        self._entitled[name, operator] = entitled_at
        self._proxies.pop((name, operator), None)

    def repeated(self, name: str, operator: object) -> None:
        """Note that a proxy is about to repeat the last request of an operator for a Job, if there
        was one."""
        if (name, operator) in self._entitled:
            self._proxies[name, operator] = object()

    def deleted(self, name: str, now: float) -> None:
        """Note that a Job is being deleted, or gone."""
        self._deleted.setdefault(name, now)

    def has_pod(self, pod: Obj, now: float) -> None:
        """Note that a pod was created."""
        for owner in items(pod, "metadata", "ownerReferences"):
            self._pods.setdefault(owner["name"], now)

    def created(self, name: str, now: float) -> bool:
        """Note that a Job was created; whether it is a second one that no operator can prevent.

        Several operators may have sent a request for it: the one whose request arrives counts.
        """
        operator = PROCESS.get()
        entitled_at = self._entitled.get((name, operator), float("inf"))
        creator = self._proxies.get((name, operator), operator)
        first, self._creators[name] = self._creators.get(name), creator
        deleted = self._deleted.pop(name, None)
        made, self._created[name] = self._created.get(name, now), now
        if deleted is None or creator is first:
            return False
        jobs, pods = (self._looked.get((operator, kind), 0.0) for kind in (Kind.JOB, Kind.POD))
        unseen = jobs < made and pods < self._pods.get(name, float("inf"))
        return entitled_at <= deleted or (unseen and now - _FENCE <= min(jobs, pods))
