"""The models of a node in the order in which they are tried, and which of them answers now."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from waypost.protocol.reasons import Reason

from waypost_agent.agent_request import ModelWork
from waypost_agent.failures import Stopped
from waypost_agent.provider.provider_retries import ProviderRetries

# Another model may answer where the provider of this one did not. An answer that was given
# (Refused, OutputInvalid) and a limit of the node stand for every model.
_FALLS_BACK: Final = frozenset(
    {Reason.PROVIDER_ERROR, Reason.RATE_LIMITED, Reason.KEY_MISSING, Reason.INPUT_TOO_LARGE}
)


class Candidate(NamedTuple):
    """One model, ready to be called."""

    work: ModelWork
    model: Model
    settings: ModelSettings
    retries: ProviderRetries


class Candidates:
    """The models of one attempt. A model that failed is not tried again in this attempt; `build`
    makes one ready when its turn comes, and raises Stopped where that is not possible."""

    def __init__(
        self, works: Sequence[ModelWork], *, build: Callable[[ModelWork], Awaitable[Candidate]]
    ) -> None:
        self._waiting = deque(works)
        self._build = build
        self._failures: list[Stopped] = []

    @property
    def left(self) -> bool:
        """Whether there is a model that was not tried yet."""
        return bool(self._waiting)

    async def first(self) -> Candidate:
        """The first model that can be made ready. Raises Stopped when there is none."""
        while self._waiting:
            try:
                return await self._build(self._waiting.popleft())
            except Stopped as stopped:
                self._note(stopped)
        raise self._all_failed()

    async def after(self, failure: Stopped) -> Candidate:
        """The next model after the current one ended with `failure`. Raises Stopped where no other
        model can help, or when there is no further one."""
        self._note(failure)
        return await self.first()

    def _note(self, failure: Stopped) -> None:
        if failure.reason not in _FALLS_BACK:
            raise failure
        self._failures.append(failure)

    def _all_failed(self) -> Stopped:
        """What ends the attempt: waiting helps when one of the models was only busy."""
        if len(self._failures) == 1:
            return self._failures[0]
        busy = [each for each in self._failures if each.retry_after is not None]
        keyless = [each for each in self._failures if each.reason is Reason.KEY_MISSING]
        passing = (keyless or self._failures)[-1]
        decisive = min(busy, key=lambda each: each.retry_after or 0.0, default=passing)
        said = "; ".join(each.message for each in self._failures)
        return Stopped(
            decisive.reason,
            f"none of the node's {len(self._failures)} models answered: {said}",
            retry_after=decisive.retry_after,
            of_answer=decisive.of_answer,
        )
