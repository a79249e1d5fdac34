"""Every choice of one run, read from the environment once, and the paths derived from it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from e2e.cluster.errors import ClusterError

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_NAME = "waypost"
PROVIDERS = ("kind", "embedded", "current")
COMPONENT_KNOBS = {
    "kube-apiserver": "WAYPOST_APISERVER_FLAGS",
    "kube-controller-manager": "WAYPOST_KCM_FLAGS",
    "kube-scheduler": "WAYPOST_SCHEDULER_FLAGS",
    "kubelet": "WAYPOST_KUBELET_FLAGS",
}

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """One cluster: its name, where its files live, and what the user asked for."""

    name: str
    cache: Path
    provider: str | None
    extra_flags: Mapping[str, tuple[str, ...]]
    machine: int = 1

    def of_machine(self, number: int) -> Settings:
        """The same cluster, seen from another machine of it; 1 has the control plane."""
        return replace(self, machine=number)

    @property
    def machines(self) -> Path:
        """A folder for each further machine; only there while there are any."""
        return self.cache / "clusters" / self.name / "machines"

    @property
    def folder(self) -> Path:
        """Everything of this machine, and for the first of the whole cluster; `down` removes it."""
        first = self.cache / "clusters" / self.name
        return first if self.machine == 1 else self.machines / str(self.machine)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def lock(self) -> Path:
        """Beside the folder, so that removing the folder never removes a held lock."""
        return self.cache / "clusters" / f"{self.name}.lock"

    @property
    def id(self) -> str:
        """Short, unique to name, cache and machine: names interfaces, namespace and cgroup."""
        further = "" if self.machine == 1 else f"\0{self.machine}"
        return "wp-" + _digest(f"{self.name}\0{self.cache}{further}")[:8]

    @property
    def build_runtime(self) -> Path:
        """Volatile state of image builds; of the cache, which all its clusters share."""
        return Path("/run") / f"waypost-build-{_digest(str(self.cache))[:8]}"

    @property
    def link(self) -> Link:
        return Link.of(self.id)


@dataclass(frozen=True, slots=True)
class Link:
    """The /30 network between the host and the node; the only addresses that can collide."""

    host: str
    node: str

    @staticmethod
    def of(identity: str) -> Link:
        """Derive one of 16,384 subnets of 10.213.0.0/16, always the same for one identity."""
        subnet = int(_digest(identity)[:8], 16) % (256 * 64)
        prefix, base = f"10.213.{subnet // 64}", subnet % 64 * 4
        return Link(host=f"{prefix}.{base + 1}", node=f"{prefix}.{base + 2}")


def read_settings(environment: Mapping[str, str], *, provider: str | None = None) -> Settings:
    """Read WAYPOST_CLUSTER, WAYPOST_CACHE, CLUSTER and the flag knobs; an argument wins."""
    chosen = provider or environment.get("CLUSTER") or None
    if chosen is not None and chosen not in PROVIDERS:
        raise ClusterError(
            "choose a cluster provider",
            found=f"CLUSTER={chosen}",
            do=f"set CLUSTER to one of {', '.join(PROVIDERS)}, or unset it to have one chosen",
        )
    name = environment.get("WAYPOST_CLUSTER") or DEFAULT_NAME
    if not _NAME.fullmatch(name):
        raise ClusterError(
            "use the cluster name",
            found=f"WAYPOST_CLUSTER={name}",
            do="choose at most 30 lower-case letters, digits and dashes, beginning with a letter",
        )
    flags = {
        component: tuple(environment.get(knob, "").split())
        for component, knob in COMPONENT_KNOBS.items()
    }
    return Settings(name=name, cache=_cache(environment), provider=chosen, extra_flags=flags)


def from_environment(*, provider: str | None = None) -> Settings:
    """Settings of this process."""
    return read_settings(os.environ, provider=provider)


def _cache(environment: Mapping[str, str]) -> Path:
    own = environment.get("WAYPOST_CACHE")
    if own:
        return Path(own).expanduser().resolve()
    shared = environment.get("XDG_CACHE_HOME")
    base = Path(shared).expanduser() if shared else Path.home() / ".cache"
    return (base / "waypost").resolve()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
