"""Which programs make the node, with which arguments, and how each is known to be ready."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.embedded import config
from e2e.cluster.embedded.namespaces import POD_NETWORK, SERVICE_NETWORK
from e2e.cluster.settings import Settings

FIRST_SERVICE_ADDRESS = "10.96.0.1"
ISSUER = "https://kubernetes.default.svc"
# More than twice the 10 s after which the first machine's kubelet renews its lease.
LOST_AFTER = "24s"


@dataclass(frozen=True, slots=True)
class Component:
    """One process; `health` is a URL that answers 200 when it is ready, or none to ask for."""

    name: str
    argv: tuple[str, ...]
    files: tuple[Path, ...] = ()
    health: str | None = None

    @property
    def digest(self) -> str:
        """Of everything it was started with: a change means it must be restarted."""
        digest = hashlib.sha256("\0".join(self.argv).encode())
        for path in self.files:
            digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Places:
    """Where the inputs of the components are."""

    binaries: Path
    pki: Path
    conf: Path
    policies: Path

    def credentials(self, user: str) -> Path:
        return self.conf / f"{user}.kubeconfig"


def components(settings: Settings, places: Places, containerd: str) -> Sequence[Component]:
    """Of the first machine, in the order in which they are started; stopping goes the other way."""
    return (
        _etcd(settings, places),
        _apiserver(settings, places),
        _containerd(places, containerd),
        _controller_manager(settings, places),
        _scheduler(settings, places),
        _kubelet(settings, places),
        _proxy(settings, places),
        _policies(settings, places),
    )


def machine_components(settings: Settings, places: Places, containerd: str) -> Sequence[Component]:
    """Of a further machine: what runs pods, and nothing of the control plane."""
    return (
        _containerd(places, containerd),
        _kubelet(settings, places),
        _proxy(settings, places),
        _policies(settings, places),
    )


def _etcd(settings: Settings, places: Places) -> Component:
    address = settings.link.node
    argv = (
        str(places.binaries / "etcd"),
        "--name=waypost",
        f"--data-dir={settings.folder / 'etcd'}",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=waypost=http://127.0.0.1:2380",
        f"--listen-metrics-urls=http://{address}:2381",
        "--auto-compaction-retention=1",
        "--quota-backend-bytes=4294967296",
        # A throw-away cluster: losing the last writes in a power cut is fine.
        "--unsafe-no-fsync",
    )
    return Component("etcd", argv, health=f"http://{address}:2381/health")


def _apiserver(settings: Settings, places: Places) -> Component:
    pki, policy = places.pki, places.conf / "audit-policy.json"
    argv = (
        str(places.binaries / "kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={settings.link.node}",
        f"--secure-port={config.API_PORT}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        # Stable and on by default from 1.36 on: policies that fill in names are tested here too.
        "--feature-gates=MutatingAdmissionPolicy=true",
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={settings.audit_log}",
        "--audit-log-maxsize=1024",
        "--audit-log-maxbackup=2",
        *settings.extra_flags["kube-apiserver"],
    )
    return Component("kube-apiserver", argv, (policy,), f"{config.api_url(settings)}/readyz")


def _containerd(places: Places, program: str) -> Component:
    path = places.conf / "containerd.toml"
    cni = places.conf / "cni" / "10-waypost.conflist"
    return Component("containerd", (program, "--config", str(path)), (path, cni))


def _controller_manager(settings: Settings, places: Places) -> Component:
    address, credentials = settings.link.node, places.credentials("controller-manager")
    argv = (
        str(places.binaries / "kube-controller-manager"),
        *_control_plane(credentials, address),
        f"--cluster-cidr={POD_NETWORK}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={places.pki / 'sa.key'}",
        f"--root-ca-file={places.pki / 'ca.crt'}",
        # With one machine nobody waits for the loss of another: Kubernetes' own default holds.
        *([f"--node-monitor-grace-period={LOST_AFTER}"] if settings.machines.exists() else []),
        *settings.extra_flags["kube-controller-manager"],
    )
    health = f"https://{address}:10257/healthz"
    return Component("kube-controller-manager", argv, (credentials,), health)


def _scheduler(settings: Settings, places: Places) -> Component:
    address, credentials = settings.link.node, places.credentials("scheduler")
    argv = (
        str(places.binaries / "kube-scheduler"),
        *_control_plane(credentials, address),
        *settings.extra_flags["kube-scheduler"],
    )
    return Component("kube-scheduler", argv, (credentials,), f"https://{address}:10259/healthz")


def _control_plane(credentials: Path, address: str) -> tuple[str, ...]:
    return (
        f"--kubeconfig={credentials}",
        f"--authentication-kubeconfig={credentials}",
        f"--authorization-kubeconfig={credentials}",
        f"--bind-address={address}",
        # There is one of each: an election would only delay the start.
        "--leader-elect=false",
    )


def _kubelet(settings: Settings, places: Places) -> Component:
    path, credentials = places.conf / "kubelet.json", places.credentials("kubelet")
    argv = (
        str(places.binaries / "kubelet"),
        f"--config={path}",
        f"--kubeconfig={credentials}",
        f"--hostname-override={config.node_name(settings)}",
        f"--node-ip={settings.link.node}",
        *settings.extra_flags["kubelet"],
    )
    health = f"http://{settings.link.node}:10248/healthz"
    return Component("kubelet", argv, (path, credentials), health)


def _proxy(settings: Settings, places: Places) -> Component:
    credentials = places.credentials("proxy")
    argv = (
        str(places.binaries / "kube-proxy"),
        f"--kubeconfig={credentials}",
        f"--hostname-override={config.node_name(settings)}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={POD_NETWORK}",
        f"--healthz-bind-address={settings.link.node}:10256",
        # Connection tracking is the machine's, not the node's: leave its limits alone.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
    )
    health = f"http://{settings.link.node}:10256/livez"
    return Component("kube-proxy", argv, (credentials,), health)


def _policies(settings: Settings, places: Places) -> Component:
    """Enforces NetworkPolicies. Like the network plug-ins of many clusters, it takes up to a second
    from the start of a pod until the rules of the pod hold."""
    credentials = settings.of_machine(1).folder / "conf" / "admin.kubeconfig"
    health = f"{settings.link.node}:10260"
    argv = (
        str(places.policies),
        f"--kubeconfig={credentials}",
        f"--node={config.node_name(settings)}",
        f"--pods={POD_NETWORK}",
        f"--health={health}",
    )
    return Component("policies", argv, (credentials,), f"http://{health}/")
