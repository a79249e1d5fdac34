"""Settings of a cluster that nobody has, in a folder of the test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster.settings import Settings, read_settings
from e2e.cluster.shell import Progress


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    def make(**environment: str) -> Settings:
        return read_settings({"WAYPOST_CACHE": str(tmp_path / "cache"), **environment})

    return make


@pytest.fixture
def settings(settings_of: Callable[..., Settings]) -> Settings:
    return settings_of(WAYPOST_CLUSTER="unit")


@pytest.fixture
def quiet() -> Progress:
    return Progress(quiet=True)
