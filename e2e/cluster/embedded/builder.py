"""Build images without a Docker daemon or a registry: debootstrap for the base, buildah on top.

An archive in the cache whose name carries the image's tag is the mark of a finished build.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from e2e.cluster import archive, buildenv, files, lock, shell
from e2e.cluster.embedded import packages, setup
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

SUITE = "bookworm"
INCLUDED = ("python3", "ca-certificates")
KEPT_ARCHIVES = 6
_BUILD_WAIT = 1800.0
_UNNEEDED = (
    "var/cache/apt/archives",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)
_IMAGE_SETTINGS = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
    "Cmd": ["python3"],
}


class Builder:
    """Builds below the cache; one build at a time on one machine."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._folder = settings.cache / "images"

    @property
    def base(self) -> str:
        """The base image; its tag changes with the recipe."""
        recipe = repr((SUITE, INCLUDED, _UNNEEDED, _IMAGE_SETTINGS))
        return f"waypost.local/base:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"

    def archive(self, image: str) -> Path:
        """Where the finished build of an image is."""
        return self._folder / (image.rpartition("/")[2].replace(":", "-") + ".tar")

    def build_base(self) -> None:
        """Make the base image's archive unless it is there."""
        packages.require_root()
        packages.ensure(self._settings, self._progress, packages.IMAGE_PROGRAMS)
        with self._locked():
            if not self.archive(self.base).exists():
                self._progress.say(f"building {self.base} from Debian {SUITE} (~1 min, once)")
                with self._progress.step("base image"):
                    self._bootstrap()

    def build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str]
    ) -> None:
        """Build the Dockerfile into the image's archive unless it is there; `parents` are images
        built before, by build argument."""
        self.build_base()
        with self._locked():
            if self.archive(image).exists():
                return
            self._progress.say(f"building {image}")
            with self._progress.step(f"image {dockerfile.parent.name}"):
                for needed in (self.base, *parents.values()):
                    self._have(needed)
                self._build(image, dockerfile, context, parents)
            self._prune(image)

    def _have(self, image: str) -> None:
        """Put a built image into the store unless it is there."""
        if not shell.succeeds([*self._buildah(), "inspect", "--type", "image", image]):
            pulled = f"docker-archive:{self.archive(image)}"
            shell.output([*self._buildah(), "pull", pulled], timeout=300)

    def _build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str]
    ) -> None:
        name = dockerfile.parent.name
        lent = buildenv.mounts(os.environ, self._settings.cache / "build-settings")
        given = buildenv.arguments(os.environ | {"BASE_IMAGE": self.base}, parents)
        argv = [*self._buildah(), "bud", "--layers", "--isolation", "chroot", "--network", "host"]
        argv += ["--pull-never", *lent, *given, "--file", str(dockerfile), "--tag", image]
        shell.logged([*argv, str(context)], log=self._settings.cache / "logs" / f"image-{name}.log")
        path = self.archive(image)
        temporary = path.with_name(path.name + ".tmp")
        temporary.unlink(missing_ok=True)
        push = ["push", image, f"docker-archive:{temporary}:{image}"]
        shell.output([*self._buildah(), *push], timeout=300)
        temporary.rename(path)

    def _bootstrap(self) -> None:
        log = self._settings.cache / "logs" / "debootstrap.log"
        with files.staging(self._folder / "base") as staging:
            root, layer = staging / "root", staging / "layer.tar"
            # In a separate mount namespace: an interrupted run leaves no /proc mounted behind.
            argv = ["unshare", "--mount", "debootstrap", "--variant=minbase"]
            shell.logged([*argv, f"--include={','.join(INCLUDED)}", SUITE, str(root)], log=log)
            for unneeded in _UNNEEDED:
                shutil.rmtree(root / unneeded)
                (root / unneeded).mkdir()
            (root / "var/cache/apt/archives/partial").mkdir()
            (root / "var/lib/apt/lists/partial").mkdir()
            tar = ["tar", "--create", "--file", str(layer), "--numeric-owner", "--sort=name"]
            shell.output([*tar, "--directory", str(root), "."], timeout=300)
            archive.write_image(self.archive(self.base), self.base, layer, _IMAGE_SETTINGS)

    def _buildah(self) -> list[str]:
        """Storage of our own: the user's images stay theirs, and `down --purge` removes ours."""
        store = self._settings.cache / "buildah"
        driver = "vfs" if setup.is_overlay(self._settings.cache) else "overlay"
        runtime = str(self._settings.build_runtime)
        # Mounts of a build that was killed vanish with its mount namespace.
        return [
            *("unshare", "--mount", shell.which("buildah") or "buildah"),
            *("--root", str(store), "--runroot", runtime, "--storage-driver", driver),
        ]

    def _prune(self, image: str) -> None:
        """Keep the newest archives of an image; older ones are built again when wanted."""
        kind = self.archive(image).name.partition("-")[0]
        found = sorted(self._folder.glob(f"{kind}-*.tar"), key=lambda path: path.stat().st_mtime)
        for path in found[:-KEPT_ARCHIVES]:
            path.unlink()

    def _locked(self) -> AbstractContextManager[None]:
        path = self._settings.cache / "image-builds.lock"  # programs are compiled meanwhile
        return lock.hold(path, wait=_BUILD_WAIT, waiting=self._progress.say)
