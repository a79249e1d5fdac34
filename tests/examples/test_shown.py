"""What users are shown is what Waypost takes."""

import re
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from waypost.api.provider import ModelProviderSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.compiler.definition import define
from waypost.compiler.templates import define_template
from waypost.sources.status import read

from tests.examples.conftest import EXAMPLES, ROOT, Shown, documents, shown
from tests.support.kubectl import Kubectl

README = ROOT / "README.md"
# A schedule starts the runs of the first, and the last has two; both have their own tests.
WITHOUT_A_RUN = {"nightly-report", "providers", "support-memory"}
MODELS: dict[str, type[BaseModel]] = {
    "ModelProvider": ModelProviderSpec,
    "ToolServer": ToolServerSpec,
}


@pytest.mark.parametrize("example", shown())
def test_operator_accepts_it(example: Shown) -> None:
    if example.manifest["kind"] == "AgentWorkflow":
        definition = define(example.manifest["spec"])
        assert [str(problem) for problem in definition.problems] == []
    elif example.manifest["kind"] == "AgentWorkflowTemplate":
        definition = define_template(example.manifest["spec"])
        assert [str(problem) for problem in definition.problems] == []
    elif example.manifest["kind"] == "EventSource":
        assert read(example.manifest["spec"])[1] == ()
    elif model := MODELS.get(example.manifest["kind"]):
        model.model_validate(example.manifest["spec"])


FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.name not in WITHOUT_A_RUN)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_example_is_a_workflow_named_after_its_folder(folder: str) -> None:
    text = (EXAMPLES / folder / "workflow.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["metadata"]["name"] == folder


def test_readme_shows_the_hello_example() -> None:
    hello = (EXAMPLES / "hello" / "workflow.yaml").read_text(encoding="utf-8")
    assert f"```yaml\n{hello}```" in README.read_text(encoding="utf-8")
    assert len(hello.splitlines()) <= 20


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (path.parent / target).exists(), target


@pytest.mark.real_api
@pytest.mark.parametrize("example", shown())
def test_api_server_accepts_it(example: Shown, kube_context: Kubectl) -> None:
    arguments = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
    metadata = {key: of for key, of in example.manifest["metadata"].items() if key != "namespace"}
    done = kube_context.run(*arguments, stdin={**example.manifest, "metadata": metadata})
    assert done.returncode == 0, done.stderr
