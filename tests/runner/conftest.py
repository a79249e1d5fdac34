"""Fixtures of the runner's tests."""

from pathlib import Path

import pytest

from tests.runner.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder with the files of a pod."""
    return Bench(tmp_path)
