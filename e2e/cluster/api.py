"""What the end-to-end suites import: a cluster that is up, and everything to use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import chart, golang, images, lock, providers
from e2e.cluster.providers import Provider
from e2e.cluster.settings import REPOSITORY, Settings, from_environment
from e2e.cluster.shell import Progress

LOCK_SECONDS = 1800.0
HELM_COMMAND = [sys.executable, "-m", "e2e.cluster", "tools", "--without-kubeconform"]


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


def ensure_up(
    *, provider: str | None = None, quiet: bool = False, progress: Progress | None = None
) -> Cluster:
    """Bring the cluster up with Waypost's images, kubectl and helm; seconds when all is there.
    `progress` has the long steps afterwards."""
    settings, progress = from_environment(provider=provider), progress or Progress(quiet=quiet)
    chosen, cluster = bring_up(settings, progress)
    with helm_meanwhile(settings, progress):
        loaded = load_images(chosen, cluster, settings, progress)
    return Cluster(
        name=settings.name,
        provider=chosen,
        kubeconfig=cluster.kubeconfig,
        tools_dir=golang.tools(settings, progress, golang.HELM_ALONE),
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
        with progress.step("cluster, with what was built for it"):
            cluster.up()
    return chosen, cluster


@contextmanager
def helm_meanwhile(settings: Settings, progress: Progress) -> Iterator[None]:
    """Compile helm, unless it is there, in a process beside this one while the block runs."""
    [helm] = golang.HELM_ALONE
    if golang.is_installed(settings, helm):
        yield
        return
    log = settings.cache / "logs" / "helm-meanwhile.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    progress.say(f"building helm {helm.version} from source meanwhile")
    with log.open("w") as output, progress.step(f"helm {helm.version}, compiled beside the images"):
        child = subprocess.Popen(HELM_COMMAND, cwd=REPOSITORY, stdout=output, stderr=output)
        try:
            yield
            # Its failure is not the end: what is missing is built again, and then tells why not.
            child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()


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
