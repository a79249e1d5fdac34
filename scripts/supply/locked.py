"""The packages of each image, from uv.lock and ui/package-lock.json."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = "3.13"  # of the images
# What markers ask about, in our images. Both architectures have the same packages.
_ENVIRONMENT: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}


@dataclass(frozen=True, order=True)
class Package:
    """A package of an image: `ecosystem` is pypi or npm, `digests` the SHA-256 (pypi) or SHA-512
    (npm) of its files, `licence` what the lock file says of it (npm)."""

    ecosystem: str
    name: str
    version: str
    digests: tuple[str, ...] = ()
    licence: str = ""


def images() -> list[str]:
    """The names of our images."""
    return sorted(path.parent.name for path in (ROOT / "node-images").glob("*/Dockerfile"))


def packages(image: str) -> list[Package]:
    """What an image contains of others, without its base image, sorted."""
    dockerfile = (ROOT / "node-images" / image / "Dockerfile").read_text(encoding="utf-8")
    found = {one for extra in _extras(dockerfile) for one in _closure("waypost", extra)}
    if " AS ui\n" in dockerfile:
        found |= set(_interface())
    for parent in re.findall(r"^ARG ([A-Z]+)_IMAGE$", dockerfile, re.MULTILINE):
        found |= set(packages(parent.lower()))
    return sorted(found)


def every_package() -> list[Package]:
    """What any image contains, sorted."""
    return sorted({one for image in images() for one in packages(image)})


def _extras(dockerfile: str) -> list[str]:
    return re.findall(r"--extra (\w+)", dockerfile)


def _closure(name: str, extra: str) -> Iterator[Package]:
    """The locked packages that `name[extra]` needs on our platform."""
    seen: set[tuple[str, str]] = set()
    waiting: list[tuple[dict[str, Any], str]] = [(_locked({"name": name}), extra)]
    while waiting:
        locked, wanted = waiting.pop()
        if (locked["name"], wanted) in seen:
            continue
        seen.add((locked["name"], wanted))
        needed = list(locked.get("dependencies", ()))
        needed += locked.get("optional-dependencies", {}).get(wanted, ())
        for one in filter(_applies, needed):
            waiting += [(_locked(one), part) for part in ("", *one.get("extra", ()))]
        if locked["name"] != name:
            yield _package(locked)


def _applies(dependency: dict[str, Any]) -> bool:
    marker = dependency.get("marker")
    return marker is None or Marker(marker).evaluate(dict(_ENVIRONMENT))


def _locked(dependency: dict[str, Any]) -> dict[str, Any]:
    """The entry of the lock file that a dependency means; it names a version if there are two."""
    [found] = [
        entry
        for entry in _entries()
        if entry["name"] == dependency["name"]
        and dependency.get("version", entry["version"]) == entry["version"]
    ]
    return found


def _package(locked: dict[str, Any]) -> Package:
    files = [*locked.get("wheels", ()), *([locked["sdist"]] if "sdist" in locked else [])]
    digests = sorted(file["hash"].removeprefix("sha256:") for file in files)
    return Package("pypi", locked["name"], locked["version"], tuple(digests))


@cache
def _entries() -> list[dict[str, Any]]:
    document = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["package"]
    return found


def _interface() -> Iterator[Package]:
    """What the built pages contain: what the front-end needs at run time."""
    document = json.loads((ROOT / "ui/package-lock.json").read_text(encoding="utf-8"))
    for path, package in document["packages"].items():
        if path and not package.get("dev"):
            name = path.rpartition("node_modules/")[2]
            digests = (package["integrity"].removeprefix("sha512-"),)
            yield Package("npm", name, package["version"], digests, package.get("license", ""))
