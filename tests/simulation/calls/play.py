"""Play an agent that asks people: operators, troubles, people, rounds, the end."""

import asyncio
from typing import Any, Final

from waypost.kube.manifests.pod import PodSettings
from waypost.kube.objects import section
from waypost.ports.cluster import ClusterError, Kind, Obj

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.calls.plan import PROVIDER, RUN, Person, Plan, body
from tests.simulation.calls.pods import Conversations
from tests.simulation.calls.watcher import Watcher
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.watching.evidence import Violation
from tests.support.harness import NAMESPACE, World

_TROUBLED: Final = 40.0
_TO_END: Final = 900
_ROUNDS: Final = 4
_PODS: Final = PodSettings(
    runner_image="runner:test", agent_image="agent:test", gateway_url="http://gateway"
)


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world, planned)
        self.conversations = Conversations(
            world.cluster.server, planned, self.watcher.blame, self.watcher.may_send
        )
        self.round, self.version = 1, 1
        world.script["write"] = [self.conversations.program] * 90
        world.script["after"] = [self._after] * 90
        world.script["other"] = [lambda pod: pod.fails(seconds=planned.breaks or 1.0)] * 90

    def _after(self, pod: PodView) -> Outcome:
        said = self._results()
        if pod.inputs["said"] != said:
            self.watcher.blame("I6", f"after got {pod.inputs['said']}, expected {said}")
        return pod.succeeds(None)

    def _results(self) -> Any:
        """What the agents should have given."""
        results = self.conversations.results()
        return results if self.plan.items is not None else results[0]

    async def run(self) -> list[Violation]:
        await self.world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
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
        if left := await what_stays(self.world, RUN, but="main-probe"):
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
        rerun = {"round": self.round, "from": None, **named}
        await self.world.patch_run({"rerun": rerun, **more}, name=RUN)

    def _start(self) -> None:
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0, pods=_PODS)

    async def _ends(self) -> bool:
        for _ in range(_TO_END):
            status = self.world.status(RUN)
            if self.world.is_finished(RUN) and status.get("round", 1) >= self._asked_round():
                await asyncio.sleep(70)
                if self.world.status(RUN).get("round", 1) >= self._asked_round():
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
            self.watcher.blame("VG4", f"open after the end: {self.watcher.open}")
        entry = self.world.node("write", RUN)
        phase, reason = entry.get("phase"), entry.get("reason")
        if phase == "Succeeded":
            self._judge_output(entry)
        elif self.plan.is_undisturbed:
            self.watcher.blame("T11", f"write is {phase} ({reason}): {entry.get('message')}")

    def _judge_output(self, entry: Obj) -> None:
        """Every call of the conversation has one result, as it was decided."""
        if entry.get("output") != self._results():
            text = f"the output is {entry.get('output')}, not {self._results()}"
            self.watcher.blame("VG2", text)
        most = 1 + sum(bool(turn.gated) for turn in self.plan.turns)
        for path in self.plan.paths if self.plan.is_undisturbed else ():
            attempts = {one.attempt for one in self.world.ledger.of(path)}
            if len(attempts) > most:
                self.watcher.blame("VG2", f"{len(attempts)} attempts of {path}, {most} are enough")
        texts = [text for turn in self.plan.turns for text in (*turn.free, *turn.gated)]
        for results in self.conversations.results():
            if sorted(results) != sorted(texts):
                text = f"results of {sorted(results)}, the model asked for {texts}"
                self.watcher.blame("VG2", text)
            for text in self.plan.gated if self.plan.is_undisturbed else ():
                self._judge_result(text, results.get(text, ""), self.plan.people[text])

    def _judge_result(self, text: str, result: str, person: Person) -> None:
        expected = {
            "yes": f"sent {text}",
            "edit": f"sent {text}x",
            "no": "denied",
            "never": "expired",
        }[person.act]
        due = self.plan.timeout
        late = due is not None and person.after > due - 20 and result == "expired"
        said = "contradict" in self.plan.kinds and result in ("denied", f"sent {text}")
        if result != expected and not late and not said:
            self.watcher.blame("VG2", f"{text} gave {result}, the person said {person.act}")

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
        text = approval["spec"]["context"]["arguments"]["text"]
        person = self.plan.people[text]
        if person.act == "never":
            return
        await asyncio.sleep(person.after)
        more: Obj = {"answer": {"text": f"{text}x"}} if person.act == "edit" else {}
        decision = "Denied" if person.act == "no" else "Approved"
        await self._say(approval["metadata"]["name"], decision, **more)

    async def _say(self, name: str, decision: str, **more: Any) -> None:
        changes = {"decision": decision, "decidedBy": "ann", **more}
        try:
            await self.world.patch(Kind.APPROVAL, name, changes)
        except ClusterError:
            return  # it is gone, or was answered

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "kill":
                await troubles.kill(self.world, self._start, trouble.seconds)
            case "freeze":
                await troubles.freeze(self.world, self._start, trouble.seconds)
            case "lost":
                requests = (
                    ("create", Kind.APPROVAL),
                    ("create", Kind.NODE_RECORD),
                    ("patch_status", Kind.AGENT_WORKFLOW),
                )
                troubles.lose_requests(self.world, trouble, *requests)
            case "lost_answer":
                troubles.lose_requests(self.world, trouble, ("patch_status", Kind.APPROVAL))
            case "suspend":
                await troubles.suspend(self.world, RUN, trouble.seconds)
            case "cancel":
                await self.world.patch_run({"cancel": True}, name=RUN)
            case "again":
                await self._next_round({})
            case "change":
                self.version += 1
                await self._next_round({"nodes": body(self.plan, self.version)["nodes"]})
            case "replace":
                await self._replace_approvers()
            case "evict":
                await self._evict()
            case _:
                await self._at_an_approval(trouble)

    async def _replace_approvers(self) -> None:
        """A round in which other people are asked."""
        nodes = body(self.plan, self.version)["nodes"]
        nodes[0]["agent"]["toolApproval"]["approvers"] = {"users": ["ann", "bob"]}
        await self._next_round({"nodes": nodes})

    async def _evict(self) -> None:
        """The machine of the pod that runs is drained."""
        for pod in self.world.all(Kind.POD):
            if section(pod, "status").get("phase") in ("Pending", "Running"):
                await self.world.delete(Kind.POD, pod["metadata"]["name"])

    async def _at_an_approval(self, trouble: Trouble) -> None:
        known = sorted(one["metadata"]["name"] for one in self.world.all(Kind.APPROVAL))
        if not known:
            return
        name = known[trouble.number % len(known)]
        if trouble.kind == "delete":
            await self.world.delete(Kind.APPROVAL, name)
        else:
            await self._say(name, "Denied", answer=None)
            await asyncio.sleep(0.1)
            await self._say(name, "Approved")


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with a play. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    lines = [
        f"seed {planned.seed}, {planned.delivery}, timeout {planned.timeout}, fails "
        f"{planned.fails}, lost {sorted(planned.lost)}, breaks {planned.breaks}, deadline "
        f"{planned.deadline}, of the node {planned.node_deadline}, items {planned.items}"
    ]
    lines += [str(turn) for turn in planned.turns]
    lines += [f"{text}: {person}" for text, person in planned.people.items()]
    return "\n".join([*lines, *(str(trouble) for trouble in planned.troubles)])
