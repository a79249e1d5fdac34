"""Alerts and dashboards use metrics that exist, with labels that they have, and are documented."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waypost.adapters.metrics import Metrics

from tests.adapters.test_metrics import collected
from tests.support.documents import document

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts" / "waypost" / "files"
RUNBOOKS = ROOT / "docs" / "runbooks.md"
SERIES = re.compile(r"\b((?:waypost|process)_[a-z_]+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|on|group_left|without) \(([^)]*)\)")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
MINUTES = re.compile(r"\b(\d+)(m|h)\b")
OF_THE_SCRAPE = {"instance", "le"}
SEVERITIES = {"critical", "warning", "info"}


def alerts() -> list[dict[str, Any]]:
    groups = document((FILES / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def fast_rules() -> str:
    """The rules of the chart, with seconds in the place of minutes, and minutes of hours."""
    rules = (FILES / "alerts.yaml").read_text()
    return MINUTES.sub(lambda found: f"{int(found[1]) * (60 if found[2] == 'h' else 1)}s", rules)


def boards() -> dict[str, dict[str, Any]]:
    return {
        path.stem: json.loads(path.read_text()) for path in (FILES / "dashboards").glob("*.json")
    }


def known() -> dict[str, set[str]]:
    """Every sample name with its labels."""
    found: dict[str, set[str]] = {}
    for family in collected():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> Iterator[Any]:
    for rule in alerts():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for name, board in sorted(boards().items()):
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield pytest.param(target["expr"], id=f"{name}-{panel['id']}{target['refId']}")


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_uses_metrics_and_labels_that_exist(expression: str) -> None:
    samples = known()
    found = SERIES.findall(expression)
    assert found
    labels = set(OF_THE_SCRAPE)
    for name, matchers in found:
        assert name in samples, f"{name}: no such metric"
        labels |= samples[name]
        used = {label for label, _, _ in MATCHER.findall(matchers)}
        assert used <= samples[name], f"{name}{{{matchers}}}: it has {samples[name]}"
    for grouped in GROUPING.findall(expression):
        assert set(re.findall(r"\w+", grouped)) <= labels


FIRST = re.compile(r'increase\((\w+)\{(\w+)="(\w+)"\}\[\w+\]\)\) > 0')


def test_the_first_event_is_an_increase() -> None:
    """A series that appears with the value 1 has no increase, so it must be there before."""
    counted = [each for rule in alerts() for each in FIRST.findall(rule["expr"])]
    assert len(counted) == 5
    fresh = [sample for family in Metrics().registry.collect() for sample in family.samples]
    for name, label, value in counted:
        values = [one.value for one in fresh if one.name == name and one.labels[label] == value]
        assert values, name
        assert set(values) == {0}, name


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in alerts()])
def test_an_alert_says_what_is_wrong_and_has_a_runbook(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Waypost")
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description"}
    section = RUNBOOKS.read_text().partition(f"\n## {rule['alert']}\n")[2].partition("\n## ")[0]
    parts = re.findall(r"^\*\*(\w+)\.\*\*", section, re.M)
    assert parts == ["Meaning", "Effect", "Look", "Do"]


def test_every_runbook_is_of_an_alert() -> None:
    titles = re.findall(r"^## (.+)$", RUNBOOKS.read_text(), re.M)
    assert titles == [rule["alert"] for rule in alerts()]


@pytest.mark.parametrize("name", sorted(boards()))
def test_the_panels_of_a_dashboard_do_not_overlap(name: str) -> None:
    board = boards()[name]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert board["uid"] == f"waypost-{name}"
