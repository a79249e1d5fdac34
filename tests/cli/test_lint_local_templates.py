"""Local templates are refused for the same reasons as templates, in the same words (S342)."""

from typing import Any

import pytest
from waypost.cli.lint.linter import server_violations
from waypost.compiler.admission.structure import UNKNOWN
from waypost.compiler.definition import define

from tests.crds.accepted import ACCEPTED
from tests.crds.manifests import Manifest
from tests.crds.refused import STRICT
from tests.support.builders import spec
from tests.support.children import calls_local


def is_of_nodes(row: Any) -> bool:
    """Whether a row is about the nodes of a run, and about nothing else."""
    manifest = row.values[0]
    if manifest["kind"] != "AgentWorkflow" or set(manifest["spec"] or ()) != {"nodes"}:
        return False
    nodes = manifest["spec"]["nodes"]
    few = isinstance(nodes, list) and 0 < len(nodes) <= 50
    return few and all(isinstance(one, dict) for one in nodes)


def with_local(nodes: Any) -> Manifest:
    """A spec with a local template of these nodes."""
    return spec(calls_local("call", "part"), templates=[{"name": "part", "nodes": nodes}])


REFUSED = [row for row in STRICT if is_of_nodes(row)]
GOOD = [row for row in ACCEPTED if is_of_nodes(row)]


@pytest.mark.parametrize(("manifest", "says"), REFUSED)
def test_s342_a_refusal_of_the_api_server(manifest: Manifest, says: Any) -> None:
    expected = server_violations(manifest)
    worded = {one.path for one in expected if not one.is_structural}
    shown = [one for one in expected if not one.is_structural or one.path not in worded]
    found = define(with_local(manifest["spec"]["nodes"])).problems
    assert [(one.field, one.message) for one in found] == [
        (f"templates.part.{one.path.removeprefix('spec.')}", _reported(one, found, at))
        for at, one in enumerate(shown)
    ][:10]


def _reported(violation: Any, found: Any, at: int) -> str:
    """The message; that of an unknown field names the page about the kind."""
    if violation.cause == UNKNOWN and len(found) > at:
        start = violation.message.partition(" (see ")[0].replace("spec.", "")
        return str(found[at].message) if found[at].message.startswith(start) else start
    return str(violation.message)


@pytest.mark.parametrize(
    "raw", [pytest.param(row.values[0]["spec"]["nodes"], id=row.id) for row in GOOD]
)
def test_s342_what_the_api_server_accepts_is_not_refused_for_its_structure(raw: Any) -> None:
    nodes = {str(one) for one in define(with_local(raw)).problems}
    alone = {f"templates.part.{one}" for one in define({"nodes": raw}).problems}
    assert nodes <= alone


def test_there_are_rows() -> None:
    assert len(REFUSED) > 60, len(REFUSED)
