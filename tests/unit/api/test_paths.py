"""Paths of nodes and of their parts, and the checkpoint that speaks for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waypost.api.checkpoints import checkpoint_of
from waypost.api.paths import NodePath, parse_path
from waypost.api.status import AttemptStatus, NodeStatus

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True)
PATHS = st.one_of(
    st.builds(NodePath, NAMES),
    st.builds(NodePath, NAMES, index=st.integers(0, 999_999_999)),
    st.builds(NodePath, NAMES, compensates=st.just(True)),
)


@given(PATHS)
def test_parsing_is_the_inverse_of_printing(path: NodePath) -> None:
    assert parse_path(str(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("scan", NodePath("scan"), id="node"),
        pytest.param("scan/3", NodePath("scan", index=3), id="item-or-iteration"),
        pytest.param("scan/0", NodePath("scan", index=0), id="first"),
        pytest.param("charge/compensate", NodePath("charge", compensates=True), id="compensation"),
        pytest.param(
            "scan/compensate/7", NodePath("scan", 7, compensates=True), id="item-of-a-compensation"
        ),
    ],
)
def test_paths(text: str, path: NodePath) -> None:
    assert parse_path(text) == path
    assert path.is_node == ("/" not in text)


@pytest.mark.parametrize(
    "text", ["", "/", "/3", "Scan", "scan/", "scan/03", "scan/-1", "scan/x", "scan/3/4", "scan/3 "]
)
def test_anything_else_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(text)


MOMENT = "2026-03-01T12:00:00.000Z"
OPEN = AttemptStatus(number=3, job="j3", launched_at=MOMENT)
ENDED = OPEN.model_copy(update={"finished_at": MOMENT})


def node(*attempts: AttemptStatus, phase: str = "Running") -> NodeStatus:
    known = NodeStatus(path="scan", phase="Running", attempt=3, attempts=list(attempts))
    return known.model_copy(update={"phase": phase})


@pytest.mark.parametrize(
    ("status", "attempt", "closed"),
    [
        pytest.param(node(OPEN), 3, False, id="open"),
        pytest.param(node(ENDED), 3, True, id="ended"),
        pytest.param(node(OPEN), 2, True, id="superseded"),
        pytest.param(node(OPEN), 4, False, id="newer-than-this-status"),
        pytest.param(node(), 3, False, id="not-listed"),
    ],
)
def test_closed_attempts(status: NodeStatus, attempt: int, closed: bool) -> None:
    checkpoint = checkpoint_of([status], "scan")
    assert checkpoint is not None
    assert checkpoint.has_closed(attempt) is closed
    assert checkpoint.knows(attempt) is (attempt <= 3)


@pytest.mark.parametrize(
    ("status", "running"),
    [
        pytest.param(node(OPEN), True, id="open"),
        pytest.param(node(ENDED), False, id="ended"),
        pytest.param(node(OPEN, phase="Superseding"), False, id="superseding"),
        pytest.param(node(), False, id="no-attempt"),
    ],
)
def test_results_count_while_an_attempt_is_open(status: NodeStatus, running: bool) -> None:
    checkpoint = checkpoint_of([status], "scan")
    assert checkpoint is not None
    assert checkpoint.is_running is running


@pytest.mark.parametrize("path", ["other", "scan/3", "scan/compensate", "scan/", ""])
def test_paths_without_a_checkpoint(path: str) -> None:
    assert checkpoint_of([node(OPEN)], path) is None
