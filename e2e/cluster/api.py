"""What the end-to-end suites import: a cluster that is up, and everything to use it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import chart, golang, images, lock, providers
from e2e.cluster.providers import Provider
from e2e.cluster.settings import Settings, from_environment
from e2e.cluster.shell import Progress

LOCK_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A healthy cluster. `audit_log` is none where the API server is not ours."""

    name: str
    provider: str
    kubeconfig: Path
    tools_dir: Path
    audit_log: Path | None
    images: Mapping[str, str]

    @property
    def chart_values(self) -> dict[str, str]:
        """What Waypost's chart is installed with here."""
        return chart.values(self.provider, self.images)


def ensure_up(*, provider: str | None = None, quiet: bool = False) -> Cluster:
    """Bring the cluster up with Waypost's images and the tools; seconds when all is there."""
    settings, progress = from_environment(provider=provider), Progress(quiet=quiet)
    chosen, cluster = bring_up(settings, progress)
    loaded = load_images(chosen, cluster, settings, progress)
    return Cluster(
        name=settings.name,
        provider=chosen,
        kubeconfig=cluster.kubeconfig,
        tools_dir=golang.tools(settings, progress),
        audit_log=cluster.audit_log,
        images=loaded,
    )


def bring_up(settings: Settings, progress: Progress) -> tuple[str, Provider]:
    """Choose the provider and bring its cluster up; two runs at once take turns."""
    with locked(settings, progress):
        chosen = providers.choose(settings)
        cluster = providers.PROVIDERS[chosen](settings, progress)
        # Remembered before the work: a run cut short must be cleaned up by the right one.
        providers.remember(settings, chosen)
        cluster.up()
    return chosen, cluster


def load_images(
    chosen: str, cluster: Provider, settings: Settings, progress: Progress
) -> dict[str, str]:
    """Waypost's images and, where we make it, the base image.

    Not under the cluster's lock: builds have their own, and others may use the cluster meanwhile.
    """
    loaded = images.provide(cluster, settings, progress)
    if chosen == "embedded":
        loaded["base"] = images.provide_base(cluster, settings, progress)
    return loaded


def locked(settings: Settings, progress: Progress) -> AbstractContextManager[None]:
    return lock.hold(settings.lock, wait=LOCK_SECONDS, waiting=progress.say)
