"""The system programs the embedded node stands on, installed with apt where that is possible."""

from __future__ import annotations

import os
from pathlib import Path

from e2e.cluster import shell
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
CNI_PLUGINS = ("ptp", "host-local", "portmap", "loopback")

# Program -> Debian package.
NODE_PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "ethtool": "ethtool",
    "socat": "socat",
    "nsenter": "util-linux",
    "mount": "mount",
}
MACHINE_PROGRAMS = {"openssl": "openssl"}
IMAGE_PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap", "tar": "tar"}


def require_root() -> None:
    """The embedded node makes namespaces, mounts and cgroups: only root may."""
    if os.geteuid() != 0:
        raise ClusterError(
            "start the embedded cluster",
            found=f"user id {os.geteuid()}",
            do="run as root, or set CLUSTER=kind (needs Docker), "
            "or CLUSTER=current to use the cluster kubectl points at",
        )


def ensure(settings: Settings, progress: Progress, programs: dict[str, str]) -> None:
    """Install the packages of whatever program is missing."""
    missing = sorted({package for name, package in programs.items() if not shell.which(name)})
    if programs is NODE_PROGRAMS and cni_folder() is None:
        missing.append("containernetworking-plugins")
    if not missing:
        return
    apt = shell.which("apt-get")
    if apt is None:
        raise ClusterError(
            "install what the embedded cluster needs",
            found=f"no apt-get, and nothing provides: {', '.join(missing)}",
            do="install those with this system's package manager, or set CLUSTER=kind",
        )
    progress.say(f"installing {' '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    logs = settings.cache / "logs"
    install = [apt, "install", "-y", "-qq", "--no-install-recommends", *missing]
    do = f"run `apt-get update && apt-get install {' '.join(missing)}` by hand and look why"
    with progress.step(f"system packages: {' '.join(missing)}"):
        # One broken third-party source fails an update that brought everything needed.
        shell.succeeds([apt, "update", "-qq"], timeout=300)
        shell.logged(install, log=logs / "apt.log", env=env, do=do)


def cni_folder() -> Path | None:
    """The first folder that has every CNI plug-in in use."""
    for folder in CNI_FOLDERS:
        if all((folder / plugin).exists() for plugin in CNI_PLUGINS):
            return folder
    return None
