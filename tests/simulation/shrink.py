"""From a failing scenario to the smallest one that still breaks the same invariant."""

from dataclasses import dataclass, field, replace

from tests.simulation.drawing.scenarios import scenario
from tests.simulation.play.stage import play
from tests.simulation.scenario.plan import Scenario
from tests.simulation.watching.evidence import Violation


@dataclass(frozen=True)
class Cut:
    """What is left out of a seed's scenario: nodes by name, troubles and rounds by place."""

    seed: int
    nodes: frozenset[str] = frozenset()
    troubles: frozenset[int] = frozenset()
    rounds: frozenset[int] = frozenset()

    def scenario(self) -> Scenario:
        return scenario(self.seed).without(
            nodes=self.nodes, troubles=self.troubles, rounds=self.rounds
        )

    @property
    def command(self) -> str:
        """What replays exactly this."""
        words = [f"python -m tests.simulation replay {self.seed}"]
        if self.nodes:
            words.append("--without-nodes " + ",".join(sorted(self.nodes)))
        if self.troubles:
            words.append("--without-troubles " + ",".join(map(str, sorted(self.troubles))))
        if self.rounds:
            words.append("--without-rounds " + ",".join(map(str, sorted(self.rounds))))
        return " ".join(words)


@dataclass
class Shrinker:
    """Leaves out one thing after the other, as long as it still goes wrong in the same way."""

    cut: Cut
    wrong: frozenset[str]  # names of the invariants that were broken
    tries: int = 200
    _seen: set[Cut] = field(default_factory=set)

    def run(self) -> Cut:
        whole = scenario(self.cut.seed)
        while True:
            before = self.cut
            cut = Cut(before.seed)
            for place in range(len(whole.troubles)):
                self._try(replace(cut, troubles=frozenset({place})))
            for place in range(len(whole.rounds)):
                self._try(replace(cut, rounds=frozenset({place})))
            for node in reversed(whole.nodes):
                self._try(replace(cut, nodes=frozenset({node.name})))
            if self.cut == before or self.tries <= 0:
                return self.cut

    def _try(self, more: Cut) -> None:
        cut = Cut(
            self.cut.seed,
            self.cut.nodes | more.nodes,
            self.cut.troubles | more.troubles,
            self.cut.rounds | more.rounds,
        )
        if cut == self.cut or cut in self._seen or self.tries <= 0:
            return
        self._seen.add(cut)
        left = cut.scenario()
        if all(node.last for node in left.nodes):
            return
        self.tries -= 1
        if self.wrong & broken(play(left)[0]):
            self.cut = cut


def broken(violations: list[Violation]) -> frozenset[str]:
    """The invariants that are named."""
    return frozenset(violation.invariant for violation in violations)


def shrunk(seed: int) -> Cut | None:
    """The smallest failing part of a seed's scenario; None when it does not fail."""
    wrong = broken(play(scenario(seed))[0])
    return Shrinker(Cut(seed), wrong).run() if wrong else None


def described(cut: Cut) -> str:
    """The story of a cut, its violations, and the command that replays it."""
    left = cut.scenario()
    violations, seen = play(left)
    plan = [f"  {each}" for each in (*left.nodes, *left.troubles, *left.rounds)]
    lines = [f"seed {cut.seed}, log {seen.digest}", *plan, *seen.story]
    lines += [str(violation) for violation in violations] or ["no invariant is broken"]
    return "\n".join([*lines, f"replay: {cut.command}"])
