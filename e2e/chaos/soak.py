"""Many runs of mixed shapes while something breaks every few seconds, at random, by a seed."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from e2e.bench.audit import OPERATOR, Request
from e2e.bench.figures import Figure, spread
from e2e.chaos.faults import Kill, Reach
from e2e.chaos.shapes import SHAPES, Backdrop, made_of
from e2e.suite.kube import Obj
from e2e.suite.space import container_state

RECOVERY_BAR = 5.0
LIVE = 10  # runs at the same time: what two cores carry
TICK = 0.5
SETTLE_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many runs, for how long something breaks, and how often, in seconds."""

    runs: int
    seconds: float
    every: float
    seed: int


@dataclass
class Soak:
    """One soak: `done` counts the faults of each kind, `kills` are those of an operator."""

    reach: Reach
    backdrop: Backdrop
    plan: Plan
    say: Callable[[str], None]
    kills: list[Kill] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    started: int = 0
    deck: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Start everything, break things, answer questions; return when every run has ended."""
        chance = random.Random(self.plan.seed)
        begun, broken = time.monotonic(), self.plan.every
        while True:
            now = time.monotonic() - begun
            runs = self.reach.space.all("agentworkflows")
            live = [run for run in runs if not run.get("status", {}).get("finishedAt")]
            if self.started == self.plan.runs and not live:
                return
            self._start(now, len(live))
            self._answer(chance)
            if now >= broken and now < self.plan.seconds:
                self._break(chance, now)
                broken = time.monotonic() - begun + self.plan.every * chance.uniform(0.5, 1.5)
            limit = self.plan.seconds + SETTLE_SECONDS
            assert now < limit, f"faults ended, runs did not\n{self._unfinished(live)}"
            time.sleep(TICK)

    def wrong_ends(self) -> list[str]:
        """A sentence for each run that did not end as it should."""
        wrong = []
        for run in self.reach.space.all("agentworkflows"):
            name, status = run["metadata"]["name"], run["status"]
            shape = SHAPES[name.partition("-")[0]]
            if status["phase"] not in shape.phases:
                wrong.append(f"{name} ended {status['phase']}: {_nodes(run)}")
            elif status["phase"] == "Succeeded" and status["outputs"] != {"last": shape.outputs}:
                wrong.append(f"{name} gave {status['outputs']}, not {shape.outputs}")
        return wrong

    def _start(self, now: float, live: int) -> None:
        due = min(self.plan.runs, 1 + int(now / (0.95 * self.plan.seconds) * self.plan.runs))
        shapes = list(SHAPES)
        while self.started < due and live < LIVE:
            shape = shapes[self.started % len(shapes)]
            self.reach.space.start(made_of(shape, f"{shape}-{self.started}", self.backdrop))
            self.started, live = self.started + 1, live + 1

    def _answer(self, chance: random.Random) -> None:
        """Humans answer most questions soon, and some later."""
        for approval in self._open():
            if chance.random() < 0.5:
                shape = SHAPES[approval["spec"]["run"].partition("-")[0]]
                self.reach.space.answer(approval["metadata"]["name"], decision=shape.answer)

    def _open(self) -> list[Obj]:
        found = self.reach.space.all("approvals")
        return [one for one in found if "decision" not in one["spec"] and not _leaves(one)]

    def _break(self, chance: random.Random, now: float) -> None:
        name = self._draw(chance)
        self.done[name] += 1
        if name == "operator_killed":
            killed = self.reach.operator_killed()
            if killed is not None:
                self.kills.append(killed)
        elif name in CARRIERS:
            getattr(self.reach, name)()
        elif name in MACHINES:
            getattr(self.reach.second, name)()
        else:
            targets = self._open() if name == "approval_deleted" else self._running()
            if not targets:
                return
            target = chance.choice(targets)
            getattr(self.reach, name)(target)
            name = f"{name} {target['metadata']['name']}"
        self.say(f"{now:6.0f}s {name}")

    def _draw(self, chance: random.Random) -> str:
        """The next fault of a shuffled deck: a short soak, too, meets each kind."""
        if not self.deck:
            weights = FAULTS | (MACHINES if self.reach.second else {})
            self.deck = [name for name, weight in weights.items() for _ in range(weight)]
            chance.shuffle(self.deck)
        return self.deck.pop()

    def _unfinished(self, live: Sequence[Obj]) -> str:
        """The runs that have not ended, with their pods and events."""
        lines = [f"{run['metadata']['name']}: {_nodes(run)}" for run in live]
        ours = tuple(f"{run['metadata']['name']}-" for run in live)
        for pod in self.reach.space.all("pods", "waypost.dev/run"):
            if pod["metadata"]["name"].startswith(ours):
                lines.append(json.dumps({key: pod[key] for key in ("metadata", "status")}))
        for event in self.reach.space.all("events"):
            name = event["involvedObject"]["name"]
            if f"{name}-".startswith(ours):
                lines.append(f"{name}: {event['reason']}: {event.get('message')}")
        return "\n".join(lines)

    def _running(self) -> list[Obj]:
        """Pods of nodes whose program runs."""
        pods = self.reach.space.all("pods", "waypost.dev/run")
        return [pod for pod in pods if container_state(pod, "running") and not _leaves(pod)]


# By weight. The operator is killed most: its recovery is what is measured.
FAULTS = {
    "operator_killed": 6,
    "program_killed": 2,
    "pod_deleted": 2,
    "pod_forced": 1,
    "pod_evicted": 1,
    "job_deleted": 1,
    "approval_deleted": 1,
    "gateway_replaced": 1,
    "api_server_killed": 1,
    "etcd_killed": 1,
}
# Where there is a second machine.
MACHINES = {"drained": 1, "kubelet_restarted": 1, "power_cut": 1}
CARRIERS = frozenset({"gateway_replaced", "api_server_killed", "etcd_killed"})


def recoveries(kills: Sequence[Kill], requests: Sequence[Request]) -> list[Figure]:
    """Seconds from each kill of an operator until one wrote a status or created a Job; apart, those
    with another operator standing by, for which the bar is."""
    warm, cold = (_gaps(kills, requests, warm=warm) for warm in (True, False))
    return [
        Figure("operators_killed", len(kills), "kills"),
        Figure("operators_killed_with_standby", len(warm), "kills"),
        *spread("operator_kill_to_write", warm, bar=RECOVERY_BAR),
        *spread("operator_kill_to_write_no_standby", cold, bar=None),
    ]


def _gaps(kills: Sequence[Kill], requests: Sequence[Request], *, warm: bool) -> list[float]:
    writes = sorted(
        r.received
        for r in requests
        if r.user == OPERATOR
        and r.code < 300
        and (r.resource, r.verb) in (("jobs", "create"), ("agentworkflows/status", "patch"))
    )
    gaps = []
    nexts = [*(kill.at for kill in kills[1:]), float("inf")]
    for kill, following in zip(kills, nexts, strict=True):
        first = next((at for at in writes if at > kill.at), None)
        # Killed again before it wrote: that says nothing.
        if kill.warm == warm and first is not None and first < following:
            gaps.append(first - kill.at)
    return gaps


def _leaves(body: Obj) -> bool:
    return "deletionTimestamp" in body["metadata"]


def _nodes(run: Obj) -> str:
    nodes = run["status"]["nodes"]
    return "; ".join(f"{n['path']} {n['phase']} {n.get('message', '')}" for n in nodes)
