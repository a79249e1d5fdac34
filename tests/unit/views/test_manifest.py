"""A run as YAML: what people can copy is what the run says, and nothing that programs noted."""

import pytest
import yaml
from waypost.views.run.manifest import run_manifest

from tests.cli.hostile import HOSTILE
from tests.support.builders import python
from tests.unit.views.objects import body

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def test_what_is_in_a_manifest() -> None:
    run = body(python("a"), status={"nodes": []})
    run["metadata"] |= {"labels": {"team": "a"}, "annotations": {APPLIED: "{}", "note": "x"}}
    run["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "resourceVersion": "7"}
    found = run_manifest(run)
    metadata = {"name": run["metadata"]["name"], "namespace": run["metadata"]["namespace"]}
    assert yaml.safe_load(found.manifest) == {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflow",
        "metadata": {**metadata, "labels": {"team": "a"}, "annotations": {"note": "x"}},
        "spec": run["spec"],
    }
    assert yaml.safe_load(found.status) == run["status"]


def test_only_what_kubectl_applied() -> None:
    run = body(python("a"), status={})
    run["metadata"]["annotations"] = {APPLIED: "{}"}
    assert "annotations" not in run_manifest(run).manifest


def test_programs_are_blocks() -> None:
    shared = {"source": "def run():\n    return 1\n"}
    run = body(python("a"), status={"first": shared, "second": shared})
    text = run_manifest(run).status
    assert "source: |\n    def run():" in text
    assert "&id" not in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_is_read_as_it_was(text: str) -> None:
    run = body(python("a"), status={"message": text, text: [text, {text: None}]})
    assert yaml.safe_load(run_manifest(run).status) == run["status"]
