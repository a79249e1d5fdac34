"""Open items as texts: what is read back is what was written."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waypost.api.items.states import ItemState
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.kube.items.open_items import Place, from_text, shown_message, state_of, to_text
from waypost.kube.timestamps import timestamp

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = Place(
    path="scan",
    round=2,
    at=AT,
    before=3,
    deadline_at=None,
    repeats=None,
    job_of=lambda path, attempt: f"job-{path}-{attempt}",
)
COUNTS = st.one_of(st.none(), st.integers(1, 20))
REASONS = st.sampled_from([None, "NodeError", "ImagePull", "RateLimited"])
MOMENTS = st.integers(-5_000, 9_000_000).map(lambda ms: AT + timedelta(milliseconds=ms))


@st.composite
def items(draw: st.DrawFn) -> NodeStatus:
    number = draw(st.integers(1, 30))
    status = NodeStatus(
        path="scan/7",
        phase=draw(st.sampled_from(["Running", "Superseding", "Backoff"])),
        round=2,
        attempt=3 + number,
        reason=draw(REASONS),
        message=draw(st.one_of(st.none(), st.text(max_size=90))),
        retries=draw(COUNTS),
        disruptions=draw(COUNTS),
        provider_retries=draw(COUNTS),
        launch_retries=draw(COUNTS),
    )
    moment = timestamp(draw(MOMENTS))
    if status.phase == "Backoff":
        return status.model_copy(update={"wake_at": moment})
    attempt = AttemptStatus(
        number=3 + number,
        job=f"job-scan/7-{3 + number}",
        round=2,
        launched_at=moment,
        stopping=draw(st.sampled_from([None, "Timeout", "Cancelled"])),
        stopping_at=draw(st.one_of(st.none(), MOMENTS.map(timestamp))),
    )
    return status.model_copy(update={"attempts": [attempt], "started_at": moment})


@given(items())
def test_reading_is_the_inverse_of_writing(item: NodeStatus) -> None:
    states = [ItemState("P")] * 7 + [state_of(item, PLACE.before)]
    index, read = from_text(to_text(7, item, PLACE, message=True), PLACE, states)
    shown = shown_message(item) or None
    assert (index, read) == (7, item.model_copy(update={"message": shown}))


@given(items())
def test_a_text_is_short_and_stays_the_same(item: NodeStatus) -> None:
    """A pass that changes nothing must write nothing."""
    states = [ItemState("P")] * 7 + [state_of(item, PLACE.before)]
    text = to_text(7, item, PLACE, message=True)
    assert len(text) <= 160
    assert to_text(7, from_text(text, PLACE, states)[1], PLACE, message=True) == text


@pytest.mark.parametrize("text", ["", "7", "x +1", "9 +1", "0 +1"])
def test_a_text_that_no_operator_writes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="scan"):
        from_text(text, PLACE, [ItemState("S", 1)] * 8)
