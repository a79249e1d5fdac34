"""`waypost run`: what is created, and how the command waits."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE, at
from tests.support.builders import python

Captured = pytest.CaptureFixture[str]
RUNS = f"{GROUP}/namespaces/{NAMESPACE}/agentworkflows"
TEMPLATES = f"{GROUP}/namespaces/{NAMESPACE}/agentworkflowtemplates"


def manifest(folder: Path, *documents: Any) -> str:
    path = folder / "run.yaml"
    given = documents or (
        {"kind": "AgentWorkflow", "metadata": {"name": "r"}, "spec": {"nodes": [python("a")]}},
    )
    path.write_text(yaml.safe_dump_all(given))
    return str(path)


def test_a_manifest(api: Api, capsys: Captured, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("hello: world")
    argv = ["run", manifest(tmp_path), "-i", "n=3", "-i", "s=three", "-i", f"f=@{notes}"]
    assert main([*argv, "-o", "name"]) == 0
    assert capsys.readouterr().out == "agentworkflow.waypost.dev/r\n"
    path, body = api.created[0]
    assert path == RUNS
    assert body["apiVersion"] == "waypost.dev/v1alpha1"
    assert body["spec"]["inputs"] == {"n": 3, "s": "three", "f": "hello: world"}
    assert body["spec"]["requestedBy"] == "ann", "so that ann cannot approve it"


def test_a_template(api: Api, capsys: Captured) -> None:
    api.put(f"{TEMPLATES}/brief", {"metadata": {"name": "brief"}})
    assert main(["run", "brief", "--input", "topic=news"]) == 0
    assert "brief-x7 is created in namespace here" in capsys.readouterr().out
    body = api.created[0][1]
    assert body["metadata"] == {"generateName": "brief-"}
    assert body["spec"]["templateRef"] == {"name": "brief"}


def test_a_template_that_was_mistyped(api: Api, capsys: Captured) -> None:
    api.items(TEMPLATES, {"metadata": {"name": "brief"}})
    assert main(["run", "breif"]) == Exit.NOT_FOUND
    expected = "no file and no AgentWorkflowTemplate 'breif' in here; templates are: brief"
    assert expected in capsys.readouterr().err
    assert api.created == []


def test_other_objects_of_the_file_are_named(api: Api, capsys: Captured, tmp_path: Path) -> None:
    run = {"kind": "AgentWorkflow", "metadata": {"name": "r"}, "spec": {}}
    source = manifest(tmp_path, {"kind": "ModelProvider", "metadata": {"name": "main"}}, run)
    assert main(["run", source]) == 0
    assert "not created: ModelProvider main" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        pytest.param(["gone.yaml"], "gone.yaml: there is no such file", id="no-file"),
        pytest.param(["FILE", "-i", "x"], "--input 'x': expected KEY=VALUE", id="input"),
        pytest.param(["FILE", "-i", "x=@gone"], "--input x: ", id="input-file"),
        pytest.param(["FILE", "--timeout", "5m"], "only used with --wait", id="timeout"),
        pytest.param(["FILE", "-w", "--timeout", "5 min"], "is no duration", id="duration"),
        pytest.param(["TWO"], "expected one AgentWorkflow, found 2", id="two-runs"),
    ],
)
def test_wrong_arguments(
    api: Api, capsys: Captured, tmp_path: Path, argv: list[str], printed: str
) -> None:
    run = {"kind": "AgentWorkflow", "metadata": {"name": "r"}}
    known = {"FILE": lambda: manifest(tmp_path), "TWO": lambda: manifest(tmp_path, run, run)}
    assert main(["run", *(known[one]() if one in known else one for one in argv)]) == Exit.USAGE
    assert printed in capsys.readouterr().err
    assert api.created == []


def test_a_name_that_is_taken(api: Api, capsys: Captured, tmp_path: Path) -> None:
    taken = {"kind": "Status", "reason": "AlreadyExists", "message": "exists"}
    api.put(f"POST {RUNS}", taken, status=409)
    assert main(["run", manifest(tmp_path)]) == Exit.FAILED
    assert "run r exists; choose another one with --name" in capsys.readouterr().err


def test_what_the_api_server_refuses(api: Api, capsys: Captured, tmp_path: Path) -> None:
    api.put(f"POST {RUNS}", {"kind": "Status", "message": 'unknown field "spec.x"'}, status=422)
    assert main(["run", manifest(tmp_path)]) == Exit.FAILED
    assert 'unknown field "spec.x"' in capsys.readouterr().err


def state(phase: str, node: str, *, finished: bool) -> dict[str, Any]:
    status = {"phase": phase, "nodes": [{"path": "a", "phase": node}], "observedGeneration": 1}
    ended = {"finishedAt": at(9), "startedAt": at(0)} if finished else {}
    metadata = {"name": "r", "namespace": NAMESPACE, "uid": "u", "generation": 1}
    return {"metadata": metadata, "spec": {"nodes": [python("a")]}, "status": {**status, **ended}}


@pytest.mark.parametrize(
    ("end", "code"), [("Succeeded", 0), ("Failed", Exit.FAILED), ("Cancelled", Exit.FAILED)]
)
def test_s393_the_exit_code_is_that_of_the_run(
    api: Api,
    capsys: Captured,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    code: int,
) -> None:
    api.put(f"{RUNS}/r", state("Running", "Running", finished=False))
    api.items(f"{GROUP}/namespaces/{NAMESPACE}/approvals")
    api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")

    async def pause(seconds: float) -> None:
        api.put(f"{RUNS}/r", state(end, end, finished=True))

    monkeypatch.setattr("waypost.cli.report.following.asyncio.sleep", pause)
    assert main(["run", manifest(tmp_path), "--wait"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["r  a  Running", f"r  a  {end}"]
    assert lines[2].startswith(f"r  {end}")


def test_s393_a_run_that_does_not_end_in_time(
    api: Api, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(f"{RUNS}/r", state("Running", "Running", finished=False))
    api.items(f"{GROUP}/namespaces/{NAMESPACE}/approvals")
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr("waypost.cli.report.following.monotonic", lambda: float(next(clock)))
    argv = ["run", manifest(tmp_path), "--wait", "--timeout", "1m"]
    assert main(argv) == Exit.TIMEOUT
    assert "r has not ended within 60 s; it continues" in capsys.readouterr().err
