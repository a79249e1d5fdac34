"""How a run must end whose nodes wait in a queue: a second reading of S551 to S554.

It knows what the queue did to each Job, and shares no code with the engine.
"""

from collections.abc import Mapping

from waypost.kube.objects import items
from waypost.ports.cluster import Obj

# Troubles after which an attempt may end for another reason than its queue.
_OTHERS = frozenset({"delete_pod"})
# Troubles after which a queue can resume a Job, or an operator sees late what it did.
_BLIND = frozenset({"kill", "freeze", "freeze_acting", "lost"})


def expected(node: Obj, evictions: Mapping[str, int], kinds: set[str], *, once: bool) -> str:
    """What is wrong with the end of a node of a run that nobody cancelled; "" if nothing is."""
    attempts = items(node, "attempts")
    reasons = [attempt.get("reason") for attempt in attempts]
    phase, reason = node.get("phase"), node.get("reason")
    took = [attempt for attempt in attempts if attempt["job"] in evictions]
    if once and reason == "UnknownEffect":
        return "" if took or kinds & _OTHERS else "its effect is unknown without a cause"
    if phase != "Succeeded":
        return f"it is {phase} {reason}: {node.get('message')}"
    if node.get("retries") or node.get("launchRetries"):
        return f"it used a retry: {node.get('retries')}, {node.get('launchRetries')}"
    allowed = {"Succeeded", "Preempted"} | ({"Disrupted"} if kinds & (_OTHERS | _BLIND) else set())
    if not set(reasons) <= allowed:
        return f"its attempts ended as {reasons}"
    if not kinds and len(attempts) < 6 and len(attempts) != 1 + len(took):
        return f"it has {len(attempts)} attempts, and its queue preempted {len(took)}"
    return ""
