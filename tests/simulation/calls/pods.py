"""The program of the agent: a conversation that follows from the plan, with a journal that
survives its pods. It is written from docs/semantics.md, not from the agent image."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from waypost.ports.cluster import Obj
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import DecidedCall, GatedCall

from tests.fakes.api.server import ApiServer
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.calls.plan import Plan
from tests.support.gateway import parks

SCHEMA: Obj = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}


@dataclass
class Journal:
    """What one conversation has given: by text of the call, what became of it."""

    results: dict[str, str] = field(default_factory=dict)


@dataclass
class Conversations:
    """The conversations of a run, by what identifies a journal."""

    server: ApiServer
    plan: Plan
    blame: Callable[[str, str], None]
    may_send: Callable[[str, str], bool]  # the text that was asked, and the one that is sent
    journals: dict[tuple[str, str], Journal] = field(default_factory=dict)
    sent: list[tuple[str, str]] = field(default_factory=list)  # key of the journal, text asked
    latest: dict[str, Journal] = field(default_factory=dict)  # by path of the agent

    def program(self, pod: PodView) -> Outcome:
        """One attempt."""
        key = (pod.request["fingerprint"], pod.key)
        journal = self.journals.setdefault(key, Journal())
        self.latest[pod.path] = journal
        given = pod.request["agent"].get("decisions")
        decided = gated_calls.decisions_from_json(given) if given else ()
        by_digest = {each.digest: each for each in decided}
        if given and pod.attempt in self.plan.lost:
            return pod.fails(reason="Disrupted", seconds=1.0)
        for number, turn in enumerate(self.plan.turns):
            for text in turn.free:
                journal.results.setdefault(text, "looked")
            waiting = [
                call
                for text in turn.gated
                if text not in journal.results
                and not self._decided(key, journal, call := _call(number, text), by_digest)
            ]
            if waiting:
                return parks(self.server, pod, waiting, seconds=1.0)
        return pod.succeeds(dict(sorted(journal.results.items())), seconds=1.0)

    def results(self) -> list[dict[str, str]]:
        """What the latest conversation of each agent has given."""
        known = (self.latest.get(path, Journal()) for path in self.plan.paths)
        return [dict(sorted(journal.results.items())) for journal in known]

    def _decided(
        self,
        key: tuple[str, str],
        journal: Journal,
        call: GatedCall,
        by_digest: dict[str, DecidedCall],
    ) -> bool:
        """Make a call, or leave it, as it was decided; False if it was not."""
        decision = by_digest.get(call.digest)
        if decision is None:
            return False
        text = str(call.arguments["text"])
        if decision.verdict == "Denied":
            journal.results[text] = "expired" if decision.expired else "denied"
            return True
        given: Any = decision.arguments or call.arguments
        if (key[0], text) in self.sent:
            self.blame("VG2", f"{text} was sent twice")
        if not self.may_send(text, given["text"]):
            self.blame("VG1", f"{given['text']} was sent for {text}, which nobody approved so")
        self.sent.append((key[0] + key[1], text))
        journal.results[text] = f"sent {given['text']}"
        return True


def _call(turn: int, text: str) -> GatedCall:
    return GatedCall(turn, f"call-{text}", "send", None, {"text": text}, "sha256:0", SCHEMA)
