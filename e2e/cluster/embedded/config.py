"""The configuration files of the components, rendered from settings: text in, text out."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from e2e.cluster.embedded.namespaces import RUNTIME_FOLDER, pod_subnet
from e2e.cluster.settings import Settings

API_PORT = 6443
PAUSE_IMAGE = "waypost.local/pause:1"
RUNTIME_SOCKET = RUNTIME_FOLDER / "containerd.sock"


def api_url(settings: Settings) -> str:
    return f"https://{settings.of_machine(1).link.node}:{API_PORT}"


def node_name(settings: Settings) -> str:
    further = "" if settings.machine == 1 else f"-{settings.machine}"
    return f"{settings.name}-node{further}"


def kubeconfig(settings: Settings, pki: Path, user: str) -> str:
    """A self-contained kubeconfig: the certificates are inside, so the file can be copied."""
    cluster = {
        "server": api_url(settings),
        "certificate-authority-data": _encoded(pki / "ca.crt"),
    }
    credentials = {
        "client-certificate-data": _encoded(pki / f"{user}.crt"),
        "client-key-data": _encoded(pki / f"{user}.key"),
    }
    name = settings.name
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": f"{name}-{user}", "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-{user}"}}],
        "current-context": name,
    }
    return json.dumps(document, indent=2) + "\n"


def audit_policy() -> str:
    """One line in the audit log for every answered request; benchmarks count writes in it."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    return json.dumps(policy, indent=2) + "\n"


def kubelet(settings: Settings, pki: Path) -> str:
    """Everything else keeps the kubelet's default, so that measurements mean something."""
    # A lease this short is renewed every 2 s: the loss of a further machine shows soon.
    further = {} if settings.machine == 1 else {"nodeLeaseDurationSeconds": 8}
    document = {
        **further,
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "healthzBindAddress": settings.link.node,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-server.key"),
        "containerRuntimeEndpoint": f"unix://{RUNTIME_SOCKET}",
        "cgroupDriver": "cgroupfs",
        # Two kubelets below one cgroup would delete each other's pods.
        "cgroupRoot": f"/{settings.id}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        # Nobody listens there: a look-up fails at once instead of after a time-out, and pods
        # are spared the event that says the cluster has no DNS.
        "clusterDNS": [settings.link.node],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        # Images cannot be pulled again here, and the disk is shared with everything else.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
    }
    return json.dumps(document, indent=2) + "\n"


def containerd(settings: Settings, cni_bin: Path, cni_conf: Path, *, overlay: bool) -> str:
    """Runtime state and socket are at containerd's defaults, on the namespace's own tmpfs."""
    root = settings.folder / "containerd"
    snapshotter = "overlayfs" if overlay else "native"
    return f"""version = 2
root = "{root}"
state = "{RUNTIME_FOLDER}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "{RUNTIME_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # A host without CAP_SYS_RESOURCE cannot lower oom_score_adj: no sandbox would start.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_bin}"
    conf_dir = "{cni_conf}"
"""


def cni(settings: Settings) -> str:
    """Routed pod links: unlike a bridge they need no br_netfilter for Services to work."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": pod_subnet(settings.machine)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    document = {
        "cniVersion": "0.4.0",
        "name": "waypost",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": ipam},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
