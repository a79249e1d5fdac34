"""Play an agent that asks people: operators, troubles, people, rounds, the end."""

import asyncio
from typing import Any, Final

from waypost.kube.manifests.pod import PodSettings
from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.calls.plan import PROVIDER, RUN, Person, Plan, body
from tests.simulation.calls.pods import Conversations
from tests.simulation.calls.watcher import Watcher
from tests.simulation.focused import troubles
from tests.simulation.focused.asking import AskingPlay
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.watching.evidence import Violation
from tests.support.harness import NAMESPACE, World

_PODS: Final = PodSettings(
    runner_image="runner:test", agent_image="agent:test", gateway_url="http://gateway"
)


class _Play(AskingPlay):
    name, stays, settings = RUN, "main-probe", {"pods": _PODS}

    def __init__(self, world: World, planned: Plan) -> None:
        self.plan, self.watcher = planned, Watcher(world, planned)
        super().__init__(world, planned, self.watcher, pods=_PODS)
        self.conversations = Conversations(
            world.cluster.server, planned, self.watcher.blame, self.watcher.may_send
        )
        self.version = 1
        world.script["write"] = [self.conversations.program] * 90
        world.script["after"] = [self._after] * 90
        world.script["other"] = [lambda pod: pod.fails(seconds=planned.breaks or 1.0)] * 90

    async def prepare(self) -> None:
        """Create the provider of the model."""
        await self.world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)

    def body(self) -> Obj:
        """The spec of the run."""
        return body(self.plan)

    def _after(self, pod: PodView) -> Outcome:
        said = self._results()
        if pod.inputs["said"] != said:
            self.watcher.blame("I6", f"after got {pod.inputs['said']}, expected {said}")
        return pod.succeeds(None)

    def _results(self) -> Any:
        """What the agents should have given."""
        results = self.conversations.results()
        return results if self.plan.items is not None else results[0]

    # --- the judgement of a round ----------------------------------------------------------------

    def judge(self) -> None:
        """Judge a round that has ended."""
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

    async def decide(self, approval: Obj) -> None:
        """Do what the person does who reads a new Approval."""
        text = approval["spec"]["context"]["arguments"]["text"]
        person = self.plan.people[text]
        if person.act == "never":
            return
        await asyncio.sleep(person.after)
        more: Obj = {"answer": {"text": f"{text}x"}} if person.act == "edit" else {}
        decision = "Denied" if person.act == "no" else "Approved"
        await self.say(approval["metadata"]["name"], decision, **more)

    # --- troubles --------------------------------------------------------------------------------

    async def happen(self, trouble: Trouble) -> None:
        """Let a trouble happen that only this play has."""
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
            case "again":
                await self.next_round({})
            case "change":
                self.version += 1
                await self.next_round({"nodes": body(self.plan, self.version)["nodes"]})
            case "replace":
                await self._replace_approvers()
            case _:
                await self._evict()

    async def _replace_approvers(self) -> None:
        """A round in which other people are asked."""
        nodes = body(self.plan, self.version)["nodes"]
        nodes[0]["agent"]["toolApproval"]["approvers"] = {"users": ["ann", "bob"]}
        await self.next_round({"nodes": nodes})

    async def _evict(self) -> None:
        """The machine of the pod that runs is drained."""
        for pod in self.world.all(Kind.POD):
            if section(pod, "status").get("phase") in ("Pending", "Running"):
                await self.world.delete(Kind.POD, pod["metadata"]["name"])


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
