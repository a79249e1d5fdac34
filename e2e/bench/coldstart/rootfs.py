"""Images as folders, in which their entry points can be started."""

import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from e2e.cluster import images
from e2e.cluster.embedded.builder import Builder
from e2e.cluster.embedded.provider import Embedded
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

USER = 65532  # of all our images


@dataclass(frozen=True)
class Image:
    """An image, unpacked below `root`. `own_bytes`: the layers on top of the base image."""

    root: Path
    argv: Sequence[str]
    environment: Mapping[str, str]
    whole_bytes: int
    own_bytes: int

    def start(self, argv: Sequence[str] | None = None, **variables: str) -> Popen[bytes]:
        """Start the entry point, or `argv`, as the user of the image and with its environment."""
        inside = ["chroot", f"--userspec={USER}:{USER}", str(self.root), *(argv or self.argv)]
        return Popen(inside, env={**self.environment, **variables})


class _Archives(Embedded):
    """Builds images, and gives them to no machine."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        super().__init__(settings, progress)
        self._archives = Builder(settings, progress)

    def has(self, image: str) -> bool:
        return self._archives.archive(image).exists()

    def load(self, image: str) -> None:
        """Nothing: an archive is all that is needed."""


def of_this_tree(settings: Settings, only: Sequence[str]) -> dict[str, Path]:
    """The archives of the images by name, built where they are missing."""
    progress = Progress()
    chosen = images.provide(_Archives(settings, progress), settings, progress, only=only)
    return {name: Builder(settings, progress).archive(image) for name, image in chosen.items()}


def unpacked(archive: Path, root: Path) -> Image:
    """Unpack the archive of an image (`docker save`) below `root`."""
    root.mkdir(parents=True)
    with tarfile.open(archive) as stream:
        [manifest] = json.loads(_member(stream, "manifest.json"))
        config: dict[str, Any] = json.loads(_member(stream, manifest["Config"]))["config"]
        sizes = [stream.getmember(layer).size for layer in manifest["Layers"]]
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=stream.extractfile(layer)) as files:
                files.extractall(root, filter="fully_trusted")
    (root / "tmp").chmod(0o1777)
    environment = dict(one.split("=", 1) for one in config["Env"])
    return Image(root, config["Entrypoint"], environment, sum(sizes), sum(sizes[1:]))


def _member(stream: tarfile.TarFile, name: str) -> bytes:
    found = stream.extractfile(name)
    assert found is not None, name
    return found.read()
