"""What must exist before the first component starts, and what is handed to the user after."""

from __future__ import annotations

from pathlib import Path

from e2e.cluster import shell
from e2e.cluster.embedded import config, packages
from e2e.cluster.embedded.components import FIRST_SERVICE_ADDRESS, Places
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings

USERS = ("controller-manager", "scheduler", "kubelet", "proxy", "admin")
MACHINE_USERS = ("kubelet", "proxy")


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


def write_machine_certificates(settings: Settings, places: Places, ca: Path) -> None:
    """What a further machine's kubelet and proxy show, signed by the CA of the cluster."""
    places.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    node = config.node_name(settings)
    names = ("ca.crt", "proxy.crt", "proxy.key")
    for name in names:
        _write(places.pki / name, (ca / name).read_text())
    subject = f"/O=system:nodes/CN=system:node:{node}"
    _sign(places.pki / "kubelet", ca, subject, "extendedKeyUsage=clientAuth")
    addresses = f"subjectAltName=DNS:{node},IP:{settings.link.node}"
    _sign(places.pki / "kubelet-server", ca, subject, f"extendedKeyUsage=serverAuth\n{addresses}")


def _sign(stem: Path, ca: Path, subject: str, extensions: str) -> None:
    """STEM.key and STEM.crt, the certificate last."""
    key, request, wanted = (stem.with_suffix(suffix) for suffix in (".key", ".csr", ".ext"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    new = ["openssl", "req", "-new", *curve, "-keyout", str(key), "-out", str(request)]
    shell.output([*new, "-subj", subject])
    wanted.write_text(f"keyUsage=digitalSignature\n{extensions}\n")
    signed = ["openssl", "x509", "-req", "-days", "3650", "-in", str(request)]
    signed += ["-CA", str(ca / "ca.crt"), "-CAkey", str(ca / "ca.key"), "-CAcreateserial"]
    shell.output([*signed, "-extfile", str(wanted), "-out", str(stem.with_suffix(".crt"))])


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
    _write(cni / "10-waypost.conflist", config.cni(settings))
    toml = config.containerd(settings, cni_bin, cni, overlay=overlay)
    _write(places.conf / "containerd.toml", toml)
    _write(places.conf / "kubelet.json", config.kubelet(settings, places.pki))
    _write(places.conf / "audit-policy.json", config.audit_policy())
    for user in USERS if settings.machine == 1 else MACHINE_USERS:
        _write(places.credentials(user), config.kubeconfig(settings, places.pki, user))


def publish_kubeconfig(settings: Settings, places: Places) -> None:
    """The user's kubeconfig appears only once the cluster works."""
    _write(settings.kubeconfig, places.credentials("admin").read_text())


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
