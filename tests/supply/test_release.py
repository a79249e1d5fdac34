"""The workflow of a release (S707): what it may do, that nothing that it uses can change, and that
it signs digests. The script runs with programs that only note how they are called."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / ".github/workflows/release.yml"
TEXT: Final = FILE.read_text(encoding="utf-8")
WORKFLOW: Final[dict[Any, Any]] = yaml.safe_load(TEXT)
JOBS: Final[dict[str, Any]] = WORKFLOW["jobs"]
STEPS: Final = [step for job in JOBS.values() for step in job["steps"]]
DIGEST: Final = "sha256:" + "ab" * 32


def test_s707_it_has_the_form_of_a_workflow() -> None:
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}, "YAML reads `on` as true"
    for job in JOBS.values():
        assert {"runs-on", "steps", "timeout-minutes"} <= set(job)
        assert set(job.get("needs", "judge").split()) <= set(JOBS)
        for step in job["steps"]:
            assert ("uses" in step) is not ("run" in step)
            assert set(step) <= {"uses", "run", "with", "env", "name", "id", "if"}


def test_s707_every_action_is_pinned_by_its_commit() -> None:
    used = re.findall(r"uses: (\S+)( # v\d\S*)?$", TEXT, re.MULTILINE)
    assert len(used) == sum("uses" in step for step in STEPS) > 0
    assert [name for name, note in used if not re.search(r"@[0-9a-f]{40}$", name) or not note] == []


def test_s707_rights() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in JOBS["judge"], "what runs the tests can publish nothing"
    expected = {"contents": "read", "packages": "write", "id-token": "write"}
    assert JOBS["publish"]["permissions"] == expected
    assert (JOBS["publish"]["needs"], JOBS["publish"]["environment"]) == ("judge", "release")
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_s707_no_text_of_others_becomes_a_command() -> None:
    """An expression in `run` is pasted into the script; one in `env` is a value."""
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_s707_it_is_judged_before_it_is_published() -> None:
    runs = [step.get("run", "") for step in JOBS["judge"]["steps"]]
    assert "make licences audit" in runs
    assert "bash .ci/run" in runs


def test_s707_each_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"run: make ([a-z -]+)", TEXT)
    assert {target for line in named for target in line.split()} <= targets
    steps = re.findall(r"release\.sh (\w+) ", TEXT)
    assert steps == ["images", "chart", "sign"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """docker, helm and cosign that note their arguments, one call a line."""
    folder = tmp_path / "bin"
    folder.mkdir()
    note = f'printf "%s " "$(basename "$0")" "$@" >>{tmp_path}/calls; echo >>{tmp_path}/calls\n'
    metadata = json.dumps({"containerimage.digest": DIGEST})
    extra = {
        "docker": 'while [ "$1" != --metadata-file ]; do shift; done\n'
        f"printf '%s' '{metadata}' >\"$2\"\n",
        "helm": f'[ "$1" != push ] || echo "Digest: {DIGEST}" >&2\n',
        "cosign": "",
    }
    for name, text in extra.items():
        (folder / name).write_text(f"#!/bin/bash\nset -e\n{note}{text}")
        (folder / name).chmod(0o755)
    return folder


def _run(programs: Path, step: str) -> subprocess.CompletedProcess[str]:
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    argv = [
        "bash",
        str(ROOT / "scripts/supply/release.sh"),
        step,
        "1.2.3",
        "registry.example/waypost",
    ]
    return subprocess.run(
        [*argv, str(programs.parent / "out")],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )


def test_s707_what_is_pushed_is_signed_by_its_digest(programs: Path) -> None:
    for step in ("images", "chart", "sign"):
        done = _run(programs, step)
        assert done.returncode == 0, done.stderr
    calls = (programs.parent / "calls").read_text().splitlines()
    builds = [call for call in calls if call.startswith("docker buildx build")]
    assert len(builds) == 3
    for call in builds:
        assert "--provenance mode=max --sbom true" in call
        assert ":1.2.3 " in call
    runner = f"RUNNER_IMAGE=registry.example/waypost/waypost-runner@{DIGEST} "
    assert runner in builds[2], "the agent stands on the runner that was pushed"
    signed = [call.split()[-1] for call in calls if call.startswith("cosign sign ")]
    pushed = ["waypost-operator", "waypost-runner", "waypost-agent", "charts/waypost"]
    assert signed == [f"registry.example/waypost/{name}@{DIGEST}" for name in pushed]


def test_s707_an_unknown_step_is_an_error(programs: Path) -> None:
    assert _run(programs, "publish").returncode == 2
