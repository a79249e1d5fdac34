"""`waypost cleanup`, `doctor`, `schema` and `completion`."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Api, write_kubeconfig
from tests.cli.runs import GROUP, NAMESPACE, at, run

Captured = pytest.CaptureFixture[str]
FOLDER = f"{GROUP}/namespaces/{NAMESPACE}"
RUNS = f"{FOLDER}/agentworkflows"
TRACKED = {"argocd.argoproj.io/tracking-id": "x"}


def old(name: str, *, ended: bool = True, phase: str = "Succeeded", **more: Any) -> Any:
    found = run(phase=phase, **({"finishedAt": at(1)} if ended else {}))
    found["metadata"] |= {"name": name, "uid": f"uid-{name}", "resourceVersion": f"v-{name}"}
    found["metadata"] |= more.pop("metadata", {})
    found["spec"] |= more
    return found


def test_s394_only_runs_that_ended_are_deleted(api: Api, capsys: Captured) -> None:
    api.items(
        RUNS,
        old("done"),
        old("running", ended=False),
        old("child", parent={"run": "done"}),
        old("tracked", metadata={"annotations": TRACKED}),
        old("asked", rerun={"round": 2}),
    )
    assert main(["cleanup", "--older-than", "1h", "--yes"]) == 0
    assert [path for path, _ in api.deleted] == [f"{RUNS}/done"]
    wanted = {"uid": "uid-done", "resourceVersion": "v-done"}
    assert api.deleted[0][1]["preconditions"] == wanted, "as it was found"
    shown = capsys.readouterr()
    assert "1 run deleted" in shown.out
    assert "left out, because Argo CD or Flux track them: 1" in shown.err


def test_a_run_that_has_changed_since_is_left(api: Api, capsys: Captured) -> None:
    api.items(RUNS, old("done"))
    api.put(f"DELETE {RUNS}/done", {"kind": "Status", "reason": "Conflict"}, status=409)
    assert main(["cleanup", "--older-than", "1h", "-y"]) == 0
    shown = capsys.readouterr()
    assert "0 runs deleted" in shown.out
    assert "1 have changed since" in shown.err


@pytest.mark.parametrize(
    ("argv", "count"),
    [
        pytest.param(["--older-than", "9999d"], 0, id="younger"),
        pytest.param(["--older-than", "1h", "--phase", "Failed"], 0, id="other-phase"),
        pytest.param(["--older-than", "1h", "--dry-run"], 0, id="dry-run"),
        pytest.param(["--older-than", "1h", "--phase", "Succeeded", "-y"], 1, id="this-phase"),
    ],
)
def test_what_is_deleted(api: Api, argv: list[str], count: int) -> None:
    api.items(RUNS, old("done"))
    assert main(["cleanup", *argv]) == 0
    assert len(api.deleted) == count


@pytest.mark.parametrize("age", ["0s", "", "soon"])
def test_ages(api: Api, age: str) -> None:
    assert main(["cleanup", "--older-than", age]) == Exit.USAGE


def test_nothing_is_deleted_without_confirmation(api: Api, capsys: Captured) -> None:
    api.items(RUNS, old("done"))
    assert main(["cleanup", "--older-than", "1h"]) == Exit.USAGE
    assert "use --yes to confirm" in capsys.readouterr().err
    assert api.deleted == []


def healthy(api: Api, **ready: Any) -> None:
    seen = run(observedGeneration=1)
    seen["metadata"]["generation"] = 1
    api.items(RUNS, seen)
    api.items(f"{FOLDER}/agentworkflowtemplates")
    api.items(f"{FOLDER}/approvals")
    api.items(f"{FOLDER}/toolservers")
    condition = {"type": "Ready", "status": "True", "reason": "Probed", "message": "fine", **ready}
    main_provider = {"metadata": {"name": "main"}, "status": {"conditions": [condition]}}
    api.items(f"{FOLDER}/modelproviders", main_provider)


def checks(capsys: Captured) -> dict[str, str]:
    found = json.loads(capsys.readouterr().out)["checks"]
    return {one["check"]: one["result"] for one in found}


def test_a_healthy_cluster(api: Api, capsys: Captured) -> None:
    healthy(api)
    assert main(["doctor", "-o", "json"]) == 0
    found = checks(capsys)
    assert set(found.values()) == {"ok", "warning"}
    assert found["operator"] == found["ModelProvider main"] == "ok"
    assert found["you may see runs"] == "ok"
    assert found["you may start runs"] == "warning"


def test_a_doctor_without_a_cluster_says_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    config = tmp_path / "unreachable"
    write_kubeconfig(config, server="http://127.0.0.1:1", contexts=("demo",))
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert main(["doctor"]) == Exit.CLUSTER
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith("waypost: cannot reach the cluster")


def test_what_a_doctor_finds(api: Api, capsys: Captured) -> None:
    healthy(api, status="False", reason="Unauthorized", message="401")
    unseen = run()
    unseen["metadata"]["generation"] = 2
    api.items(RUNS, unseen)
    api.answers.pop(f"{FOLDER}/toolservers")
    assert main(["doctor"]) == Exit.FAILED
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if line.startswith("failed")]
    assert [line.split()[1] for line in failed] == ["ToolServer", "operator", "ModelProvider"]
    assert "Unauthorized: 401" in failed[2]
    assert "has not looked at notes" in failed[1]


BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


def binding(*actions: str) -> Any:
    spec = {"policyName": "wp-approvals", "validationActions": [*actions]}
    return {"metadata": {"name": "wp-approvals"}, "spec": spec}


def answered(name: str, status: str) -> Any:
    identity = {"type": "IdentityVerified", "status": status, "message": "it was away"}
    return {"metadata": {"name": name}, "status": {"state": "Approved", "conditions": [identity]}}


GUARDS = [
    pytest.param([binding("Deny")], [], "ok", None, id="in-force"),
    pytest.param([binding("Audit")], [], "warning", None, id="audits"),
    pytest.param([], [answered("a", "True")], "warning", "ok", id="absent"),
    pytest.param(
        [binding("Deny")],
        [answered("a", "True"), answered("b", "False")],
        "ok",
        "warning",
        id="was",
    ),
]


@pytest.mark.parametrize(("bound", "approvals", "policy", "answers"), GUARDS)
def test_s604_the_doctor_looks_whether_answers_are_verified(
    api: Api,
    capsys: Captured,
    bound: list[Any],
    approvals: list[Any],
    policy: str,
    answers: str | None,
) -> None:
    healthy(api)
    api.items(BINDINGS, *bound)
    api.items(f"{FOLDER}/approvals", *approvals)
    main(["doctor"])
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["policy"].split()[0] == policy
    assert lines.get("answers", "None").split()[0] == str(answers)
    if answers == "warning":
        assert (
            "1 of 2 recorded answers are not verified, such as b: it was away" in lines["answers"]
        )


def test_schemas(capsys: Captured) -> None:
    assert main(["schema"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert {"AgentWorkflow", "RunView", "RerunPreview"} <= set(names)
    for name in names:
        assert main(["schema", name]) == 0
        assert json.loads(capsys.readouterr().out)["type"] == "object", name


def test_a_schema_that_does_not_exist(capsys: Captured) -> None:
    assert main(["schema", "Runs"]) == Exit.NOT_FOUND
    assert "known ones are: AgentWorkflow, " in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(capsys: Captured, shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert "_WAYPOST_COMPLETE" in capsys.readouterr().out


def test_names_are_completed(api: Api, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    api.items(RUNS, old("news-1"), old("news-2"), old("other"))
    monkeypatch.setenv("_WAYPOST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "waypost get ne")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0
    assert capsys.readouterr().out.split() == ["news-1", "news-2"]


def test_completion_is_silent_without_a_cluster(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/does/not/exist")
    monkeypatch.setenv("_WAYPOST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "waypost get ne")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0
    assert capsys.readouterr().err == ""
