"""The scripts of Argo CD over objects recorded from a cluster (e2e/suite/test_gitops.py)."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.api import meta
from waypost.api.crd.resources import RESOURCES
from waypost.api.meta import Condition

from tests.gitops import flux
from tests.gitops.lua import SCRIPTS, Obj, act, actions, health, run_script

# Data that no one keeps in Git: what the operator records, and messages that are sent.
WITHOUT_HEALTH = {"NodeRecord", "MemoryEntry", "WorkflowEvent"}
FOLDERS = sorted(path for path in SCRIPTS.iterdir())


def _tests(name: str, section: str) -> list[Any]:
    found = []
    for folder in FOLDERS:
        if (path := folder / name).exists():
            for case in yaml.safe_load(path.read_text()).get(section, ()):
                action = case.get("action", "")
                inputs = Path(case["inputPath"]).stem
                identity = "-".join(filter(None, [folder.name, action, inputs]))
                found.append(pytest.param(folder, case, id=identity))
    return found


def _load(folder: Path, name: str) -> Obj:
    found: Obj = yaml.safe_load((folder / name).read_text())
    return found


def recorded(kind: str, state: str) -> Obj:
    return _load(SCRIPTS / kind, f"testdata/{state}.yaml")


def test_each_kind_has_a_script() -> None:
    assert {path.name for path in FOLDERS} == {
        resource.name.kind for resource in RESOURCES
    } - WITHOUT_HEALTH


@pytest.mark.parametrize(("folder", "case"), _tests("health_test.yaml", "tests"))
def test_health(folder: Path, case: dict[str, Any]) -> None:
    assert health(_load(folder, case["inputPath"])) == case["healthStatus"]


@pytest.mark.parametrize(("folder", "case"), _tests("actions/action_test.yaml", "discoveryTests"))
def test_actions_that_are_offered(folder: Path, case: dict[str, Any]) -> None:
    found = actions(_load(folder, case["inputPath"]))
    assert found == {entry["name"]: not entry["disabled"] for entry in case["result"]}


@pytest.mark.parametrize(("folder", "case"), _tests("actions/action_test.yaml", "actionTests"))
def test_what_an_action_does(folder: Path, case: dict[str, Any]) -> None:
    found = act(_load(folder, case["inputPath"]), case["action"])
    assert found == _load(folder, case["expectedOutputPath"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_recorded_object_is_used(folder: Path) -> None:
    used = set()
    for name in ("health_test.yaml", "actions/action_test.yaml"):
        if (path := folder / name).exists():
            for cases in yaml.safe_load(path.read_text()).values():
                for case in cases:
                    used |= {case["inputPath"], case.get("expectedOutputPath", case["inputPath"])}
    assert {f"testdata/{path.name}" for path in folder.glob("testdata/*")} == used


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_object_that_the_operator_has_not_seen_is_not_healthy(folder: Path) -> None:
    new = {"kind": folder.name, "metadata": {"generation": 1}, "spec": {}}
    assert health(new)["status"] in {"Progressing", "Suspended"}
    assert health(new)["message"]


@pytest.mark.parametrize("state", ["succeeded", "failed", "awaiting-approval", "rejected"])
def test_conditions_of_an_older_generation_do_not_count(state: str) -> None:
    run = recorded("AgentWorkflow", state)
    run["metadata"]["generation"] += 1
    assert health(run)["status"] == "Progressing"
    assert flux.health(run) == "InProgress"


def test_a_run_that_is_set_aside_is_degraded_whatever_its_generation() -> None:
    run = recorded("AgentWorkflow", "running")
    run["metadata"]["generation"] += 1
    aside = {"type": Condition.SET_ASIDE, "status": "True", "message": "its pass fails again"}
    run["status"]["conditions"].append(aside)
    assert health(run) == {"status": "Degraded", "message": "its pass fails again"}


@pytest.mark.parametrize("kind", ["ModelProvider", "ToolServer"])
def test_a_probe_is_requested_with_the_time(kind: str) -> None:
    obj = recorded(kind, "unreachable")
    found = act(obj, "probe")["metadata"]["annotations"][meta.ANNOTATION_PROBE_AT]
    requested = datetime.strptime(found, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - requested) < timedelta(hours=1)


def test_a_child_run_has_no_actions() -> None:
    run = recorded("AgentWorkflow", "running")
    assert any(actions(run).values())
    run["spec"]["parent"] = {"suspend": False}
    assert not any(actions(run).values())


def test_a_rerun_drops_what_an_earlier_round_named_and_never_lowers_the_round() -> None:
    run = recorded("AgentWorkflow", "failed")
    run["spec"]["rerun"] = {"round": 4, "from": ["charge"], "skip": ["after"]}
    assert act(run, "rerun")["spec"]["rerun"] == {"round": 5}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_action_changes_nothing_but_its_field(folder: Path) -> None:
    for path in folder.glob("testdata/*"):
        obj = _load(folder, f"testdata/{path.name}")
        for action in actions(obj):
            found = act(obj, action)
            for part in ("spec", "metadata"):
                own = {"suspend", "cancel", "rerun", "annotations"}
                assert _without(found[part], own) == _without(obj[part], own)
            assert found.get("status") == obj.get("status")


def _without(section: Obj, fields: set[str]) -> Obj:
    return {name: value for name, value in deepcopy(section).items() if name not in fields}


def test_a_script_cannot_reach_the_machine() -> None:
    for script in ("return io.open('/etc/passwd')", "return require('os').execute('true')"):
        with pytest.raises(Exception, match="nil"):
            run_script(script, {})


FLUX = {"Healthy": "Current", "Degraded": "Failed"}


@pytest.mark.parametrize(
    ("folder", "case"),
    [c for c in _tests("health_test.yaml", "tests") if c.values[0].name in flux.expressions()],
)
def test_flux_agrees(folder: Path, case: dict[str, Any]) -> None:
    obj = _load(folder, case["inputPath"])
    if obj["kind"].startswith("AgentWorkflow") and case["healthStatus"]["message"].endswith(
        "spec.suspend is true"
    ):
        assert flux.health(obj) == "Current", "Flux has no state for what holds or starts no runs"
    else:
        assert flux.health(obj) == FLUX.get(case["healthStatus"]["status"], "InProgress")
