"""Play a saga: operators, troubles, people, rounds until it succeeds, then its deletion."""

import asyncio
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.sagas.interpreter import (
    end_of_undo,
    item_output,
    iteration_output,
    output,
)
from tests.simulation.sagas.plan import MANY, RUN, Saga, Step, body
from tests.simulation.sagas.watcher import Watcher, base_of
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

_TROUBLED: Final = 60.0
_TO_END: Final = 3000.0
_ROUNDS: Final = 5


class _Play:
    def __init__(self, world: World, plan: Saga) -> None:
        self.world, self.plan = world, plan
        self.watcher = Watcher(world, plan)
        self.steps = {step.name: step for step in plan.steps}
        self.round = 1
        self.before: dict[str, int] = {}  # attempts of compensations in earlier rounds
        self.undoing = {step.undo_program: step for step in plan.steps}
        for name, step in self.steps.items():
            world.script[name] = [self._program] * 90
            world.script[step.undo_program] = [self._undo] * 90
            for at in range(len(step.values or ())):
                world.script[f"{name}/{at}"] = [self._program] * 90
                world.script[f"{step.undo}/{at}"] = [self._undo] * 90
            for at in range(step.loops):
                world.script[f"{name}/{at}"] = [self._iteration] * 90
                world.script[f"{step.undo}/{at}"] = [self._undo] * 90
        world.script["clean"] = [self._clean] * 9

    def _program(self, pod: PodView) -> Outcome:
        self.watcher.started(pod)
        name, _, item = pod.path.partition("/")
        step = self.steps[name]
        if item and pod.attempt <= step.item_fails[int(item)]:
            return pod.fails(seconds=step.seconds)
        if step.vanishes and pod.attempt == 1:
            return Outcome(seconds=step.seconds)
        if pod.attempt <= step.fails:
            return pod.fails(seconds=step.seconds)
        return pod.succeeds({"n": step.n + sum(pod.inputs.values())}, seconds=step.seconds)

    def _iteration(self, pod: PodView) -> Outcome:
        """Its attempts are counted over all iterations."""
        self.watcher.started(pod)
        step = self.steps[pod.path.partition("/")[0]]
        if step.vanishes and pod.attempt == 1:
            return Outcome(seconds=step.seconds)
        if pod.attempt <= step.fails or pod.attempt == step.loop_fails:
            return pod.fails(seconds=step.seconds)
        n = iteration_output(self.plan, step, int(pod.inputs["at"]))
        return pod.succeeds({"n": n}, seconds=step.seconds)

    def _undo(self, pod: PodView) -> Outcome:
        self.watcher.started(pod)
        step = self.undoing[base_of(pod.path)]
        if pod.attempt <= step.undo_fails:
            return pod.fails(seconds=step.undo_seconds)
        return pod.succeeds(None, seconds=step.undo_seconds)

    def _clean(self, pod: PodView) -> Outcome:
        self.watcher.started(pod)
        return pod.succeeds(None)

    async def run(self) -> list[Violation]:
        self._start()
        await self.world.submit(body(self.plan), name=RUN)
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(_TROUBLED)
        if not await self._ends():
            return self.watcher.violations
        self._judge_round()
        while self._may_continue():
            named = self._named()
            self._note_attempts()
            self.round += 1
            await self._set({"rerun": {"round": self.round, **named}})
            if not await self._ends():
                return self.watcher.violations
            self._judge_round()
        for key in self.world.ledger.doubled():
            self.watcher.blame("I2", f"started twice: {key}")
        if left := await what_stays(self.world, RUN):
            self.watcher.blame("I12", f"left behind: {left}")
        return self.watcher.violations

    def _may_continue(self) -> bool:
        failed = self._status().get("phase") == "Failed"
        cancelled = section(self.world.run(RUN), "spec").get("cancel")
        return failed and not cancelled and self.plan.deadline is None and self.round < _ROUNDS

    def _named(self) -> Obj:
        """Nodes on which a person must decide before the round begins (S280)."""
        entries = {entry["path"]: entry for entry in items(self._status(), "nodes")}
        named = []
        for name, step in self.steps.items():
            entry, undo = entries[name], entries.get(step.undo)
            broke = step.once and entry["phase"] in ("Failed", "Cancelled") and not step.tolerated
            undone = undo is not None and (undo.get("attempt") or 0) > self.before.get(name, 0)
            decides = undone and undo is not None and (undo["phase"] != "Succeeded" or step.once)
            unknown = step.once and entry.get("reason") == "UnknownEffect"
            if broke or decides or unknown:
                named.append(name)
        return {"from": named} if named else {}

    def _note_attempts(self) -> None:
        for entry in items(self._status(), "nodes"):
            name, slash, _ = entry["path"].partition("/")
            if slash and entry.get("attempt"):
                self.before[name] = entry["attempt"]

    def _start(self) -> None:
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0)

    def _status(self) -> Obj:
        return self.world.status(RUN)

    async def _ends(self) -> bool:
        for _ in range(int(_TO_END)):
            if self.world.is_finished(RUN) and self._status().get("round", 1) == self.round:
                await asyncio.sleep(30)
                return True
            await asyncio.sleep(1)
        self.watcher.blame("I11", f"no end:\n{self.world.tell()}")
        return False

    # --- the judgement of a round ----------------------------------------------------------------

    def _judge_round(self) -> None:
        status = self._status()
        entries = {entry["path"]: entry for entry in items(status, "nodes")}
        for step in self.steps.values():
            if step.values is not None:
                self._judge_map(step, entries[step.name])
            elif step.loops:
                self._judge_loop(step, entries[step.name])
            elif entries[step.name]["phase"] == "Succeeded":
                found = section(entries[step.name], "output").get("n")
                if found != output(self.plan, step.name):
                    self.watcher.blame("I4", f"{step.name} has {found}")
            undo = entries.get(step.undo)
            if undo is not None:
                self._judge_undo(step, undo)
        self._judge_condition(status, [e for p, e in entries.items() if "/" in p])

    def _judge_map(self, step: Step, entry: Obj) -> None:
        if entry["phase"] != "Succeeded":
            return
        legal = [item_output(self.plan, step.name, value) for value in step.values or ()]
        found = entry.get("output") or []
        for at, expected in enumerate(legal):
            one = found[at]
            if (one or {"n": expected}).get("n") != expected:
                self.watcher.blame("I4", f"{step.name}/{at} has {one}")
        if (step.name, self.round - 1) in self.watcher.undone:
            kept = [at for at in range(len(legal)) if not self.watcher.ran(step, at, self.round)]
            if kept:
                self.watcher.blame("VF2", f"undo of {step.name}, and items {kept} are kept")

    def _judge_loop(self, step: Step, entry: Obj) -> None:
        if entry["phase"] != "Succeeded":
            return
        value = self.watcher.value_of(entry.get("outputRecord", ""))
        if value != {"n": output(self.plan, step.name)}:
            self.watcher.blame("I4", f"{step.name} has {value}")
        again = (step.name, self.round - 1) in self.watcher.undone
        if again and not self.watcher.ran(step, 0, self.round):
            self.watcher.blame("VF2", f"undo of {step.name}, and its iterations are kept")

    def _judge_undo(self, step: Step, entry: Obj) -> None:
        if entry["phase"] == "Cancelled":
            late = entry.get("reason") == "DeadlineExceeded" and self.plan.is_hurried
            if not late and not section(self.world.run(RUN), "spec").get("skipFinally"):
                self.watcher.blame("VF1", f"{step.undo} was cancelled, and nobody asked for it")
            return
        before = self.before.get(step.name, 0)
        expected, attempts = end_of_undo(step, before)
        if step.undo_child:  # a child run is not retried, and counts its attempts itself
            expected, attempts = end_of_undo(step, 0)[0], 1
        found = entry["phase"], (entry.get("attempt") or 0) - before
        if found != (expected, attempts) and not self.plan.is_hurried:
            self.watcher.blame("T11", f"{step.undo} is {found}, expected {expected, attempts}")

    def _judge_condition(self, status: Obj, entries: list[Obj]) -> None:
        if not any(step.undoable for step in self.steps.values()):
            return
        good = all(entry["phase"] == "Succeeded" for entry in entries)
        found = {c["type"]: c["status"] for c in items(status, "conditions")}
        if found.get("CompensationSucceeded") != str(good):
            text = f"CompensationSucceeded is {found.get('CompensationSucceeded')}"
            self.watcher.blame("T11", text)

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        lost = (("create", Kind.JOB), ("patch_status", Kind.AGENT_WORKFLOW))
        if await troubles.disturb(self.world, self._start, trouble, lost=lost):
            return
        match trouble.kind:
            case "suspend":
                await troubles.suspend(self.world, RUN, trouble.seconds)
            case "cancel":
                await self._set({"cancel": True})
            case _:
                await self._while_compensating(trouble)

    async def _while_compensating(self, trouble: Trouble) -> None:
        for _ in range(400):
            if self._status().get("stage") == "Compensating" and not self.world.is_finished(RUN):
                more = {"skipFinally": True} if trouble.kind == "skip" else {}
                await asyncio.sleep(trouble.number / 4)
                await self._set({"cancel": True, **more})
                return
            await asyncio.sleep(0.1)

    async def _set(self, changes: Obj) -> None:
        await self.world.patch_run(changes, name=RUN)


