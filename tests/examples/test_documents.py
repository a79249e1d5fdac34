"""The documents know every reason, and the map stays a map."""

import pytest
from waypost.probes import decide, findings
from waypost.protocol.probe import ProbeReason
from waypost.protocol.reasons import Reason

from tests.examples.conftest import ROOT


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert f"`{reason}`" in text


@pytest.mark.parametrize(
    "reason",
    [*ProbeReason, *findings.REASONS_OF_WAITING, *decide.REASONS],
)
def test_every_reason_of_ready_is_explained(reason: str) -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    section = text.partition("## Providers and tool servers")[2].partition("\n## ")[0]
    assert f"`{reason}`" in section


def test_map_is_at_most_120_lines() -> None:
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_every_make_target_of_the_map_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "check", "fmt", "unit", "e2e", "crds", "images", "cluster"):
        assert f"\n{target}:" in makefile
        assert f"make {target}" in (ROOT / "AGENTS.md").read_text(encoding="utf-8")
