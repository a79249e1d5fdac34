"""The rules fire, and do not fire, where they should: evaluated by Prometheus's own promtool."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster import golang, settings
from e2e.cluster.shell import Progress
from tests.alerts.test_rules import FILES, alerts, boards
from tests.support.documents import document

# promtool is built from source, for which Prometheus's dependencies are fetched: minutes.
pytestmark = pytest.mark.nightly

DRILL = Path(__file__).parent / "drill.yaml"


@pytest.fixture(scope="module")
def promtool() -> Path:
    return golang.installed(settings.from_environment(), golang.PROMTOOL, Progress())


def ran(promtool: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(promtool), *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def drill(tmp_path: Path, rules: Path) -> Path:
    """The drill on these rules. The texts of annotations are not compared."""
    tests = document(DRILL.read_text())
    path = tmp_path / "drill.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], **tests}))
    return path


def without_texts(tmp_path: Path, groups: list[dict[str, Any]]) -> Path:
    for group in groups:
        for rule in group["rules"]:
            del rule["annotations"]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": groups}))
    return path


def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document((FILES / "alerts.yaml").read_text())["groups"]
    return found


def test_the_rules_are_valid(promtool: Path) -> None:
    done = ran(promtool, "check", "rules", "--lint-fatal", str(FILES / "alerts.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_each_alert_fires_when_it_should(promtool: Path, tmp_path: Path) -> None:
    done = ran(promtool, "test", "rules", str(drill(tmp_path, without_texts(tmp_path, groups()))))
    assert done.returncode == 0, done.stdout + done.stderr
    tested = {case["alertname"] for test in document(DRILL.read_text())["tests"]
              for case in test["alert_rule_test"] if case.get("exp_alerts")}  # fmt: skip
    assert tested == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("name", [rule["alert"] for rule in alerts()])
def test_the_drill_notices_a_rule_that_never_fires(
    promtool: Path, tmp_path: Path, name: str
) -> None:
    broken = groups()
    for rule in (rule for group in broken for rule in group["rules"] if rule["alert"] == name):
        rule["expr"] = "vector(1) > 2"
    done = ran(promtool, "test", "rules", str(drill(tmp_path, without_texts(tmp_path, broken))))
    assert done.returncode != 0
    assert name in done.stdout + done.stderr


def test_the_expressions_of_the_dashboards_are_valid(promtool: Path, tmp_path: Path) -> None:
    expressions = [
        target["expr"].replace("$__rate_interval", "5m")
        for board in boards().values()
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    rules = [
        {"record": f"panel:number:{number}", "expr": expression}
        for number, expression in enumerate(expressions)
    ]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = ran(promtool, "check", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
