"""Operators on a simulated cluster, in virtual time: start, crash, freeze, two at once.

    async with World(script={"a": [gives(1)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        status = await world.finished()

An operator here is all that a process is but the process: a Controller, its connection to the API
server (`Line`), its watch. What crosses its boundary can be cut at any point.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import copy_context
from typing import Any, Final, Self

import pytest
from waypost.kube.logs.policy import OFF
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj, PatchType, Unavailable
from waypost.ports.telemetry import Telemetry
from waypost.probes.job import ProbeSettings
from waypost.runtime.controller import Controller
from waypost.runtime.leader_election import Lease, LeaseSettings, NoElection
from waypost.runtime.settings import OPEN, ControllerSettings

from tests.fakes.api.watch import IMMEDIATE, Delivery
from tests.fakes.clock import VirtualClock
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.nodes.programs import Ledger, Outcome, PodView, Program, node_of
from tests.fakes.nodes.workloads import Workloads
from tests.support.line import Call as Call
from tests.support.line import Interception, Line, Notebook
from tests.support.virtual import PROCESS, VirtualLoop

Script = Mapping[str, Sequence[Program]]  # by node: what its attempts do, the last one for all more

NAMESPACE: Final = "default"
RUN: Final = "brief"
LEASE: Final = "waypost-operator"


def gives(output: Any = None, **how: Any) -> Program:
    """A program that gives `output`."""
    return lambda pod: pod.succeeds(output, **how)


def fails(reason: str = "NodeError", **how: Any) -> Program:
    """A program that fails and says so."""
    return lambda pod: pod.fails(reason=reason, **how)


def hangs(**how: Any) -> Program:
    """A program that runs until it is stopped."""
    return lambda pod: pod.hangs(**how)


class Operator:
    """One operator process."""

    def __init__(
        self,
        world: "World",
        *,
        delivery: Delivery = IMMEDIATE,
        seed: int = 0,
        settings: ControllerSettings,
        lease: LeaseSettings | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.telemetry = Notebook()
        self.line = Line(world.cluster, world.clock)
        self.controller = Controller(
            cluster=self.line,
            clock=world.clock,
            telemetry=telemetry or self.telemetry,
            settings=settings,
            leadership=Lease(cluster=self.line, clock=world.clock, settings=lease)
            if lease
            else NoElection(),
        )
        self.stop = asyncio.Event()
        self.frozen: list[tuple[float, float]] = []  # from when to when
        self._frozen_at: float | None = None
        self._loop = world.loop
        # The watch is there before the first list, as with kopf: A2 is about just that.
        self.watch = world.cluster.subscribe(
            self.controller.on_watch_event, delivery=delivery, seed=seed
        )
        inside = copy_context()
        inside.run(PROCESS.set, self)
        self.task = asyncio.get_running_loop().create_task(
            self.controller.run(self.stop), context=inside
        )

    def die(self) -> None:
        """As by SIGKILL: nothing that it has not sent is sent, nothing is cleaned up."""
        self.line.dead = True
        self.watch.close()
        self.task.cancel()
        self._loop.thaw(self)

    async def shut_down(self, *, within: float = 30.0) -> None:
        """As by SIGTERM. Fails when it takes longer than Kubernetes would give it."""
        self.stop.set()
        async with asyncio.timeout(within):
            await self.task
        self.watch.close()

    def freeze(self) -> None:
        """As by SIGSTOP: time passes, this process does not notice."""
        self.watch.pause()
        self._frozen_at = self._loop.time()
        self._loop.freeze(self)

    def thaw(self) -> None:
        """Go on from the very next instruction."""
        if self._frozen_at is not None:
            self.frozen.append((self._frozen_at, self._loop.time()))
            self._frozen_at = None
        self._loop.thaw(self)
        self.watch.resume()

    @property
    def ready(self) -> bool:
        return self.controller.ready

    @property
    def leading(self) -> bool:
        return self.controller.leading


# Shorter intervals than those of waypost.settings, so that a test sees several of each; fewer
# workers, so that a test can make them wait.
_SETTINGS: Final[Mapping[str, Any]] = {
    "workers": 8,
    "namespaces": (),
    "resync_seconds": 300.0,
    "sweep_seconds": 120.0,
    "shutdown_seconds": 15.0,
    "write_qps": 50.0,
    "write_burst": 100,
    "suspend_new_runs": False,
    "archives": False,
    "approvals": OPEN,
    "policies": None,
    "pods": PodSettings(runner_image="runner:test", agent_image="agent:test"),
    "probes": ProbeSettings(runner_image="runner:test", agent_image="agent:test"),
    "node_lost_seconds": 300.0,
    "logs": OFF,
}


class World:
    """A cluster with machines, users, and any number of operators. Ends all of them on exit."""

    def __init__(
        self,
        *,
        script: Script | None = None,
        seed: int = 0,
        latency: tuple[float, float] = (0.005, 0.02),
        namespaces: Sequence[str] = (NAMESPACE,),
    ) -> None:
        self.clock = VirtualClock()
        self.cluster = InMemoryCluster(
            clock=self.clock, seed=seed, namespaces=namespaces, latency=latency
        )
        self.script: dict[str, Sequence[Program]] = dict(script or {})
        self.work = Workloads(self.cluster, program=self._program, seed=seed)
        self.user = self.cluster.as_user("ann")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop), "a World lives in a test marked @virtual"
        self.loop = loop
        self.loop.exempt = self.cluster.agenda
        self.operators: list[Operator] = []
        self._helpers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for operator in self.operators:
            operator.die()
        tasks = [operator.task for operator in self.operators] + self._helpers
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for operator in self.operators:
            _assert_unspoilt(operator)

    def start(
        self,
        *,
        delivery: Delivery = IMMEDIATE,
        seed: int = 0,
        replica: bool = False,
        telemetry: Telemetry | None = None,
        **settings: Any,
    ) -> Operator:
        """One more operator, with an empty cache. A `replica` works only while it has the Lease;
        any other works without asking. `telemetry` replaces the notebook."""
        identity = f"operator-{len(self.operators)}"
        operator = Operator(
            self,
            delivery=delivery,
            seed=seed,
            settings=ControllerSettings(
                **{**_SETTINGS, **settings},
            ),
            lease=LeaseSettings(namespace=NAMESPACE, name=LEASE, identity=identity)
            if replica
            else None,
            telemetry=telemetry,
        )
        self.operators.append(operator)
        return operator

    def helper(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something happen beside the test, until it ends."""
        self._helpers.append(asyncio.get_running_loop().create_task(work))

    @property
    def ledger(self) -> Ledger:
        """What has run."""
        return self.work.ledger

    def _program(self, pod: PodView) -> Outcome:
        script = self.script.get(pod.path) or self.script.get(node_of(pod.path))
        programs = script or (gives(),)
        return programs[min(pod.attempt, len(programs)) - 1](pod)

    # --- what users do ---------------------------------------------------------------------------

    async def submit(self, spec: Obj, *, name: str = RUN, **metadata: Any) -> Obj:
        """Create a run."""
        body = {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "AgentWorkflow",
            "metadata": {"name": name, **metadata},
            "spec": spec,
        }
        namespace = metadata.get("namespace", NAMESPACE)
        return await self.user.create(Kind.AGENT_WORKFLOW, namespace=namespace, body=body)

    async def patch_run(self, spec: Obj, *, name: str = RUN) -> None:
        """Change fields of a run's spec."""
        await self.patch(Kind.AGENT_WORKFLOW, name, spec)

    async def patch(self, kind: Kind, name: str, spec: Obj) -> None:
        """Change fields of a spec, as a user does."""
        await self.user.patch(
            kind,
            namespace=NAMESPACE,
            name=name,
            body={"spec": spec},
            patch_type=PatchType.MERGE,
        )

    async def answer(self, **answer: Any) -> None:
        """Answer the one open Approval, as soon as there is one."""
        await self.until(lambda: bool(self.all(Kind.APPROVAL)), "an Approval is asked")
        await self.patch(Kind.APPROVAL, self.all(Kind.APPROVAL)[0]["metadata"]["name"], answer)

    async def delete(self, kind: Kind, name: str, *, propagation: str = "Background") -> None:
        """Delete something, as a user does."""
        await self.user.delete(kind, namespace=NAMESPACE, name=name, propagation=propagation)

    # --- what can be seen ------------------------------------------------------------------------

    def all(self, kind: Kind) -> list[Obj]:
        """Every object of a kind, as stored: a look that is no request."""
        return list(self.cluster.server.storage.scan(kind))

    def run(self, name: str = RUN) -> Obj:
        """A run as stored, for reading; empty when there is none."""
        return self.cluster.server.storage.read(Kind.AGENT_WORKFLOW, NAMESPACE, name) or {}

    def status(self, name: str = RUN) -> Obj:
        """A run's status; empty when it has none or is gone."""
        return section(self.run(name), "status")

    def node(self, path: str, name: str = RUN) -> Obj:
        """A node's checkpoint; empty when it has none."""
        found = (n for n in items(self.status(name), "nodes") if n["path"] == path)
        return next(found, {})

    def condition(self, type_: str, name: str = RUN) -> Obj:
        """A condition of a run; empty if it has none of the type."""
        found = (c for c in items(self.status(name), "conditions") if c["type"] == type_)
        return next(found, {})

    def is_finished(self, name: str = RUN) -> bool:
        return self.condition("Finished", name).get("status") == "True"

    async def until(
        self, true: Callable[[], bool], reason: str, *, within: float = 3600.0, step: float = 0.25
    ) -> None:
        """Wait for something to become true; `reason` says what."""
        end = self.clock.monotonic() + within
        while not true():
            if self.clock.monotonic() >= end:
                pytest.fail(f"not within {within:.0f} virtual seconds: {reason}\n{self.tell()}")
            await asyncio.sleep(step)

    async def finished(self, name: str = RUN, *, within: float = 7200.0) -> Obj:
        """The status of a run once it has ended."""
        await self.until(
            lambda: self.is_finished(name), f"{name} is finished", within=within, step=1.0
        )
        return self.status(name)

    async def quiet(self, seconds: float) -> list[Any]:
        """Let time pass; the writes that were made meanwhile."""
        before = len(self.cluster.log)
        await asyncio.sleep(seconds)
        return self.cluster.log[before:]

    def tell(self) -> str:
        """What a person would want to know of a run that does not end as it should."""
        lines = [
            f"{n['path']}: {n['phase']} {n.get('reason', '')} {n.get('message', '')}"
            for body in self.all(Kind.AGENT_WORKFLOW)
            for n in items(body, "status", "nodes")
        ]
        lines += [str(started) for started in self.ledger.executions[-20:]]
        return "\n".join(lines)


def _assert_unspoilt(operator: Operator) -> None:
    """Bodies of runs are shared by passes: none may have changed one."""
    for uid, body in operator.controller.store._parsed._known.items():
        written = body._text
        assert written is None or body.value() == json.loads(written.join()), (
            f"a pass has changed the cached run {uid}"
        )


def twice_and_lost(world: World) -> Interception:
    """Requests that a proxy repeats, and whose answer then gets lost."""

    async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        await send()
        with contextlib.suppress(Exception):
            await send()
        raise Unavailable("the connection was reset")

    return intercept
