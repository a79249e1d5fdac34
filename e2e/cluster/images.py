"""Waypost's images: one a folder of `node-images/` that has a Dockerfile, tagged by content.

The build sees a copy of exactly the files that are hashed, so what is not in the tag cannot
change the image.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

from e2e.cluster import lock
from e2e.cluster.embedded.builder import Builder
from e2e.cluster.providers import Provider
from e2e.cluster.settings import REPOSITORY, Settings
from e2e.cluster.shell import Progress

# For a Dockerfile that copies more than can be read off it.
ALL_INPUTS = ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "operator", "node-images")
DOCKERFILES = "node-images/*/Dockerfile"


def provide(
    provider: Provider,
    settings: Settings,
    progress: Progress,
    *,
    root: Path = REPOSITORY,
    only: Collection[str] = (),
) -> dict[str, str]:
    """Build what changed, load what the node lacks; returns image references by name. `only`: these
    and no others, which must stand on none that is left out.

    An image named in WAYPOST_<NAME>_IMAGE is taken as it is: neither built nor loaded.
    """
    found = {path.parent.name: path for path in root.glob(DOCKERFILES)}
    dockerfiles = {name: path for name, path in found.items() if not only or name in only}
    parents = {name: parents_of(path.read_text()) for name, path in sorted(dockerfiles.items())}
    chosen: dict[str, str] = {}
    for name in TopologicalSorter(parents).static_order():
        dockerfile = dockerfiles[name]
        given = os.environ.get(f"WAYPOST_{_variable(name)}")
        inputs = (*copied(dockerfile.read_text()), str(dockerfile.relative_to(root)))
        files = input_files(root, inputs)
        arguments = {_variable(parent): chosen[parent] for parent in parents[name]}
        digest = content_hash(root, files, arguments.values())
        chosen[name] = given or f"waypost.local/{name}:dev-{digest}"
        if given or provider.has(chosen[name]):
            continue
        with lock.hold(settings.cache / "context.lock", wait=1800, waiting=progress.say):
            context = stage(root, files, settings.cache / "context")
            staged = context / dockerfile.relative_to(root)
            provider.build(chosen[name], staged, context, arguments)
        progress.say(f"loading {chosen[name]}")
        provider.load(chosen[name])
    return chosen


def provide_base(provider: Provider, settings: Settings, progress: Progress) -> str:
    """The bare Python image that the others stand on, for tests that need just any pod."""
    builder = Builder(settings, progress)
    if not provider.has(builder.base):
        builder.build_base()
        progress.say(f"loading {builder.base}")
        provider.load(builder.base)
    return builder.base


def parents_of(dockerfile: str) -> tuple[str, ...]:
    """Names of our images that a Dockerfile stands on: `ARG RUNNER_IMAGE`, without a default."""
    found = re.findall(r"^ARG ([A-Z_]+)_IMAGE$", dockerfile, flags=re.MULTILINE)
    return tuple(name.lower().replace("_", "-") for name in found)


def _variable(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_IMAGE"


def copied(dockerfile: str) -> tuple[str, ...]:
    """What a Dockerfile takes from its context; all inputs when it leaves that open.

    Reading too little off it is harmless: the build sees no more, and fails by name.
    """
    found: list[str] = []
    for line in re.sub(r"\\\n", " ", dockerfile).splitlines():
        instruction, *words = line.split() or [""]
        if instruction.upper() not in ("COPY", "ADD"):
            continue
        if any(word.startswith("--from=") for word in words):
            continue
        sources = [word.removeprefix("./") for word in words if not word.startswith("--")][:-1]
        if not sources or any(
            re.search(r"[$*?\[<]", source) or source == "." for source in sources
        ):
            return ALL_INPUTS
        found += sources
    return tuple(dict.fromkeys(found))


def input_files(root: Path, inputs: Sequence[str] = ALL_INPUTS) -> list[Path]:
    """Files of the inputs, relative to root: tracked by git, or new and not ignored."""
    listing = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    try:
        done = subprocess.run(
            [*listing, "--exclude-standard", "--", *inputs], capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        # A source archive is no git repository: everything in it is an input.
        return sorted(path.relative_to(root) for path in _walk(root, inputs))
    names = {name.decode() for name in done.stdout.split(b"\0") if name}
    return sorted(Path(name) for name in names if (root / name).is_file())


def content_hash(root: Path, files: Iterable[Path], parents: Iterable[str] = ()) -> str:
    """Twelve digits of the names, executable bits and contents of the files, and of the images
    that they are put on."""
    digest = hashlib.sha256("".join(f"{parent}\0" for parent in parents).encode())
    for path in files:
        content = (root / path).read_bytes()
        executable = os.access(root / path, os.X_OK)
        digest.update(f"{path.as_posix()}\0{executable:d}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def stage(root: Path, files: Iterable[Path], folder: Path) -> Path:
    """Copy the files into an empty folder, modification times kept for the layer cache."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, target)
    return folder


def _walk(root: Path, inputs: Sequence[str]) -> Iterable[Path]:
    for name in inputs:
        start = root / name
        if start.is_file():
            yield start
        yield from (
            path for path in start.rglob("*") if path.is_file() and "__pycache__" not in path.parts
        )
