"""A kind cluster: the first choice wherever Docker runs and the node image is to be had."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster import buildenv, golang, shell
from e2e.cluster.embedded import config
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

NODE_IMAGE = os.environ.get("WAYPOST_KIND_IMAGE") or "kindest/node:v1.34.3"
DOCKER_SECONDS = 5.0
PULL_SECONDS = 60.0

# Paths inside the node, where kind's own API server configuration looks for them.
_AUDIT_FOLDER = "/var/log/kubernetes"
_POLICY = "/etc/kubernetes/waypost/audit-policy.json"


def docker_answers() -> bool:
    return shutil.which("docker") is not None and shell.succeeds(
        ["docker", "info"], timeout=DOCKER_SECONDS
    )


def node_image_is_at_hand() -> bool:
    """Whether the node image is there or can be pulled within a short time."""
    if shell.succeeds(["docker", "image", "inspect", NODE_IMAGE], timeout=DOCKER_SECONDS):
        return True
    return shell.succeeds(["docker", "pull", "--quiet", NODE_IMAGE], timeout=PULL_SECONDS)


def configuration(audit_folder: Path, policy: Path) -> str:
    """One node, with the audit log of the API server written to a folder of the host."""
    return f"""kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraMounts:
  - hostPath: {policy}
    containerPath: {_POLICY}
    readOnly: true
  - hostPath: {audit_folder}
    containerPath: {_AUDIT_FOLDER}
  kubeadmConfigPatches:
  - |
    kind: ClusterConfiguration
    apiServer:
      extraArgs:
        audit-policy-file: {_POLICY}
        audit-log-path: {_AUDIT_FOLDER}/audit.log
        audit-log-maxsize: "1024"
        audit-log-maxbackup: "2"
      extraVolumes:
      - name: audit-policy
        hostPath: {_POLICY}
        mountPath: {_POLICY}
        readOnly: true
        pathType: File
      - name: audit-log
        hostPath: {_AUDIT_FOLDER}
        mountPath: {_AUDIT_FOLDER}
        pathType: DirectoryOrCreate
"""


def build_command(
    image: str,
    dockerfile: Path,
    context: Path,
    *,
    environment: Mapping[str, str],
    parents: Mapping[str, str],
    lent: Path,
) -> list[str]:
    """`docker build` with what this machine lends to it; `lent` is a folder for its settings."""
    argv = ["docker", "build", "--network", "host", "--file", str(dockerfile), "--tag", image]
    argv += buildenv.secrets(environment, lent)
    return [*argv, *buildenv.arguments(environment, parents), str(context)]


class Kind:
    """The cluster `name` of kind; kind keeps its own state, in Docker."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._say = progress.say

    @property
    def kubeconfig(self) -> Path:
        return self._settings.kubeconfig

    @property
    def audit_log(self) -> Path | None:
        return self._settings.folder / "audit" / "audit.log"

    def up(self) -> None:
        """Reuse the cluster when its API answers, else create it again."""
        kind, folder = self._kind(), self._settings.folder
        if self._exists(kind) and self._answers():
            self._say("reusing the running kind cluster")
            return
        self.down()
        audit_folder = folder / "audit"
        audit_folder.mkdir(parents=True)
        policy = folder / "audit-policy.json"
        policy.write_text(config.audit_policy())
        path = folder / "kind.yaml"
        path.write_text(configuration(audit_folder, policy))
        self._say(f"creating a kind cluster from {NODE_IMAGE}")
        create = [kind, "create", "cluster", "--name", self._settings.name, "--wait", "120s"]
        target = [
            "--image",
            NODE_IMAGE,
            "--config",
            str(path),
            "--kubeconfig",
            str(self.kubeconfig),
        ]
        do = "look whether Docker can pull and run containers, or set CLUSTER=embedded"
        shell.logged([*create, *target], log=self._settings.logs / "kind.log", do=do)

    def down(self) -> None:
        kind = self._kind()
        if self._exists(kind):
            shell.output([kind, "delete", "cluster", "--name", self._settings.name], timeout=120)
        shutil.rmtree(self._settings.folder, ignore_errors=True)

    def build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str] | None = None
    ) -> None:
        """Build with Docker; the base image is the Dockerfile's own unless one is named."""
        base = os.environ.get("WAYPOST_BASE_IMAGE")
        argv = build_command(
            image,
            dockerfile,
            context,
            environment=os.environ | ({"BASE_IMAGE": base} if base else {}),
            parents=parents or {},
            lent=self._settings.cache / "build-settings",
        )
        log = self._settings.cache / "logs" / f"image-{dockerfile.parent.name}.log"
        # Old versions of Docker have BuildKit, which secrets need, and use it only when asked to.
        shell.logged(argv, log=log, env={**os.environ, "DOCKER_BUILDKIT": "1"})

    def has(self, image: str) -> bool:
        node = f"{self._settings.name}-control-plane"
        listed = ["docker", "exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q"]
        return image in shell.output(listed).split()

    def load(self, image: str) -> None:
        argv = [self._kind(), "load", "docker-image", image, "--name", self._settings.name]
        shell.logged(argv, log=self._settings.logs / "kind-load.log")

    def status(self) -> dict[str, str]:
        exists = self._exists(self._kind())
        return {
            "cluster": "exists" if exists else "missing",
            "api": "answers" if exists and self._answers() else "silent",
        }

    def _exists(self, kind: str) -> bool:
        return self._settings.name in shell.output([kind, "get", "clusters"]).split()

    def _answers(self) -> bool:
        """Ask inside the node, so that no kubectl is needed on the machine."""
        node = f"{self._settings.name}-control-plane"
        admin = ["--kubeconfig", "/etc/kubernetes/admin.conf"]
        ask = ["docker", "exec", node, "kubectl", *admin, "get", "--raw", "/readyz"]
        return self.kubeconfig.exists() and shell.succeeds(ask, timeout=10)

    def _kind(self) -> str:
        return shutil.which("kind") or str(
            golang.installed(self._settings, golang.KIND, self._progress)
        )
