"""Objects from the schemas of all CRDs, as the command line and the operator meet them: nothing
crashes, and whatever is refused is named (S783)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waypost.api import meta
from waypost.cli.lint.linter import lint
from waypost.cli.lint.manifests import documents
from waypost.compiler.definition import define

from tests.fuzz.crds import BY_KIND, NAME, VALUES, manifests
from tests.fuzz.extent import extent
from tests.support.play import Play

KINDS = pytest.mark.parametrize("kind", sorted(BY_KIND))
GRAPHS = pytest.mark.parametrize("kind", ["AgentWorkflow", "AgentWorkflowTemplate"])


@KINDS
@extent
@given(data=st.data())
def test_lint_names_object_and_field(kind: str, data: st.DataObject) -> None:
    manifest = data.draw(manifests(kind))
    _lint(kind, manifest)


def _lint(kind: str, manifest: dict[str, Any]) -> None:
    [document] = documents(json.dumps(manifest))
    for finding in lint("fuzzed.yaml", document):
        assert (finding.kind, finding.name) == (kind, NAME)
        assert finding.message.strip()
        assert finding.field or _has_no_name(finding.message, manifest), finding
        assert finding.place.line >= 1


def _has_no_name(message: str, manifest: dict[str, Any]) -> bool:
    """Whether the trouble is with the object itself, or with a field whose name is empty."""
    return not isinstance(manifest.get("spec"), dict) or 'unknown field ""' in message


@GRAPHS
@extent
@given(data=st.data())
def test_the_compiler_refuses_and_never_raises(kind: str, data: st.DataObject) -> None:
    manifest = data.draw(manifests(kind))
    definition = define(manifest.get("spec"), any_inputs=kind != "AgentWorkflow")
    for problem in definition.problems:
        assert problem.message.strip()
        assert problem.field or _has_no_name(problem.message, manifest), problem


@extent
@given(spec=VALUES)
def test_any_value_in_place_of_a_spec(spec: Any) -> None:
    assert define(spec).problems


@extent
@given(manifest=manifests("AgentWorkflow"))
def test_the_operator_accepts_or_refuses_a_run(manifest: dict[str, Any]) -> None:
    """A pass with no other objects: the run waits, has a Job, or has failed with a reason."""
    assert manifest["kind"] == meta.AGENT_WORKFLOW.kind
    spec: Any = manifest.get("spec")
    play = Play(spec)
    play.step()
    status = play.status
    assert status is not None
