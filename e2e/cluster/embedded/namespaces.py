"""The network and mount namespace of a machine of the cluster.

Everything the node does to interfaces, iptables and mounts happens in there, so that it cannot
disturb the host or another cluster, and is gone with the namespaces however it ended. The first
machine is linked to the host, each further one to the first: the host need not forward anything.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from e2e.cluster import shell
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings

POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
CGROUPS = Path("/sys/fs/cgroup")


def pod_subnet(machine: int) -> str:
    """The part of the pod network that a machine gives its pods addresses from."""
    return f"10.244.{(machine - 1) * 16}.0/20"


# Paths that components have built in: each gets a folder of the cluster mounted over it.
PRIVATE_FOLDERS = {
    "kubelet": Path("/var/lib/kubelet"),
    "cni": Path("/var/lib/cni"),
    "pod-logs": Path("/var/log/pods"),
    "container-logs": Path("/var/log/containers"),
}
RUNTIME_FOLDER = Path("/run/containerd")


class Namespaces:
    """Makes, checks, enters and removes the namespaces of one machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._network = Path("/run/netns") / settings.id
        self._holder = settings.folder / "ns"
        self._mounts = self._holder / "mnt"
        self._made = settings.folder / "made-folders"
        self._complete = settings.folder / "namespaces-complete"
        self._first = settings.of_machine(1)
        # Where the other end of the link is.
        self._outside = ["ip"] if settings.machine == 1 else ["ip", "-n", self._first.id]

    def enter(self, *argv: str) -> list[str]:
        """The command line that runs `argv` inside; nsenter execs it, so its pid is kept."""
        nsenter = shell.which("nsenter") or "nsenter"
        return [nsenter, f"--net={self._network}", f"--mount={self._mounts}", "--", *argv]

    def intact(self) -> bool:
        """All of it is there: false after a reboot, and after a creation or removal cut short."""
        mounted = _is_mounted(self._network) and _is_mounted(self._mounts)
        if not (mounted and self._complete.exists()):
            return False
        shown = self.enter("ip", "-o", "-4", "address", "show", "dev", "eth0")
        return shell.succeeds([*shown]) and self._settings.link.node in shell.output(shown)

    def create(self) -> None:
        """Make both from nothing; remnants must have been removed before."""
        self._create_cgroups()
        self._create_network()
        self._create_mounts()
        self._complete.touch()

    def contains(self, process: Path) -> bool:
        """Whether the process of a /proc folder lives in here: a component, a shim, or a pod.

        Pods have their own namespaces but stay below the cluster's cgroup.
        """
        if f"/{self._settings.id}/" in (process / "cgroup").read_text():
            return True
        try:
            ours = self._mounts.stat()
        except OSError:
            return False
        theirs = (process / "ns" / "mnt").stat()
        return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)

    def remove(self) -> None:
        """Remove whatever of it exists; the processes inside must be gone."""
        self._complete.unlink(missing_ok=True)
        for mounted in (self._mounts, self._holder):
            while _is_mounted(mounted) and shell.succeeds(["umount", "--lazy", str(mounted)]):
                pass
        shutil.rmtree(self._holder, ignore_errors=True)
        shell.succeeds([*self._outside, "link", "delete", self._settings.id])
        if self._settings.machine > 1:
            shell.succeeds(["ip", "route", "delete", f"{self._settings.link.node}/32"])
        if self._network.exists():
            shell.succeeds(["ip", "netns", "delete", self._settings.id])
        self._remove_cgroups()
        self._remove_made_folders()

    def _create_network(self) -> None:
        name, link, outside = self._settings.id, self._settings.link, self._outside
        if f"inet {link.host}/" in shell.output([*outside, "-4", "address"]):
            raise ClusterError(
                f"use the address {link.host} for the link to the node",
                found="another interface of this machine has it already",
                do="choose another cluster name with WAYPOST_CLUSTER",
            )
        shell.output(["ip", "netns", "add", name])
        peer = ["type", "veth", "peer", "name", "eth0", "netns", name]
        shell.output([*outside, "link", "add", name, *peer])
        shell.output([*outside, "address", "add", f"{link.host}/30", "dev", name])
        shell.output([*outside, "link", "set", name, "up"])
        inside = ["ip", "-n", name]
        shell.output([*inside, "address", "add", f"{link.node}/30", "dev", "eth0"])
        shell.output([*inside, "link", "set", "lo", "up"])
        shell.output([*inside, "link", "set", "eth0", "up"])
        shell.output([*inside, "route", "add", "default", "via", link.host])
        within = ["ip", "netns", "exec", name]
        shell.output([*within, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        if self._settings.machine > 1:
            self._route_from_outside()
            return
        # The host has no route to pods: what they send it must come from the node's address.
        rule = ["-t", "nat", "-A", "POSTROUTING", "-s", POD_NETWORK, "-o", "eth0"]
        shell.output([*within, "iptables", "-w", *rule, "-j", "MASQUERADE"])

    def set_link(self, state: str) -> None:
        """`up` or `down`: a machine whose link is down runs on, and nobody can reach it."""
        shell.output([*self._outside, "link", "set", self._settings.id, state])
        if state == "up":
            self._route_from_outside()  # routes go with the link

    def _route_from_outside(self) -> None:
        """The first machine reaches the pods of this one, the host its health endpoints."""
        node, first = self._settings.link.node, self._first.link.node
        pods = pod_subnet(self._settings.machine)
        shell.output([*self._outside, "route", "replace", pods, "via", node])
        shell.output(["ip", "route", "replace", f"{node}/32", "via", first])

    def _create_mounts(self) -> None:
        self._holder.mkdir(parents=True, exist_ok=True)
        self._mounts.touch()
        # A mount namespace can only be kept on a mount that does not propagate.
        shell.output(["mount", "--bind", str(self._holder), str(self._holder)])
        shell.output(["mount", "--make-private", str(self._holder)])
        script = ["set -e", "mount --make-rshared /"]
        script += [f"mount -t tmpfs -o mode=711 waypost {self._mountpoint(RUNTIME_FOLDER)}"]
        for name, target in PRIVATE_FOLDERS.items():
            source = self._settings.folder / name
            source.mkdir(parents=True, exist_ok=True)
            script += [f"mount --bind '{source}' {self._mountpoint(target)}"]
        unshare = ["unshare", f"--mount={self._mounts}", "--propagation", "private"]
        shell.output([*unshare, "sh", "-c", "\n".join(script)])

    def _mountpoint(self, target: Path) -> Path:
        """Make sure the folder exists, and remember it when it is ours to remove."""
        if not target.exists():
            with self._made.open("a") as remembered:
                remembered.write(f"{target}\n")
            target.mkdir(parents=True)
        return target

    def _remove_made_folders(self) -> None:
        # Removing a folder takes away what another namespace has mounted on it.
        others = set(self._network.parent.glob("wp-*")) - {self._network}
        if others or not self._made.exists():
            return
        for line in self._made.read_text().splitlines():
            with contextlib.suppress(OSError):  # In use by somebody else by now: not ours.
                Path(line).rmdir()

    def _create_cgroups(self) -> None:
        for root in _cgroup_roots():
            (root / self._settings.id).mkdir(exist_ok=True)

    def _remove_cgroups(self) -> None:
        for root in _cgroup_roots():
            for folder, _, _ in os.walk(root / self._settings.id, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()


def _cgroup_roots() -> list[Path]:
    """Every hierarchy: one on cgroup v2, one a controller on v1, both kinds on a hybrid."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in sorted(CGROUPS.iterdir()) if path.is_dir() and path.is_mount()]


def _is_mounted(path: Path) -> bool:
    """Unlike `Path.is_mount`, also true of a file another file is mounted on."""
    text = Path("/proc/self/mountinfo").read_text()
    return any(line.split()[4] == str(path) for line in text.splitlines())
