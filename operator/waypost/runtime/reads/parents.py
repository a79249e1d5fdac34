"""Live reads across the edges of a tree of runs: of a parent by its child, and of child runs."""

from waypost.api import meta
from waypost.api.status import AgentWorkflowStatus
from waypost.kube.facts import children
from waypost.kube.facts.children import ParentFact
from waypost.kube.objects import section, text
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj
from waypost.runtime.cache.runs import Key, RunCache


class Parents:
    """Reads for one operator process."""

    def __init__(self, *, cluster: Cluster, store: RunCache) -> None:
        self._cluster = cluster
        self._store = store

    async def of(self, key: Key, body: Obj, status: AgentWorkflowStatus) -> ParentFact | None:
        """The parent of a run; None if the run is no child.

        It is read live if the run has not begun or is being deleted, or if the cache does not show
        a parent that is active.

        Args:
            key: The run.
            body: Its body.
            status: Its status.

        Raises:
            ClusterError: The run has not begun or is being deleted, and the parent cannot be read.
        """
        if not children.is_child(body):
            return None
        block, uid = section(body, "spec", "parent"), children.parent_uid(body)
        name = text(block, "run")
        if not uid:
            return ParentFact(name, ours=False)
        begun = bool(status.nodes) and not section(body, "metadata").get("deletionTimestamp")
        if begun and self._is_known(uid):
            return ParentFact(name, ours=True)
        try:
            parent = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=key.namespace, name=name
            )
        except NotFound:
            return ParentFact(name, ours=True, gone=True, expects=False)
        except (ClusterError, TimeoutError):
            if begun:  # nothing of what it does depends on the parent
                return ParentFact(name, ours=True)
            raise
        metadata = section(parent, "metadata")
        gone = text(metadata, "uid") != uid or bool(metadata.get("deletionTimestamp"))
        waits = children.expects(parent, path=text(block, "path"), name=key.name, uid=key.uid)
        return ParentFact(name, ours=True, gone=gone, expects=waits and not gone)

    async def look_at_children(self, key: Key) -> None:
        """Read the child runs of a run into the cache, so that one that is not there does not
        exist. Raises ClusterError."""
        labels = f"{meta.LABEL_PARENT}={key.uid}"
        listing = await self._cluster.list(
            Kind.AGENT_WORKFLOW, namespace=key.namespace, labels=labels
        )
        for body in listing.items:
            self._store.put_run(body)
        found = {text(section(body, "metadata"), "uid") for body in listing.items}
        for fact in list(self._store.entry(key.uid).children.values()):
            if fact.uid not in found:
                self._store.drop_run(fact.uid)

    def _is_known(self, uid: str) -> bool:
        """Whether the cache has the run, and it is not being deleted."""
        known = self._store.key_of(uid)
        body = self._store.run_body(known) if known is not None else None
        return body is not None and not section(body, "metadata").get("deletionTimestamp")
