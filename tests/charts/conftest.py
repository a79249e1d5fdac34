"""Helm on this tree's chart. Rendered manifests are what the tests look at."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from e2e.cluster import golang, settings
from tests.support.documents import documents

CHART = Path(__file__).parents[2] / "charts" / "waypost"
KUBERNETES = "1.34.0"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Helm:
    """The helm program, always on the one chart."""

    program: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The finished command."""
        return subprocess.run(
            [str(self.program), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def template(self, *sets: str, arguments: tuple[str, ...] = ()) -> str:
        """The rendered chart as text; `sets` are name=value, as for --set."""
        done = self.try_template(*sets, arguments=arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_template(
        self, *sets: str, arguments: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """As `template`, whether it works or not."""
        chosen = [part for value in sets for part in ("--set-json", value)]
        fixed = ["template", "wp", str(CHART), "--namespace=waypost-system"]
        return self.run(*fixed, f"--kube-version={KUBERNETES}", *chosen, *arguments)

    def manifests(self, *sets: str, arguments: tuple[str, ...] = ()) -> list[Manifest]:
        """The rendered chart as objects."""
        text = self.template(*sets, arguments=arguments)
        return [found for found in documents(text) if found]


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one manifest of that kind and name."""
    found = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} {kind} {name}"
    return found[0]


@pytest.fixture(scope="session")
def tools() -> Path:
    """A folder with helm and kubeconform: the one that is named, or was built for the cluster."""
    named = os.environ.get("WAYPOST_TEST_TOOLS")
    if named:
        return Path(named)
    if (helm := shutil.which("helm")) and shutil.which("kubeconform"):
        return Path(helm).parent
    versions = f"helm-{golang.HELM}-kubeconform-{golang.KUBECONFORM}-*"
    for folder in (settings.from_environment().cache / "tools").glob(versions):
        return folder
    complaint = "no helm and kubeconform on PATH or in the cache: make cluster builds them"
    return pytest.fail(complaint) if os.environ.get("CI") else pytest.skip(complaint)


@pytest.fixture(scope="session")
def helm(tools: Path) -> Helm:
    return Helm(tools / "helm")


@pytest.fixture(scope="session")
def default(helm: Helm) -> list[Manifest]:
    """The chart with the values it comes with."""
    return helm.manifests()


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kubernetes' JSON schemas as kubeconform wants them.

    kubeconform would download them. The package kubernetes-validate carries the same, made from
    the published OpenAPI documents, but with ids of a web site; without those, references are
    looked up in the same folder.
    """
    version = KUBERNETES.rpartition(".")[0]
    package = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    folder = tmp_path_factory.mktemp("schemas")
    for source in (package / f"v{version}.0-local-strict").glob("*.json"):
        text = source.read_text(encoding="utf-8")
        schema = json.loads(text.replace('"/api/_definitions.json', '"_definitions.json'))
        schema.pop("$id", None)
        (folder / source.name).write_text(json.dumps(schema), encoding="utf-8")
    yield folder
    shutil.rmtree(folder)
