"""Argo CD beside a cluster, for tests: its programs as processes of this machine, without pods.

One program, built from its Go module, is controller, repo-server, server and command line by the
name under which it runs. It needs a Redis and a git server; both are processes here too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from e2e.cluster import golang, serving, shell
from e2e.cluster.errors import ClusterError
from e2e.cluster.golang import Module
from e2e.cluster.settings import REPOSITORY, Settings
from e2e.cluster.shell import Progress

MODULE = Module("github.com/argoproj/argo-cd/v3", "3.2.11", package="./cmd", program="argocd")
NAMESPACE = "argocd"
_NAMES = ("argocd-application-controller", "argocd-repo-server", "argocd-server", "argocd")
_PATIENCE = 60.0
_CRDS = ("application", "applicationset", "appproject")


@dataclass(frozen=True, slots=True)
class ArgoCD:
    """A running Argo CD. `repositories` holds bare git repositories, each at `url_of(name)`."""

    programs: Path
    repositories: Path
    git_port: int
    server_port: int
    environment: dict[str, str]

    def url_of(self, name: str) -> str:
        """Where Argo CD finds the repository `name`."""
        return f"git://127.0.0.1:{self.git_port}/{name}"

    def cli(self, *arguments: str, timeout: float = 90) -> str:
        """What the command line prints. Raises ClusterError if it fails."""
        server = f"127.0.0.1:{self.server_port}"
        argv = [str(self.programs / "argocd"), "--server", server, "--plaintext", *arguments]
        return shell.output(argv, timeout=timeout, env=self.environment)


@contextlib.contextmanager
def running(
    settings: Settings, kubeconfig: Path, tools: Path, folder: Path, progress: Progress
) -> Iterator[ArgoCD]:
    """Argo CD on this cluster while the context lasts. `tools` has kubectl and helm; logs and
    repositories are in `folder`. Its CRDs and settings stay in the cluster."""
    program = golang.built(settings, MODULE, progress)
    sources = golang.sources(settings, MODULE)
    redis = shell.output([str(REPOSITORY / "scripts" / "redis.sh")], timeout=600).strip()
    programs, repositories = folder / "programs", folder / "repositories"
    programs.mkdir(parents=True)
    repositories.mkdir()
    for name in _NAMES:
        (programs / name).symlink_to(program)
    (programs / "redis-server").symlink_to(redis)
    _apply(kubeconfig, tools, sources)
    ports = _Ports(*serving.free_ports(len(_Ports._fields)))
    environment = _environment(kubeconfig, tools, programs, folder)
    with contextlib.ExitStack() as stack:
        daemon = ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1"]
        daemon += [f"--base-path={repositories}", f"--port={ports.git}"]
        log = folder / "git.log"
        stack.enter_context(serving.served(daemon, log=log, env=environment, port=ports.git))
        for name, port, arguments in _commands(ports):
            argv = [str(programs / name), *arguments]
            log = folder / f"{name}.log"
            stack.enter_context(serving.served(argv, log=log, env=environment, port=port))
        yield ArgoCD(programs, repositories, ports.git, ports.server, environment)


class _Ports(NamedTuple):
    git: int
    redis: int
    repo: int
    server: int
    repo_metrics: int
    controller_metrics: int
    server_metrics: int


def _commands(ports: _Ports) -> list[tuple[str, int | None, list[str]]]:
    """Name, port to wait for, and arguments of each program, in the order of their start."""
    redis = ["--redis", f"127.0.0.1:{ports.redis}"]
    both = [*redis, "--repo-server", f"127.0.0.1:{ports.repo}"]
    local = ["--address", "127.0.0.1", "--port"]
    repo = [*redis, *local, str(ports.repo), "--metrics-port", str(ports.repo_metrics)]
    controller = [*both, "--namespace", NAMESPACE, "--metrics-port", str(ports.controller_metrics)]
    server = [*both, *local, str(ports.server), "--metrics-port", str(ports.server_metrics)]
    stored = ["--bind", "127.0.0.1", "--port", str(ports.redis), "--save", ""]
    return [
        ("redis-server", ports.redis, stored),
        ("argocd-repo-server", ports.repo, repo),
        ("argocd-application-controller", None, controller),  # it serves only metrics
        ("argocd-server", ports.server, [*server, "--insecure", "--disable-auth"]),
    ]


def _apply(kubeconfig: Path, tools: Path, sources: Path) -> None:
    """The CRDs and the settings of Argo CD, and a project that may do everything."""
    kubectl = [str(tools / "kubectl"), f"--kubeconfig={kubeconfig}"]
    project = (
        f"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: default, "
        f"namespace: {NAMESPACE}}}\nspec:\n  sourceRepos: ['*']\n  destinations: "
        "[{namespace: '*', server: '*'}]\n  clusterResourceWhitelist: [{group: '*', kind: '*'}]\n"
    )
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"
    crds = [f"--filename={sources}/manifests/crds/{kind}-crd.yaml" for kind in _CRDS]
    config = shell.output([*kubectl, "kustomize", f"{sources}/manifests/base/config"])
    _pipe([*kubectl, "apply", "-f", "-"], namespace)
    shell.output([*kubectl, "apply", "--server-side", "--force-conflicts", *crds])
    # A CRD without any condition yet is an error of `kubectl wait`.
    served = [*kubectl, "wait", "--for=condition=Established", "--timeout=30s", *crds]
    until = time.monotonic() + _PATIENCE
    while not shell.succeeds(served) and time.monotonic() < until:
        time.sleep(0.5)
    _pipe([*kubectl, "apply", "-n", NAMESPACE, "-f", "-"], config)
    _pipe([*kubectl, "apply", "-f", "-"], project)


def _pipe(argv: list[str], text: str) -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise ClusterError("set up Argo CD", found=done.stderr, do="read the message")


def _environment(kubeconfig: Path, tools: Path, programs: Path, folder: Path) -> dict[str, str]:
    """The kubeconfig whose context has the namespace of Argo CD, and another home."""
    own = folder / "kubeconfig"
    shutil.copy(kubeconfig, own)
    kubectl = [str(tools / "kubectl"), f"--kubeconfig={own}"]
    shell.output([*kubectl, "config", "set-context", "--current", f"--namespace={NAMESPACE}"])
    return {
        **os.environ,
        "PATH": f"{programs}:{tools}:{os.environ['PATH']}",
        "KUBECONFIG": str(own),
        "HOME": str(folder),
        "ARGOCD_FAKE_IN_CLUSTER": "true",  # its own cluster is that of KUBECONFIG
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_RECONCILIATION_TIMEOUT": "10s",
    }
