"""What the readers of a run need of a connection: to the cluster, or to an archived run."""

from typing import Protocol

from waypost.ports.cluster import Kind, Listing, Obj


class Reader(Protocol):
    """Reads objects, as `ports.cluster.Cluster` does."""

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        """Read one object. Raises NotFound, ClusterError."""
        ...

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> Listing:
        """Read all objects that match. Raises ClusterError."""
        ...


class Source(Protocol):
    """Where the objects of a run are read; a `Session` is one."""

    @property
    def cluster(self) -> Reader:
        """The reader."""
        ...

    @property
    def namespace(self) -> str:
        """The namespace of the run."""
        ...
