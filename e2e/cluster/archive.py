"""Write docker archives (the format of `docker save`) from a file or a folder."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_single_program(path: Path, image: str, program: Path) -> None:
    """An image of one static program that is also its entry point."""
    layer = path.with_suffix(".layer")
    with tarfile.open(layer, "w") as stream:
        entry = tarfile.TarInfo(program.name)
        entry.mode, entry.size = 0o755, program.stat().st_size
        with program.open("rb") as content:
            stream.addfile(entry, content)
    write_image(path, image, layer, {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"})
    layer.unlink()


def write_image(path: Path, image: str, layer: Path, settings: Mapping[str, object]) -> None:
    """An image of one layer; `settings` is the `config` part of the image configuration."""
    digest = _sha256(layer)
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": dict(settings),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created_by": "waypost"}],
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{digest}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [image], "Layers": [layer_name]}]
    temporary = path.with_name(path.name + ".tmp")
    with tarfile.open(temporary, "w") as stream:
        _add(stream, config_name, config)
        stream.add(layer, layer_name)
        _add(stream, "manifest.json", json.dumps(manifest).encode())
    temporary.replace(path)


def _add(stream: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    stream.addfile(entry, io.BytesIO(content))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
