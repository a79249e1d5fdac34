"""The cluster kubectl points at now: used only when named, never changed by `down`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster import golang, shell
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress


class Current:
    """The user's current context, copied into a separate kubeconfig."""

    audit_log: Path | None = None

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress

    @property
    def kubeconfig(self) -> Path:
        """Not that of a cluster of ours: both may be in use under one name."""
        return self._settings.folder.with_name(f"{self._settings.name}.current-kubeconfig")

    def up(self) -> None:
        """Copy the current context: switching it later must not move a running test."""
        viewed = self._kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json")
        document = json.loads(viewed)
        context = document.get("current-context", "")
        server = document["clusters"][0]["cluster"]["server"]
        self._progress.say(f"using context {context!r}, server {server}")
        self._kubectl("get", "--raw", "/readyz")
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(viewed)

    def down(self) -> None:
        """Forget the copy of the kubeconfig; the cluster is its owner's."""
        self.kubeconfig.unlink(missing_ok=True)
        self._progress.say("CLUSTER=current: the cluster itself is left as it is")

    def status(self) -> dict[str, str]:
        return {"context": self._kubectl("config", "current-context").strip()}

    def build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str] | None = None
    ) -> None:
        raise self._cannot(image)

    def has(self, image: str) -> bool:
        return False

    def load(self, image: str) -> None:
        raise self._cannot(image)

    def _kubectl(self, *arguments: str) -> str:
        return shell.output([str(golang.kubectl(self._settings, self._progress)), *arguments])

    def _cannot(self, image: str) -> ClusterError:
        name = image.rpartition("/")[2].partition(":")[0]
        variable = f"WAYPOST_{name.upper()}_IMAGE"
        wanted = os.environ.get(variable) or "unset"
        return ClusterError(
            f"load {image} into the current cluster",
            found=f"that cluster takes images from registries only; {variable} is {wanted}",
            do=f"push the image to a registry it can reach and set {variable} to it",
        )
