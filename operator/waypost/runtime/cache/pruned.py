"""Fields that a user applied and the API server dropped, compared once for each spec of a run."""

from collections import OrderedDict
from typing import Final

from waypost.kube.facts.runs import last_applied_text, pruned_of
from waypost.kube.objects import section
from waypost.ports.cluster import Obj

_RUNS: Final = 500


class PrunedFields:
    """The dropped fields of runs. For one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[object, int, tuple[str, ...]]] = OrderedDict()

    def of(self, uid: str, body: Obj) -> tuple[str, ...]:
        """Their paths, as `kube.facts.runs.pruned_of` gives them."""
        applied = last_applied_text(body)
        if not applied:
            return ()
        generation = section(body, "metadata").get("generation")
        known = self._known.get(uid)
        spec = (generation, hash(applied))
        if known is None or known[:2] != spec:
            known = self._known[uid] = (*spec, pruned_of(body))
        self._known.move_to_end(uid)
        if len(self._known) > _RUNS:
            self._known.popitem(last=False)
        return known[2]

    def forget(self, uid: str) -> None:
        """Drop what is known of a run that no longer exists."""
        self._known.pop(uid, None)