def play(plan: Saga) -> list[Violation]:
    """Everything that is wrong with the play of a saga. An exception is a violation too."""
    return played(plan.seed, lambda world: _Play(world, plan))


def described(plan: Saga) -> str:
    """A saga in a few lines."""
    ends = f"deadline {plan.deadline}, clean-up {plan.clean_up}, finally {plan.cleans}"
    lines = [f"seed {plan.seed}, {plan.delivery}, {ends}"]
    lines += [_shown(step) for step in plan.steps]
    return "\n".join([*lines, *(str(trouble) for trouble in plan.troubles)])


def _shown(step: Step) -> str:
    undo = "for good" if step.undo_fails == MANY else str(step.undo_fails)
    words = [step.name, f"needs {' '.join(step.needs)}" if step.needs else ""]
    words += [f"after {' '.join(step.follows)}" if step.follows else ""]
    words += [f"fails {step.fails}" if step.fails else "", "once" if step.once else ""]
    words += ["vanishes" if step.vanishes else "", "tolerated" if step.tolerated else ""]
    words += [
        f"map {list(step.values)} fails {step.item_fails} tolerates {step.tolerate}"
        if step.values is not None
        else ""
    ]
    words += [f"{step.loops} iterations, {step.loop_fails} fails" if step.loops else ""]
    words += [f"undo fails {undo}" if step.undoable else "no undo"]
    words += ["undo once" if step.undo_once else "", "by a child run" if step.undo_child else ""]
    return " ".join(word for word in words if word)
