"""Attempts of an agent node with a journal at the real gateway."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.attempts import Node
from tests.agent.journaled import Site, gateway


@pytest.fixture
def site() -> Iterator[Site]:
    with gateway() as started:
        yield started


@pytest.fixture
def node(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose provider is `Node.play`."""
    return Node(site, "", tmp_path, monkeypatch)
