"""What actions are about: the names that they create, and texts for the log."""

from waypost.engine.state.decision import After, Launch, OpenApproval, StartChild, TakeSlot
from waypost.runtime.cache.runs import Key


def created_name(action: After) -> str:
    """The name of the Job, Approval or child run that an action creates; "" for other actions."""
    if isinstance(action, Launch):
        return str(action.job["metadata"]["name"])
    if isinstance(action, OpenApproval | StartChild | TakeSlot):
        return str(action.manifest["metadata"]["name"])
    return ""


def about(key: Key, action: Launch) -> dict[str, object]:
    """The attempt that an action launches, for the log."""
    attempt = {"node": action.path, "attempt": action.attempt}
    return {"run": key.name, "namespace": key.namespace, **attempt}
