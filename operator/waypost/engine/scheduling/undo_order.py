"""Which compensation is next: they run one after another, and never beside each other.

The order follows the edges in reverse. By time alone, the clocks of two operators could turn it
round; time only decides among nodes that do not depend on each other.
"""

from waypost.api.workflow import CompensationNode
from waypost.engine.state.transition import Transition


def next_path(transition: Transition) -> str | None:
    """The compensation that runs, waits for its next attempt, or begins next; None if all have
    ended.

    Among those that may begin, the node that ended last is undone first, then by path.
    """
    waiting = {
        node.undoes: path
        for path in transition.of_stage()
        if not transition.ended(path)
        and isinstance(node := transition.node(path), CompensationNode)
    }
    begun = [path for path in waiting.values() if transition.statuses[path].phase != "Pending"]
    if begun:
        return min(begun)
    free = [name for name in waiting if not transition.graph.downstream(name) & waiting.keys()]
    ends = {name: transition.statuses[name].finished_at or "" for name in free}
    latest = max(ends.values(), default="")
    return min((waiting[name] for name in free if ends[name] == latest), default=None)
