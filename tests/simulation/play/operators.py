"""The operator processes of a play: started, killed, frozen, replaced."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.fakes.api.watch import DELAYED, IMMEDIATE, ROUGH, STALE, Delivery
from tests.simulation.egress.play import PODS
from tests.simulation.play.troubles import Saboteur
from tests.simulation.scenario.plan import Scenario
from tests.support.harness import Operator, World

_PODS: Final = replace(PODS, agent_image="agent:test")
_DELIVERIES: Final[dict[str, Delivery]] = {
    "immediate": IMMEDIATE,
    "delayed": DELAYED,
    "rough": ROUGH,
    "stale": STALE,
}


class Operators:
    """All operators of one play. `do` lets a coroutine run beside the play."""

    def __init__(
        self, world: World, scenario: Scenario, saboteur: Saboteur, do: Callable[[Any], None]
    ) -> None:
        self._world = world
        self._scenario = scenario
        self._saboteur = saboteur
        self._do = do
        self._alive: list[Operator] = []
        self._frozen: list[Operator] = []

    def start(self) -> Operator:
        """One more operator."""
        number = len(self._world.operators)
        names = self._scenario.deliveries
        delivery = _DELIVERIES[names[number % len(names)]]
        if self._saboteur.healed:
            delivery = IMMEDIATE
        limited = any(n.egress or n.makes or n.takes for n in self._scenario.nodes)
        settings: dict[str, Any] = {"pods": _PODS} if limited else {}
        seed = self._scenario.seed + number
        operator = self._world.start(delivery=delivery, seed=seed, **settings)
        self._saboteur.attach(operator)
        self._alive.append(operator)
        return operator

    def alive(self) -> list[Operator]:
        return list(self._alive)

    def eldest(self) -> Operator:
        """The one that runs longest; a new one if none runs."""
        return self._alive[0] if self._alive else self.start()

    def kill(self, operator: Operator, *, pause: float | None) -> None:
        """As by SIGKILL; another one starts after `pause` seconds, if it is given."""
        self.retire(operator)
        operator.die()
        if pause is not None:
            self._do(self._replace(1.0 if self._saboteur.healed else pause))

    async def _replace(self, pause: float) -> None:
        await asyncio.sleep(pause)
        if not self._alive:
            self.start()

    def retire(self, operator: Operator) -> None:
        """It is no longer counted on."""
        if operator in self._alive:
            self._alive.remove(operator)
        if operator in self._frozen:
            self._frozen.remove(operator)
            operator.thaw()

    def freeze(self, operator: Operator, *, seconds: float) -> None:
        """As by SIGSTOP, for so long. Another operator takes over meanwhile, every other time."""
        if operator in self._frozen or operator.line.dead or self._saboteur.healed:
            return
        self._frozen.append(operator)
        operator.freeze()
        self._do(self._thaw(operator, seconds))

    async def _thaw(self, operator: Operator, seconds: float) -> None:
        await asyncio.sleep(seconds * 0.3)
        if len(self._alive) == 1 and self._scenario.seed % 2:
            self.start()
        await asyncio.sleep(seconds * 0.7)
        self._wake(operator)

    def _wake(self, operator: Operator) -> None:
        if operator in self._frozen:
            self._frozen.remove(operator)
            operator.thaw()

    def is_frozen(self, operator: Operator) -> bool:
        return operator in self._frozen

    def wake_all(self) -> None:
        """Let each one that is frozen continue."""
        for operator in list(self._frozen):
            self._wake(operator)

    def heal(self) -> None:
        """Start one if none is left, and let each list everything again."""
        if not self._alive:
            self.start()
        for operator in self._alive:
            operator.watch.relist()

    @property
    def remember(self) -> bool:
        """Whether one of them has anything about a run in its cache."""
        return any(operator.controller.store.uids() for operator in self._alive)

    def mistakes(self) -> list[str]:
        """I16, in words: passes that ended in an exception, operators that stopped."""
        found = []
        for operator in self._world.operators:
            if operator.telemetry.outcomes["bug"]:
                found.append("a pass ended in an exception")
            if operator.task.done() and not operator.line.dead and operator in self._alive:
                found.append("an operator stopped by itself")
        return found
