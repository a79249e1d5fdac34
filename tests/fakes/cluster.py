"""`ports.cluster.Cluster` in memory, strict, with failures and an unreliable watch on demand.

cluster = InMemoryCluster(clock=VirtualClock(), seed=7)  # under looptime; or ManualClock()
cluster.subscribe(controller.notice, delivery=ROUGH)
cluster.fail_next("patch_status", Kind.AGENT_WORKFLOW, Unavailable("lost"), after_commit=True)
await cluster.as_user("ann").patch(Kind.APPROVAL, ...)
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from waypost.ports.cluster import ClusterError, Kind

from tests.fakes.agenda import Agenda
from tests.fakes.api.garbage import Garbage
from tests.fakes.api.server import ApiServer
from tests.fakes.api.watch import IMMEDIATE, Delivery, SinkCall, Subscription
from tests.fakes.client import Client, LogReader, Wire
from tests.fakes.clock import ManualClock, VirtualClock
from tests.fakes.faults import Gate, Request, Withheld, Written, matcher

OPERATOR: Final = "waypost-operator"
WATCHED: Final = (
    Kind.AGENT_WORKFLOW,
    Kind.AGENT_WORKFLOW_TEMPLATE,
    Kind.AGENT_WORKFLOW_SCHEDULE,
    Kind.WORKFLOW_EVENT,
    Kind.EVENT_SOURCE,
    Kind.APPROVAL,
    Kind.MODEL_PROVIDER,
    Kind.TOOL_SERVER,
    Kind.POD,
)


class InMemoryCluster(Client):
    """A cluster as the operator under test sees it; `as_user` gives the view of others.

    `latency` (seconds, each way) makes requests overlap as they do over a network; with zeros
    every request still yields to the event loop twice.
    """

    def __init__(
        self,
        *,
        clock: VirtualClock | ManualClock,
        seed: int = 0,
        namespaces: Sequence[str] = ("default",),
        latency: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.clock = clock
        self.agenda = Agenda(clock)
        self.server = ApiServer(agenda=self.agenda, seed=seed)
        super().__init__(
            wire=Wire(server=self.server, latency=latency, seed=seed + 1), user=OPERATOR
        )
        self.garbage = Garbage(server=self.server)
        for name in namespaces:
            self.add_namespace(name)

    def as_user(self, user: str) -> Client:
        """The same cluster as somebody else; the name is also the field manager."""
        return Client(wire=self._wire, user=user)

    def add_namespace(self, name: str) -> None:
        """Create a namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.server.create(Kind.NAMESPACE, namespace="", body=body, by="test")

    def subscribe(
        self,
        sink: SinkCall,
        *,
        kinds: Sequence[Kind] = WATCHED,
        delivery: Delivery = IMMEDIATE,
        seed: int = 0,
    ) -> Subscription:
        """Call `sink(kind, change, raw)` for every change from now on. It is first called for
        every object that exists, with change None, as by a watch that starts with a list."""
        subscription = Subscription(
            kinds=tuple(kinds),
            sink=sink,
            delivery=delivery,
            storage=self.server.storage,
            agenda=self.agenda,
            rng=random.Random(seed),
        )
        subscription.relist()
        return subscription

    def fail_next(
        self,
        verb: str | None,
        kind: Kind | None,
        error: ClusterError,
        *,
        after_commit: bool = False,
        times: int = 1,
        name: str | None = None,
        user: str | None = OPERATOR,
    ) -> None:
        """Answer the next `times` matching requests with `error`; with `after_commit` the write
        is done all the same and only its answer is lost. verb "write" means any write."""
        matches = matcher(verb, kind, name=name, user=user)
        self._wire.faults.add(matches, error, after_commit=after_commit, times=times)

    def hold(self, verb: str | None, kind: Kind | None = None, *, name: str | None = None) -> Gate:
        """Hold matching requests of the operator before they reach the API server, until
        `gate.open()`. After 10 s they fail as Unavailable, undone."""
        return self._wire.faults.gate(matcher(verb, kind, name=name, user=OPERATOR))

    @property
    def withheld(self) -> list[Withheld]:
        """Requests of the operator that fail until they are taken off the list."""
        return self._wire.faults.withheld

    @property
    def faults_left(self) -> int:
        """Failures that were prepared and have not happened: a test should end with none."""
        return self._wire.faults.left

    @property
    def log(self) -> list[Written]:
        """Every write of every client, refused ones too, in order."""
        return self._wire.log

    def writes(
        self, verb: str = "write", kind: Kind | None = None, *, user: str | None = OPERATOR
    ) -> list[Written]:
        """The writes that changed something, in order."""
        matches = matcher(verb, kind, user=user)
        return [w for w in self.log if w.result == "done" and matches(w.request)]

    def on_write(self, hook: Callable[[Written], None] | None) -> None:
        """Call `hook` after each write, before its answer leaves. What it raises reaches the
        caller: the way to crash an operator between a commit and its knowledge of it."""
        self._wire.on_write = hook

    def on_read(self, hook: Callable[[Request], None] | None) -> None:
        """Call `hook` with each read when the API server answers it."""
        self._wire.on_read = hook

    def serve_logs(self, reader: LogReader) -> None:
        """Take the logs of containers from `reader(namespace, pod, container)`."""
        self._wire.log_reader = reader

    def settle(self) -> None:
        """Run whatever the simulated cluster has to do at this moment."""
        self.agenda.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass (ManualClock only; a VirtualClock moves with the event loop)."""
        self.agenda.advance(seconds)
