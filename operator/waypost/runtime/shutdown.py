"""What an operator process still does when it ends."""

import contextlib

from waypost.engine.nodes.children.patches import release
from waypost.ports.cluster import Cluster, ClusterError
from waypost.runtime.cache.runs import RunCache
from waypost.runtime.reads.namespaces import is_terminating
from waypost.runtime.writes.actions import ActionExecutor


async def release_terminating(cluster: Cluster, store: RunCache, actor: ActionExecutor) -> None:
    """Release the pods and child runs of namespaces that are being deleted.

    If this operator is being uninstalled, nothing releases them later, and the namespace would
    never be deleted. Raises ClusterError.
    """
    for uid in store.uids():
        key = store.last_key(uid)
        fact = store.child(uid)
        child = fact if fact is not None and fact.held and fact.deleting else None
        if key is not None and child is not None and await is_terminating(cluster, key.namespace):
            with contextlib.suppress(ClusterError):
                await actor.children.patch(key, release(child))
        for pod in list(store.entry(uid).pods.values()):
            if key is None or not (pod.held and pod.deleting):
                continue
            if await is_terminating(cluster, key.namespace):
                with contextlib.suppress(ClusterError):  # the next one may be released
                    await actor.release(key, name=pod.name, uid=pod.uid)
