"""`repeat` of a node: run it again until a condition holds."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from waypost.api.base import Duration, Model
from waypost.api.modifiers.for_each import ForEach

MAX_ITERATIONS = 100


class Repeat(Model):
    """Run the node again until a condition holds. Each execution is an iteration with its own
    attempts. Only for python, container, agent and http."""

    until: Annotated[str, StringConstraints(max_length=2056)] = Field(
        description='Condition that ends the loop, for example "${self.output.passed}". It is '
        "evaluated once after each iteration that succeeded, and must be true or false.",
    )
    max: int = Field(
        ge=1,
        le=MAX_ITERATIONS,
        description="Maximum number of iterations in one round.",
    )
    pause: Duration | None = Field(
        default=None,
        description="Delay between two iterations. No pod runs meanwhile. Default: none.",
    )
    on_limit: Literal["Fail", "Succeed"] | None = Field(
        default=None,
        description="What happens when until is still false after max iterations. Fail (default): "
        "the node fails with LoopLimit. Succeed: its output is that of the last iteration.",
    )


class Iterations(ForEach):
    """The modifier of the compensation of a loop: a map over its iterations."""

    @classmethod
    def newest_first(cls) -> Self:
        """One iteration at a time, and each is tried. The list is made of those that succeeded."""
        return cls.model_construct(items="${[]}", max_parallel=1, tolerate="100%", collect="None")
