"""States of items as text, and the checkpoints that follow from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waypost.api.checkpoints import checkpoint_of
from waypost.api.items.states import (
    LETTERS,
    MAX_ITEMS,
    ItemState,
    format_states,
    parse_states,
)
from waypost.api.items.status import ItemsStatus
from waypost.api.status import AttemptStatus, LoopStatus, NodeStatus

STATES = st.builds(ItemState, st.sampled_from(sorted(LETTERS)), st.integers(0, 99))
LISTS = st.lists(STATES, max_size=60)


@given(LISTS)
def test_parsing_is_the_inverse_of_printing(states: list[ItemState]) -> None:
    assert parse_states(format_states(states)) == states


@given(LISTS)
def test_equal_items_share_a_token(states: list[ItemState]) -> None:
    tokens = format_states(states).split()
    assert len(tokens) == len([s for at, s in enumerate(states) if at == 0 or states[at - 1] != s])


@pytest.mark.parametrize(
    ("text", "states"),
    [
        pytest.param("", [], id="none"),
        pytest.param("P*3", [ItemState("P")] * 3, id="not-started"),
        pytest.param(
            "S F12*2 S0", [ItemState("S", 1), *[ItemState("F", 12)] * 2, ItemState("S")], id="mixed"
        ),
        pytest.param("R B4*2", [ItemState("R", 1), *[ItemState("B", 4)] * 2], id="open"),
        pytest.param("C C1", [ItemState("C"), ItemState("C", 1)], id="cancelled"),
    ],
)
def test_texts(text: str, states: list[ItemState]) -> None:
    assert parse_states(text) == states
    assert format_states(states) == text


@pytest.mark.parametrize(
    "text", ["Q", "s", "S-1", "S*0", "S01", "*3", "S*2*3", f"P*{MAX_ITEMS} P", "S99999"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_states(text)


def test_the_longest_text_fits_the_status() -> None:
    letters = sorted(LETTERS)
    states = [ItemState(letters[at % 2], 2 + at % 98) for at in range(MAX_ITEMS)]  # type: ignore[arg-type]
    assert len(format_states(states)) <= 5120


def _map(states: str | None, *, before: int = 0, attempt: int = 0, phase: str = "Running") -> list:  # type: ignore[type-arg]
    items = ItemsStatus(round=1, total=3, states=states, before=before or None)
    status = NodeStatus(path="scan", phase=phase, attempt=attempt or None, items=items, round=2)  # type: ignore[arg-type]
    return [status]


@pytest.mark.parametrize(
    ("nodes", "path", "number", "running", "closed"),
    [
        pytest.param(_map("R S2 P"), "scan/0", 1, True, [], id="running"),
        pytest.param(_map("R S2 P"), "scan/1", 2, False, [1, 2], id="succeeded"),
        pytest.param(_map("R S2 P"), "scan/2", 0, False, [], id="not-started"),
        pytest.param(_map("B X P", before=3), "scan/0", 4, False, [4], id="backoff"),
        pytest.param(_map("B X P", before=3), "scan/1", 4, False, [1, 3], id="being-stopped"),
        pytest.param(_map("S", before=3), "scan/9", 3, False, [1, 2, 3], id="beyond-the-list"),
        pytest.param(
            _map(None, attempt=4, phase="Succeeded"), "scan/7", 4, False, [1, 4], id="ended"
        ),
    ],
)
def test_the_checkpoint_of_an_item(
    nodes: list[NodeStatus], path: str, number: int, running: bool, closed: list[int]
) -> None:
    """A pod of an attempt that the status does not know is neither current nor closed: the status
    may be older than it."""
    checkpoint = checkpoint_of(nodes, path)
    assert checkpoint is not None
    assert (checkpoint.number, checkpoint.is_running, checkpoint.round) == (number, running, 2)
    assert [n for n in range(1, 11) if checkpoint.has_closed(n)] == [
        n for n in range(1, 11) if n in closed or n < max(closed, default=0)
    ]
    assert checkpoint.knows(number)
    assert not checkpoint.knows(number + 1)


FIRST = AttemptStatus(number=4, iteration=0, job="j4", launched_at="2026-03-01T12:00:00.000Z")
SECOND = FIRST.model_copy(update={"number": 5, "iteration": 1})


def _loop(node: NodeStatus, *attempts: AttemptStatus) -> list[NodeStatus]:
    loop = LoopStatus(number=len(attempts), first_attempt=4)
    latest = attempts[-1].number if attempts else node.attempt
    changes = {"loop": loop, "attempts": list(attempts), "attempt": latest}
    return [node.model_copy(update=changes)]


WAS_A_MAP = _map(None, attempt=3)[0]


@pytest.mark.parametrize(
    ("nodes", "path", "number", "running", "closed"),
    [
        pytest.param(_loop(WAS_A_MAP), "scan/2", 3, False, [1, 2, 3], id="before-the-loop"),
        pytest.param(_loop(WAS_A_MAP, FIRST), "scan/0", 4, True, [1, 3], id="iteration"),
        pytest.param(_loop(WAS_A_MAP, FIRST, SECOND), "scan/0", 5, False, [4], id="last-iteration"),
        pytest.param(
            [_map("R S2 P", before=5)[0].model_copy(update={"attempts": [FIRST, SECOND]})],
            "scan/0",
            6,
            True,
            [4, 5],
            id="a-map-that-was-a-loop",
        ),
    ],
)
def test_a_node_that_was_a_loop_and_a_map(
    nodes: list[NodeStatus], path: str, number: int, running: bool, closed: list[int]
) -> None:
    """Rounds can replace repeat by forEach: one counter numbers all attempts of the node."""
    checkpoint = checkpoint_of(nodes, path)
    assert checkpoint is not None
    assert (checkpoint.number, checkpoint.is_running) == (number, running)
    assert all(checkpoint.has_closed(attempt) for attempt in closed)
    assert checkpoint.has_closed(number) is (number in closed)


def test_a_node_without_items_has_no_checkpoint_of_one() -> None:
    assert checkpoint_of([NodeStatus(path="scan", phase="Running", attempt=2)], "scan/0") is None
