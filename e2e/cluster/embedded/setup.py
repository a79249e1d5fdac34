"""What must exist before the first component starts, and what is handed to the user after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.cluster import archive, shell
from e2e.cluster.embedded import config, packages
from e2e.cluster.embedded.components import FIRST_SERVICE_ADDRESS, Places
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings

USERS = ("controller-manager", "scheduler", "kubelet", "proxy", "admin")


def is_complete(settings: Settings) -> bool:
    """The certificates are written last of what `up` cannot write again: they mark the end."""
    return (settings.folder / "pki" / "sa.key").exists()


def write_certificates(settings: Settings, places: Places) -> None:
    """Make a new CA and everything it signs; written aside and renamed."""
    staging = places.pki.with_name("pki.staging")
    staging.mkdir(mode=0o700)
    link = settings.link
    addresses = [link.node, FIRST_SERVICE_ADDRESS]
    program = str(places.binaries / "pki")
    shell.output([program, str(staging), config.node_name(settings), *addresses])
    staging.rename(places.pki)


def write_configuration(settings: Settings, places: Places) -> None:
    """Render every file of the components; they are the same for the same inputs."""
    cni_bin = packages.cni_folder()
    if cni_bin is None:
        raise ClusterError(
            "find the CNI plug-ins",
            found=f"none of {', '.join(map(str, packages.CNI_FOLDERS))} has them all",
            do="install containernetworking-plugins",
        )
    overlay = not is_overlay(settings.cache)
    cni = places.conf / "cni"
    cni.mkdir(parents=True, exist_ok=True)
    _write(cni / "10-waypost.conflist", config.cni())
    toml = config.containerd(settings, cni_bin, cni, overlay=overlay)
    _write(places.conf / "containerd.toml", toml)
    _write(places.conf / "kubelet.json", config.kubelet(settings, places.pki))
    _write(places.conf / "audit-policy.json", config.audit_policy())
    for user in USERS:
        _write(places.credentials(user), config.kubeconfig(settings, places.pki, user))


def publish_kubeconfig(settings: Settings, places: Places) -> None:
    """The user's kubeconfig appears only once the cluster works."""
    _write(settings.kubeconfig, places.credentials("admin").read_text())


def load_pause(settings: Settings, binaries: Path, containers: Callable[..., list[str]]) -> None:
    """Give the runtime the image that every pod's sandbox is made of."""
    if config.PAUSE_IMAGE in shell.output(containers("images", "ls", "-q")).split():
        return
    path = settings.folder / "pause.tar"
    archive.write_single_program(path, config.PAUSE_IMAGE, binaries / "pause")
    shell.output(containers("images", "import", str(path)))


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    temporary = path.with_name(path.name + ".tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)


def is_overlay(path: Path) -> bool:
    """Overlay mounts cannot be stacked: inside a container another snapshotter is needed."""
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return shell.output(["stat", "-f", "-c", "%T", str(existing)]).strip() == "overlayfs"
