"""What users are shown is what Waypost takes."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from waypost.engine.definition import define

from tests.examples.conftest import EXAMPLES, ROOT, Shown, documents, shown

README = ROOT / "README.md"


@pytest.mark.parametrize("example", shown())
def test_operator_accepts_it(example: Shown) -> None:
    if example.manifest["kind"] == "AgentWorkflow":
        definition = define(example.manifest["spec"])
        assert [str(problem) for problem in definition.problems] == []


@pytest.mark.parametrize("folder", sorted(path.name for path in EXAMPLES.iterdir()))
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
def test_api_server_accepts_it(example: Shown, namespace: str) -> None:
    manifest = json.dumps(example.manifest)
    done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-",
                   namespace=namespace, stdin=manifest)  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """Where the dry runs go: new, so that no name is taken; this tree's CRDs are in place."""
    crds = ROOT / "crds"
    name = f"waypost-examples-{uuid.uuid4().hex[:8]}"
    for arguments in (
        ("apply", "--server-side", "--force-conflicts", "-f", str(crds)),
        ("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crds)),
        ("create", "namespace", name),
    ):
        done = kubectl(*arguments)
        assert done.returncode == 0, done.stderr
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def kubectl(
    *arguments: str, namespace: str = "default", stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished command, on the tests' cluster and on no other."""
    kubeconfig = os.environ.get("WAYPOST_TEST_KUBECONFIG")
    if not kubeconfig:
        pytest.fail("WAYPOST_TEST_KUBECONFIG is not set: use `make e2e`, or -m 'not real_api'")
    program = os.environ.get("WAYPOST_TEST_KUBECTL", "kubectl")
    return subprocess.run(
        [program, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
