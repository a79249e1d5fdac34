"""The CRDs in the chart are the ones of crds/, and stay when the chart goes."""

import pytest

from tests.charts.conftest import CHART, Helm, Manifest
from tests.support.documents import document

pytestmark = pytest.mark.chart

CRDS = CHART.parents[1] / "crds"
KEEP = {"helm.sh/resource-policy": "keep"}


def crds(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The CRDs among the manifests, by name."""
    found = [m for m in manifests if m["kind"] == "CustomResourceDefinition"]
    return {m["metadata"]["name"]: m for m in found}


def test_chart_carries_a_copy() -> None:
    ours = {path.name: path.read_text(encoding="utf-8") for path in CRDS.glob("*.yaml")}
    copies = CHART / "files" / "crds"
    theirs = {path.name: path.read_text(encoding="utf-8") for path in copies.glob("*.yaml")}
    assert ours == theirs, "they differ: run `make crds`"
    assert ours


def test_rendered_crds_are_the_files(default: list[Manifest]) -> None:
    files = [document(path.read_text(encoding="utf-8")) for path in CRDS.glob("*.yaml")]
    rendered = crds(default)
    assert rendered.keys() == {file["metadata"]["name"] for file in files}
    assert files
    for file in files:
        assert rendered[file["metadata"]["name"]]["spec"] == file["spec"]


def test_crds_stay_on_uninstall_unless_told_otherwise(helm: Helm, default: list[Manifest]) -> None:
    for crd in crds(default).values():
        assert crd["metadata"]["annotations"] == KEEP
    for crd in crds(helm.manifests("crds.keep=false")).values():
        assert "annotations" not in crd["metadata"]


def test_crds_can_be_left_out(helm: Helm) -> None:
    assert crds(helm.manifests("crds.enabled=false")) == {}
