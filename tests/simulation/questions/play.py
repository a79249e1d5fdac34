"""Play a map that asks people: operators, troubles, people, rounds until it succeeds, the end."""

import asyncio
from collections import Counter
from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import ClusterError, Kind, Obj

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.questions.plan import RUN, Plan, body, text_of
from tests.simulation.questions.watcher import Watcher
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

_TROUBLED: Final = 40.0
_TO_END: Final = 900
_ROUNDS: Final = 4


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world, planned)
        self.round, self.price = 1, 1
        self.values = list(planned.values)
        self.texts: Counter[str] = Counter()  # the largest number of equal items of any list
        self._note_list()
        world.script["price"] = [self._price] * 90
        world.script["other"] = [lambda pod: pod.fails(seconds=planned.breaks or 1.0)] * 90
        world.script["pay"] = [self._pay] * 90

    def _price(self, pod: PodView) -> Outcome:
        return pod.succeeds({"n": self.price}, seconds=0.5)

    def _pay(self, pod: PodView) -> Outcome:
        entry = self.world.node("ask", RUN)
        if entry.get("phase") != "Succeeded":
            self.watcher.blame("I8", "pay started before the questions were answered")
        said = [one and one["decision"] for one in self._output()]
        if list(pod.inputs["said"]) != [one or "none" for one in said]:
            self.watcher.blame("I6", f"pay got {pod.inputs['said']}, expected {said}")
        return pod.succeeds(None)

    def _output(self) -> list[Any]:
        output = self.world.node("ask", RUN).get("output")
        return output if isinstance(output, list) else []

    def _note_list(self) -> None:
        found = Counter(text_of(value, self.price) for value in self.values)
        self.texts |= found

    async def run(self) -> list[Violation]:
        self._start()
        await self.world.submit(body(self.plan), name=RUN)
        self.world.helper(self._people())
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(_TROUBLED)
        while True:
            if not await self._ends():
                return self.watcher.violations
            self._judge()
            if not self._may_continue():
                break
            await self._next_round({})
        if left := await what_stays(self.world, RUN):
            self.watcher.blame("I12", f"left behind: {left}")
        return self.watcher.violations

    def _may_continue(self) -> bool:
        failed = self.world.status(RUN).get("phase") == "Failed"
        cut = self.plan.deadline is not None or self.plan.breaks is not None
        return failed and not cut and self.round < _ROUNDS and not self._cancelled

    @property
    def _cancelled(self) -> bool:
        return bool(section(self.world.run(RUN), "spec").get("cancel"))

    async def _next_round(self, more: Obj, **named: Any) -> None:
        self.round += 1
        self._note_list()
        await self.world.patch_run(
            {"rerun": {"round": self.round, "from": None, **named}, **more}, name=RUN
        )

    def _start(self) -> None:
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0)

    async def _ends(self) -> bool:
        for _ in range(_TO_END):
            status = self.world.status(RUN)
            if self.world.is_finished(RUN) and status.get("round", 1) >= self._asked_round():
                await asyncio.sleep(70)
                if status.get("round", 1) >= self._asked_round():
                    return True
            await asyncio.sleep(1)
        self.watcher.blame("I11", f"no end:\n{self.world.tell()}")
        return False

    def _asked_round(self) -> int:
        asked = section(self.world.run(RUN), "spec", "rerun").get("round") or 1
        return 1 if self._cancelled else int(asked)

    # --- the judgement of a round ----------------------------------------------------------------

    def _judge(self) -> None:
        if self.watcher.open:
            self.watcher.blame("VQ3", f"open after the end: {self.watcher.open}")
        entry = self.world.node("ask", RUN)
        counts = section(entry, "items")
        phase, reason = entry.get("phase"), entry.get("reason")
        if phase == "Succeeded":
            self._judge_output(entry, counts)
        failed = counts.get("failed") or 0
        if phase == "Failed" and failed <= self.plan.allowed(counts.get("total", 0)):
            stopped = reason in ("DeadlineExceeded", "Cancelled", "DependencyFailed")
            if not stopped:
                self.watcher.blame("T11", f"ask failed ({reason}) with {failed} failed items")
        if phase not in ("Succeeded", "Failed") and self.plan.is_undisturbed:
            self.watcher.blame("T11", f"ask is {phase} ({reason})")
        for text, count in Counter(self.watcher.taken).items():
            if count > self.texts[text]:
                self.watcher.blame("VQ2", f"answer: {text} was approved {count} times")

    def _judge_output(self, entry: Obj, counts: Obj) -> None:
        output = self._output()
        if len(output) != len(self.values):
            self.watcher.blame("VM4", f"{len(output)} outputs of {len(self.values)} items")
            return
        if output.count(None) != (counts.get("failed") or 0):
            self.watcher.blame("VM4", f"{output.count(None)} nulls, {counts} in the status")
        if output.count(None) > self.plan.allowed(len(output)):
            self.watcher.blame("T11", f"ask succeeded with {output.count(None)} failed items")
        approved = Counter(self.watcher.approved)
        for value, given in zip(self.values, output, strict=True):
            text = text_of(value, self.price)
            if given is not None and given["decision"] == "Approved":
                approved[text] -= 1
                if approved[text] < 0:
                    self.watcher.blame("I9", f"answer: nobody has approved {text!r}")

    # --- people ----------------------------------------------------------------------------------

    async def _people(self) -> None:
        seen: set[str] = set()
        while True:
            for approval in self.world.all(Kind.APPROVAL):
                if approval["metadata"]["uid"] not in seen:
                    seen.add(approval["metadata"]["uid"])
                    self.world.helper(self._decide(approval))
            await asyncio.sleep(0.25)

    async def _decide(self, approval: Obj) -> None:
        value = int(approval["spec"]["message"].split()[1])
        round_ = int(approval["metadata"]["labels"]["waypost.dev/round"])
        person = self.plan.people[value]
        act = "yes" if round_ > 1 and person.relents else person.act
        if act == "never":
            return
        await asyncio.sleep(person.after)
        decision = "Approved" if act == "yes" else "Denied"
        await self._say(approval["metadata"]["name"], decision)

    async def _say(self, name: str, decision: str) -> None:
        changes = {"decision": decision, "decidedBy": "ann"}
        try:
            await self.world.patch(Kind.APPROVAL, name, changes)
        except ClusterError:
            return  # it is gone, or was answered

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        lost = (("create", Kind.APPROVAL), ("patch_status", Kind.AGENT_WORKFLOW))
        if await troubles.disturb(self.world, self._start, trouble, lost=lost):
            return
        match trouble.kind:
            case "lost_answer":
                troubles.lose_requests(self.world, trouble, ("patch_status", Kind.APPROVAL))
            case "suspend":
                await troubles.suspend(self.world, RUN, trouble.seconds)
            case "cancel":
                await self.world.patch_run({"cancel": True}, name=RUN)
            case "shuffle":
                await self._shuffle(trouble)
            case "price":
                await self._raise_price()
            case _:
                await self._at_an_approval(trouble)

    async def _shuffle(self, trouble: Trouble) -> None:
        """A round with another order, and one value more or less."""
        self.values = self.values[::-1]
        self.values = self.values[1:] if trouble.number % 2 else [*self.values, 7]
        await self._next_round({"inputs": {"values": self.values}})

    async def _raise_price(self) -> None:
        """A round in which the question has another text."""
        self.price += 1
        await self._next_round({"nodes": body(self.plan, self.price)["nodes"]})

    async def _at_an_approval(self, trouble: Trouble) -> None:
        known = sorted(one["metadata"]["name"] for one in self.world.all(Kind.APPROVAL))
        if not known:
            return
        name = known[trouble.number % len(known)]
        if trouble.kind == "delete":
            await self.world.delete(Kind.APPROVAL, name)
        else:
            await self._say(name, "Denied")
            await asyncio.sleep(0.1)
            await self._say(name, "Approved")


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with a play. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    lines = [
        f"seed {planned.seed}, {planned.delivery}, values {planned.values}, tolerate "
        f"{planned.tolerate}, maxParallel {planned.max_parallel}, continues {planned.continues}, "
        f"timeout {planned.timeout}, fails {planned.fails}, breaks {planned.breaks}, deadline "
        f"{planned.deadline}"
    ]
    used = {value: planned.people[value] for value in sorted({*planned.values})}
    lines += [f"{value}: {person}" for value, person in used.items()]
    return "\n".join([*lines, *(str(trouble) for trouble in planned.troubles)])
