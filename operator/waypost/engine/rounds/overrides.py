"""What a person decides instead of the engine: results that rerun.outputs gives, nodes that
rerun.skip leaves out."""

from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason


def apply_overrides(transition: Transition) -> None:
    """End the nodes that a person has decided on, once no attempt of them is under way."""
    asked = transition.spec.rerun
    if asked is None:
        return
    for path in transition.in_phase("Pending"):
        disposition = transition.statuses[path].disposition
        if disposition == "Given" and path in (asked.outputs or {}):
            transition.succeed(path, checkpoint((asked.outputs or {})[path]))
        elif disposition == "SkippedByUser":
            transition.end(path, "Skipped", Reason.SKIPPED_BY_USER, "left out by a person")
        else:
            continue
        transition.stamp_fingerprint(path)
