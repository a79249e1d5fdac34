"""Overrides of a person: outputs that `rerun.outputs` gives, nodes that `rerun.skip` skips."""

from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.kube.items.open_map import retired
from waypost.protocol.reasons import Reason


def apply_overrides(transition: Transition) -> None:
    """End the nodes with an override once no attempt of them is running."""
    rerun = transition.spec.rerun
    if rerun is None:
        return
    for path in transition.in_phase("Pending"):
        disposition = transition.statuses[path].disposition
        if disposition == "Given" and path in (rerun.outputs or {}):
            transition.succeed(path, checkpoint((rerun.outputs or {})[path]))
        elif disposition == "SkippedByUser":
            transition.end(path, "Skipped", Reason.SKIPPED_BY_USER, "skipped by rerun.skip")
        else:
            continue
        transition.stamp_fingerprint(path)
        items = transition.statuses[path].items
        if items is not None:
            transition.update(path, items=retired(items))
