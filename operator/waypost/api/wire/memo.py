"""What follows from a model that is never changed, computed once for each.

A run has up to 200 checkpoints, each of which is compared and measured in every pass, and most have
not changed since the last one. A pass keeps the models of those (`runtime/cache/statuses.py`), so
that what was computed from them still counts.
"""

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)
Value = TypeVar("Value")


class Memo(Generic[M, Value]):
    """A function of a model that remembers its values for as long as the models exist.

    Models are distinguished by identity: a changed copy is another model. What `compute` returns
    is shared, so nobody may change it.
    """

    def __init__(self, compute: Callable[[M], Value]) -> None:
        self._compute = compute
        self._known: dict[int, tuple[weakref.ref[M], Value]] = {}

    def __call__(self, model: M) -> Value:
        """The value for this model."""
        key = id(model)
        known = self._known.get(key)
        if known is not None and known[0]() is model:
            return known[1]
        value = self._compute(model)
        # The model is still there, so no other one has its id until the reference reports its end.
        self._known[key] = (weakref.ref(model, lambda _: self._known.pop(key, None)), value)
        return value

    def __len__(self) -> int:
        """How many values are remembered."""
        return len(self._known)
