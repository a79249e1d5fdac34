"""The images that the kubelet of one machine sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.cluster import archive, shell
from e2e.cluster.embedded import config
from e2e.cluster.embedded.builder import Builder
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

IMPORT_SECONDS = 300.0


class ImageStore:
    """containerd's images on one machine; `containers` gives the command line of its `ctr`."""

    def __init__(
        self, settings: Settings, progress: Progress, containers: Callable[..., list[str]]
    ) -> None:
        self._settings = settings
        self._builder = Builder(settings, progress)
        self._containers = containers

    def listed(self) -> list[str]:
        return shell.output(self._containers("images", "ls", "-q")).split()

    def load(self, image: str) -> None:
        """Import the archive; drop older builds of the image that have no archive any more."""
        if image not in self.listed():
            path = str(self._builder.archive(image))
            shell.output(self._containers("images", "import", path), timeout=IMPORT_SECONDS)
        older = f"{image.partition(':')[0]}:dev-"
        for old in (one for one in self.listed() if one.startswith(older)):
            if not self._builder.archive(old).exists():
                shell.succeeds(self._containers("images", "rm", old))

    def load_all(self, images: list[str]) -> None:
        """Import the newest build of each of the images that is missing.

        Most are never used where this is called: containerd unpacks them with their first pod.
        """
        newest: dict[str, Path] = {}
        for image in set(images) - set(self.listed()):
            name, path = image.rpartition(":")[0], self._builder.archive(image)
            if path.exists() and (name not in newest or _age(path) < _age(newest[name])):
                newest[name] = path
        for path in newest.values():
            argv = self._containers("images", "import", "--no-unpack", str(path))
            shell.output(argv, timeout=IMPORT_SECONDS)

    def load_pause(self, program: Path) -> None:
        """Give the runtime the image that every pod's sandbox is made of."""
        if config.PAUSE_IMAGE in self.listed():
            return
        path = self._settings.folder / "pause.tar"
        archive.write_single_program(path, config.PAUSE_IMAGE, program)
        shell.output(self._containers("images", "import", str(path)))


def _age(path: Path) -> float:
    return -path.stat().st_mtime
