"""`uv tool install '.[cli]'`, as the first page says: this tree in a fresh environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from waypost import __version__

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.nightly  # downloads what the cache does not have


def uv() -> str:
    cache = Path(os.environ.get("WAYPOST_CACHE") or Path.home() / ".cache/waypost")
    return shutil.which("uv") or str(cache / "uv/bin/uv")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs that were installed."""
    folder = tmp_path_factory.mktemp("tools")
    environment = {
        **os.environ,
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
    }
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        [uv(), "tool", "install", ".[cli]"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def types(program: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *argv],
        env={"PATH": f"{program.parent}:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.parametrize("name", ["waypost", "kubectl-waypost"])
def test_what_is_installed(programs: Path, name: str) -> None:
    shown = types(programs / name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Durable AI-agent workflows on Kubernetes" in shown.stdout
    assert types(programs / name, "version").stdout == f"{__version__}\n"


def test_it_works_without_the_tree(programs: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "hello.yaml"
    shutil.copy(ROOT / "examples/hello/workflow.yaml", manifest)
    linted = types(programs / "waypost", "lint", str(manifest), HOME=str(tmp_path))
    assert linted.returncode == 0, linted.stdout + linted.stderr
    refused = types(programs / "waypost", "list", HOME=str(tmp_path))
    assert refused.returncode == 2, "there is no kubeconfig"


def test_kubectl_finds_it(programs: Path) -> None:
    kubectl = os.environ.get("WAYPOST_TEST_KUBECTL") or shutil.which("kubectl")
    if kubectl is None:
        pytest.fail("kubectl is not there; name it in WAYPOST_TEST_KUBECTL", pytrace=False)
    shown = types(Path(kubectl), "waypost", "version", PATH=f"{programs}:/usr/bin:/bin")
    assert (shown.returncode, shown.stdout) == (0, f"{__version__}\n"), shown.stderr
