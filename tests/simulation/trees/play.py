"""Play a tree: operators, troubles, people, rounds until it succeeds, then its deletion."""

import asyncio
from dataclasses import replace
from typing import Final

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj, QuotaExceeded
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.protocol.work import Usage

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.scenario.manifest import PROVIDER
from tests.simulation.trees.interpreter import first_result, most_attempts, most_failures
from tests.simulation.trees.plan import (
    QUICK,
    REFUSED_BELOW,
    ROOT,
    SLOW,
    Step,
    Tree,
    body,
    template_name,
)
from tests.simulation.trees.watcher import TOKENS, Watcher
from tests.simulation.watching.evidence import Violation
from tests.support.harness import NAMESPACE, World
from tests.support.templates import create_template
from tests.unit.runtime.test_probe_controller import OK, says

_TROUBLED: Final = 60.0
_UNANSWERED: Final = 90.0  # more if requests fail: the operator tries again after 60 at most
_TO_END: Final = 1800.0
_LONG: Final = 200.0  # seconds of a program that a cancel finds running
_STOPPED: Final = ("cancel", "delete")
_TO_SAY: Final = 60.0
_QUOTA: Final = "exceeded quota: team"
_REFUSED: Final = {
    "jobs": Kind.JOB,
    "records": Kind.NODE_RECORD,
    "runs": Kind.AGENT_WORKFLOW,
}


