"""Which kind of cluster is used, and the one interface they all have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from e2e.cluster import kind
from e2e.cluster.current import Current
from e2e.cluster.embedded.provider import Embedded
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress


class Provider(Protocol):
    """A cluster that can be brought up and given images; calls are made under its lock."""

    @property
    def kubeconfig(self) -> Path: ...

    @property
    def audit_log(self) -> Path | None:
        """One JSON line a request, or none where the API server is not ours to configure."""

    def up(self) -> None:
        """Return with a healthy cluster, reused when it is there."""

    def down(self) -> None:
        """Remove everything `up` made."""

    def status(self) -> dict[str, str]: ...

    def build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str] | None = None
    ) -> None:
        """Build the image unless that has been done; `parents` are the images it stands on, by
        build argument."""

    def has(self, image: str) -> bool:
        """Whether the node has the image."""

    def load(self, image: str) -> None:
        """Give a built image to the node."""


PROVIDERS: dict[str, Callable[[Settings, Progress], Provider]] = {
    "kind": kind.Kind,
    "embedded": Embedded,
    "current": Current,
}
MANAGED = ("kind", "embedded")


def choose(
    settings: Settings,
    *,
    docker: Callable[[], bool] = kind.docker_answers,
    image: Callable[[], bool] = kind.node_image_is_at_hand,
) -> str:
    """What was asked for; else what the cluster already is; else kind where it can work."""
    existing = remembered(settings)
    if settings.provider is None:
        return existing or ("kind" if docker() and image() else "embedded")
    if settings.provider == "current":
        return settings.provider
    if existing not in (None, settings.provider):
        raise ClusterError(
            f"use the provider {settings.provider} for the cluster {settings.name!r}",
            found=f"it is up already, as {existing}",
            do="run `python -m e2e.cluster down` first, or choose another name "
            "with WAYPOST_CLUSTER",
        )
    if settings.provider == "kind" and not docker():
        raise ClusterError(
            "use kind",
            found="no Docker daemon answers",
            do="start Docker, or set CLUSTER=embedded (Linux, root)",
        )
    return settings.provider


def remembered(settings: Settings) -> str | None:
    """The provider of the last `up` that no `down` followed."""
    path = _memory(settings)
    name = path.read_text().strip() if path.exists() else None
    return name if name in MANAGED else None


def remember(settings: Settings, provider: str) -> None:
    """Keep in mind who must clean up; the user's own cluster is used only when named."""
    if provider in MANAGED:
        path = _memory(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(provider + "\n")


def forget(settings: Settings, provider: str) -> None:
    if provider in MANAGED:
        _memory(settings).unlink(missing_ok=True)


def _memory(settings: Settings) -> Path:
    """Beside the cluster's folder, which a replacement removes and makes again."""
    return settings.folder.with_name(f"{settings.name}.provider")
