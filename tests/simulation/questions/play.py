"""Play a map that asks people: operators, troubles, people, rounds until it succeeds, the end."""

import asyncio
from collections import Counter
from typing import Any

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj
from waypost.runtime.settings import OPEN

from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.asking import AskingPlay
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.questions import guards
from tests.simulation.questions.plan import RUN, Plan, body, text_of
from tests.simulation.questions.watcher import Watcher
from tests.simulation.watching.evidence import Violation
from tests.support.guarding import STRICT
from tests.support.harness import World


class _Play(AskingPlay):
    name = RUN

    def __init__(self, world: World, planned: Plan) -> None:
        self.plan, self.watcher = planned, Watcher(world, planned)
        approvals = STRICT if planned.strict else OPEN
        super().__init__(world, planned, self.watcher, approvals=approvals)
        self.price = 1
        self.values = list(planned.values)
        self.texts: Counter[str] = Counter()  # the largest number of equal items of any list
        self._note_list()
        world.script["price"] = [self._price] * 90
        world.script["other"] = [lambda pod: pod.fails(seconds=planned.breaks or 1.0)] * 90
        world.script["pay"] = [self._pay] * 90

    def body(self) -> Obj:
        """The spec of the run."""
        return body(self.plan)

    async def prepare(self) -> None:
        """Install the policy that strict mode needs, and let a person ask again."""
        if self.plan.strict:
            await guards.prepare(self.world)
            self.world.helper(guards.have_asked_again(self.world, self._delete))

    async def _delete(self, name: str) -> None:
        await self.world.delete(Kind.APPROVAL, name)

    async def say(self, name: str, decision: str, **more: Any) -> None:
        """A person answers the question that was read."""
        known = {one["metadata"]["name"]: one["spec"] for one in self.world.all(Kind.APPROVAL)}
        if name in known:
            more = {"decidedBy": known[name]["approvers"]["users"][0], **more}
        if self.plan.strict and name in known:
            more = {"decidedDigest": known[name]["requestDigest"], **more}
        await super().say(name, decision, **more)

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

    async def next_round(self, more: Obj, **named: Any) -> None:
        """A person asks for a round, perhaps with another list or price."""
        self._note_list()
        await super().next_round(more, **named)

    # --- the judgement of a round ----------------------------------------------------------------

    def judge(self) -> None:
        """Judge a round that has ended."""
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

    async def decide(self, approval: Obj) -> None:
        """Do what the person does who reads a new Approval."""
        value = int(approval["spec"]["message"].split()[1])
        round_ = int(approval["metadata"]["labels"]["waypost.dev/round"])
        person = self.plan.person(value, approval["spec"].get("level") or 0)
        act = "yes" if round_ > 1 and person.relents else person.act
        if act == "never":
            return
        await asyncio.sleep(person.after)
        decision = "Approved" if act == "yes" else "Denied"
        await self.say(approval["metadata"]["name"], decision)

    # --- troubles --------------------------------------------------------------------------------

    async def happen(self, trouble: Trouble) -> None:
        """Let a trouble happen that only this play has."""
        lost = (("create", Kind.APPROVAL), ("patch_status", Kind.AGENT_WORKFLOW))
        if await troubles.disturb(self.world, self._start, trouble, lost=lost):
            return
        match trouble.kind:
            case "shuffle":
                await self._shuffle(trouble)
            case "unguard":
                await guards.unguard(self.world, trouble)
            case _:
                await self._raise_price()

    async def _shuffle(self, trouble: Trouble) -> None:
        """A round with another order, and one value more or less."""
        self.values = self.values[::-1]
        self.values = self.values[1:] if trouble.number % 2 else [*self.values, 7]
        await self.next_round({"inputs": {"values": self.values}})

    async def _raise_price(self) -> None:
        """A round in which the question has another text."""
        self.price += 1
        await self.next_round({"nodes": body(self.plan, self.price)["nodes"]})


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with a play. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    lines = [
        f"seed {planned.seed}, {planned.delivery}, strict {planned.strict}, "
        f"values {planned.values}, tolerate "
        f"{planned.tolerate}, maxParallel {planned.max_parallel}, continues {planned.continues}, "
        f"timeout {planned.timeout}, levels {planned.levels}, fails {planned.fails}, "
        f"breaks {planned.breaks}, deadline {planned.deadline}"
    ]
    used = {value: planned.people[value] for value in sorted({*planned.values})}
    lines += [f"{value}: {person}" for value, person in used.items()]
    return "\n".join([*lines, *(str(trouble) for trouble in planned.troubles)])