class _Play:
    def __init__(self, world: World, tree: Tree) -> None:
        self.world, self.tree = world, tree
        self.watcher = Watcher(world)
        self.steps = {s.name: s for steps in tree.templates for s in steps}
        maps = {s.name: s.parallel for s in self.steps.values() if s.items is not None}
        self.watcher.items.places |= maps
        self.round = 1
        self.refused_at: float | None = None  # first refusal of a quota
        self.spent: dict[str, int] = {}  # tokens of each program, by the uid of its pod
        programs = [step.name for step in self.steps.values() if step.calls is None]
        cancelled = any(t.kind.startswith("cancel") for t in tree.troubles)
        # A cancel has something to stop.
        self.long = programs[-1] if cancelled and programs else ""
        for name in programs:
            world.script[name] = [self._program] * 30
        world.script[QUICK] = [self._quick] * 30
        world.script[""] = [says(OK)]  # probes of the provider

    def _program(self, pod: PodView) -> Outcome:
        step = self.steps[pod.path]
        if pod.path == self.long:
            step = replace(step, seconds=_LONG)
        me = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
        share = section(pod.request, "agent", "allotment").get("tokens", TOKENS)
        tokens = min(TOKENS, int(share))
        self.spent[pod.uid] = tokens
        used = Usage(model_calls=1, input_tokens=tokens)
        if pod.attempt <= step.fails:
            record = CommitRecord(me, "Failed", None, "NodeError", "boom", None, usage=used)
            return Outcome(exit_code=1, message=encode(record).decode(), seconds=step.seconds)
        total = step.n + sum(pod.inputs.values())
        record = CommitRecord(me, "Succeeded", {"n": total}, usage=used)
        return Outcome(message=encode(record).decode(), seconds=step.seconds)

    def _quick(self, pod: PodView) -> Outcome:
        self.spent[pod.uid] = 0
        return pod.succeeds({"n": 0}, seconds=self.tree.race or 1.0)

    async def run(self) -> list[Violation]:
        root = body(self.tree, 0)
        if self.tree.budget is not None:
            root["budget"] = {"tokens": self.tree.budget}
            await self.world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
        for number in range(1, len(self.tree.templates)):
            await create_template(self.world, body(self.tree, number), template_name(number))
            self.watcher.bodies[template_name(number)] = body(self.tree, number)
        self._start()
        await self.world.submit(root, name=ROOT)
        for trouble in self.tree.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(_TROUBLED)
        if any(trouble.kind == "lost" for trouble in self.tree.troubles):
            await asyncio.sleep(_UNANSWERED)
        stopped = section(self.world.run(ROOT), "spec").get("cancel") is True
        if stopped and not self._is_over():
            self.watcher.blame("S206", f"the cancel has not ended the tree:\n{self.world.tell()}")
        if not await self._ends():
            return self.watcher.violations
        await self._rounds()
        if left := await what_stays(self.world, ROOT, but="main-probe"):
            self.watcher.blame("I12", f"left behind: {left}")
        self._judge_programs()
        return self.watcher.violations

    def _start(self) -> None:
        delivery = ROUGH if self.tree.delivery == "rough" else IMMEDIATE
        self.world.start(delivery=delivery, seed=self.tree.seed, resync_seconds=60.0)

    def _is_over(self) -> bool:
        done = self.world.is_finished(ROOT) and self._status().get("round", 1) == self.round
        return done or not self.world.run(ROOT)

    def _status(self) -> Obj:
        return self.world.status(ROOT)

    async def _ends(self) -> bool:
        for _ in range(int(_TO_END)):
            if self._is_over():
                await asyncio.sleep(30)
                return True
            await asyncio.sleep(1)
        self.watcher.blame("I11", f"no end:\n{self.world.tell()}")
        return False

    async def _rounds(self) -> None:
        """The first result; then rounds, until the tree succeeds."""
        kinds = {t.kind for t in self.tree.troubles}
        if not self.world.run(ROOT) or self._status()["phase"] == "Cancelled":
            return
        expected = first_result(self.tree)
        phase = "Succeeded" if expected is not None else "Failed"
        if self.tree.is_undisturbed and self._status()["phase"] != phase:
            self.watcher.blame("T11", f"phase {self._status()['phase']}, expected {phase}")
        if expected is not None and self.tree.is_undisturbed:
            self._judge_output(expected)
        self._judge_usage()
        most = 2 + most_failures(self.tree)
        while self._status()["phase"] == "Failed" and not kinds & {*_STOPPED, "cancel_frozen"}:
            if self.round > most:
                if self.tree.is_tight:
                    return  # nothing is left for what is still to do
                self.watcher.blame("T11", f"still Failed in round {self.round}")
                return
            self.round += 1
            turned = {"inputs": {"turn": self.round}} if self.tree.turns else {}
            await self._set({"rerun": {"round": self.round}, **turned})
            if not await self._ends():
                return
            self._judge_usage()

    def _judge_output(self, expected: int) -> None:
        found = section(self._status(), "outputs").get("n")
        if found != expected:
            self.watcher.blame("T11", f"output {found}, expected {expected}")

    def _judge_usage(self) -> None:
        uid = self.world.run(ROOT)["metadata"]["uid"]
        if self.watcher.gone or not self.tree.is_undisturbed:
            return  # what a deleted run used is lost with it
        uids = {uid, *(run["metadata"]["uid"] for run in self.watcher.below(uid))}
        ended = [e for e in self.world.ledger.executions if e.run_uid in uids]
        found = section(self._status(), "usage").get("totalTokens", 0)
        expected = sum(self.spent[execution.pod_uid] for execution in ended)
        unknown = self._stopped_by_choice()  # they may not have reported what they used
        least = sum(self.spent[one.pod_uid] for one in ended if one.run_uid not in unknown)
        if not least <= found <= expected:
            self.watcher.blame("VW2", f"{found} tokens, {len(ended)} programs used {expected}")

    def _stopped_by_choice(self) -> set[str]:
        """The runs that were stopped because another candidate was chosen."""
        uids = {
            uid
            for uid, run in self.watcher.runs.items()
            if section(run, "spec", "parent").get("path") == SLOW
        }
        return uids | {run["metadata"]["uid"] for uid in uids for run in self.watcher.below(uid)}

    def _judge_iterations(self) -> None:
        """An iteration has one child run, over all rounds (VL2)."""
        repeated = {s.name: s.loop.needed for s in self.steps.values() if s.loop is not None}
        counts: dict[tuple[str, str], int] = {}
        for run in self.watcher.runs.values():
            parent = section(run, "spec", "parent")
            if parent.get("path") in repeated:
                key = (parent["uid"], parent["path"])
                counts[key] = counts.get(key, 0) + 1
        for (uid, path), count in counts.items():
            over = section(self.watcher.runs.get(uid, {}), "status").get("phase") == "Succeeded"
            if count > repeated[path] or (over and count < repeated[path]):
                self.watcher.blame("VL2", f"{path}: {count} child runs, {repeated[path]} needed")

    def _judge_programs(self) -> None:
        for key in self.world.ledger.doubled():
            self.watcher.blame("I2", f"started twice: {key}")
        if not self.tree.is_undisturbed:
            return
        if not any(step.tolerated for step in self.steps.values()):
            self._judge_iterations()
        most = most_attempts(self.tree)
        counts: dict[tuple[str, str], int] = {}
        for one in self.world.ledger.executions:
            if not one.path:
                continue  # a probe
            counts[one.run_uid, one.path] = counts.get((one.run_uid, one.path), 0) + 1
        for (_, path), count in counts.items():
            if path != QUICK and count > most[path]:
                self.watcher.blame("I7", f"{path} ran {count} times, {most[path]} were needed")

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "kill":
                await troubles.kill(self.world, self._start, trouble.seconds)
            case "freeze" | "cancel_frozen":
                first = self._cancel if trouble.kind == "cancel_frozen" else None
                await troubles.freeze(self.world, self._start, trouble.seconds, first=first)
            case "lost":
                verbs = ("create", "patch", "patch_status")
                requests = [(verb, Kind.AGENT_WORKFLOW) for verb in verbs]
                troubles.lose_requests(self.world, trouble, *requests)
            case "refuse":
                await self._refuse(Kind.AGENT_WORKFLOW, trouble.seconds)
            case "refuse_long":
                await self._refuse_long(trouble)
            case "away":
                operator = self.world.operators[-1]
                operator.freeze()
                await asyncio.sleep(trouble.seconds)
                operator.thaw()
            case "suspend":
                await troubles.suspend(self.world, ROOT, trouble.seconds)
            case "cancel":
                await self._set({"cancel": True})
            case "delete":
                await self.world.delete(Kind.AGENT_WORKFLOW, ROOT)
            case _:
                await self._to_a_child(trouble)

    async def _refuse(self, kind: Kind, seconds: float) -> None:
        """A quota for objects of a kind is used up."""
        refusals, what = self.world.cluster.server.refusals, ("create", kind)
        refusals[what] = self._quota
        await asyncio.sleep(seconds)
        refusals.pop(what)

    def _quota(self) -> QuotaExceeded:
        if self.refused_at is None:
            self.refused_at = self.world.clock.monotonic()
        return QuotaExceeded(_QUOTA, code=403, reason="Forbidden")

    async def _refuse_long(self, trouble: Trouble) -> None:
        """Whatever run of the tree is refused something, the root says it within a minute."""
        kind = _REFUSED[REFUSED_BELOW[trouble.number]]
        await self._refuse(kind, trouble.seconds)
        since, now = self.refused_at, self.world.clock.monotonic()
        lasts = since is not None and now - since > _TO_SAY and not self._is_over()
        if lasts and _QUOTA not in str(self._status()):
            self.watcher.blame("said", f"{kind.value.kind}s are refused, and the root is silent")

    async def _cancel(self) -> None:
        if self.world.run(ROOT):
            await self._set({"cancel": True})

    async def _set(self, changes: Obj, *, name: str = ROOT) -> None:
        await self.world.patch_run(changes, name=name)

    async def _to_a_child(self, trouble: Trouble) -> None:
        runs = [r for r in self.world.all(Kind.AGENT_WORKFLOW) if r["metadata"]["name"] != ROOT]
        if not runs:
            return
        name = runs[trouble.number % len(runs)]["metadata"]["name"]
        if trouble.kind == "delete_child":
            await self.world.delete(Kind.AGENT_WORKFLOW, name)
        else:
            await self._set({"cancel": True}, name=name)


def play(tree: Tree) -> list[Violation]:
    """Everything that is wrong with the play of a tree. An exception is a violation too."""
    return played(tree.seed, lambda world: _Play(world, tree))


def described(tree: Tree) -> str:
    """A tree in a few lines."""
    lines = [f"seed {tree.seed}, {tree.delivery}, budget {tree.budget}, race {tree.race}"]
    for number, steps in enumerate(tree.templates):
        lines.append(f"{template_name(number)}: " + ", ".join(_shown(step) for step in steps))
    return "\n".join([*lines, *(str(trouble) for trouble in tree.troubles)])


def _shown(step: Step) -> str:
    called = f"{'local ' if step.local else ''}t{step.calls}"
    each = f" for {step.items} items, {step.parallel} at a time" if step.items is not None else ""
    what = f"calls {called}{each}" if step.calls is not None else f"fails {step.fails}"
    if step.loop is not None:
        what += f", {step.loop.needed} times, {step.loop.most} a round, pause {step.loop.pause}"
    needs = f" after {' '.join(step.needs)}" if step.needs else ""
    return f"{step.name} {what}{needs}{' tolerated' if step.tolerated else ''}"
