"""Open items as texts: what is read back is what was written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waypost.api.items.states import ItemState
from waypost.api.items.status import IDENTITY
from waypost.api.state.usage import Allotment
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.kube.items.open_items import (
    OpenItem,
    Place,
    from_text,
    shown_message,
    state_of,
    to_text,
    words_of,
)
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
    child_of=lambda path, generation: f"child-{path}-{generation}",
    approval_of=lambda path, round_, level: f"approval-{path}-{round_}-{level}",
)
COUNTS = st.one_of(st.none(), st.integers(1, 20))
REASONS = st.sampled_from([None, "NodeError", "ImagePull", "RateLimited"])
MOMENTS = st.integers(-5_000, 9_000_000).map(lambda ms: AT + timedelta(milliseconds=ms))


SHARES = st.one_of(
    st.none(),
    st.builds(
        Allotment,
        tokens=st.one_of(st.none(), st.integers(0, 9_000_000)),
        costUSD=st.sampled_from([None, "0", "0.25", "123.123456789"]),
        tool_calls=st.one_of(st.none(), st.integers(1, 5000)),
    ),
)


@st.composite
def items(draw: st.DrawFn) -> OpenItem:
    reported = draw(st.integers(0, 12))
    identity = draw(st.sampled_from(["", "0123456789ab"]))
    return OpenItem(7, draw(statuses()), reported, identity)


@st.composite
def statuses(draw: st.DrawFn) -> NodeStatus:
    number = draw(st.integers(1, 30))
    status = NodeStatus(
        path="scan/7",
        phase=draw(st.sampled_from(["Running", "Superseding", "Backoff", "Pending"])),
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
    if status.phase == "Pending":
        return draw(held(status, moment))
    attempt = AttemptStatus(
        number=3 + number,
        job=f"job-scan/7-{3 + number}",
        round=2,
        launched_at=moment,
        allotment=draw(SHARES),
        stopping=draw(st.sampled_from([None, "Timeout", "Cancelled"])),
        stopping_at=draw(st.one_of(st.none(), MOMENTS.map(timestamp))),
    )
    return status.model_copy(update={"attempts": [attempt], "started_at": moment})


@st.composite
def held(draw: st.DrawFn, status: NodeStatus, moment: str) -> NodeStatus:
    """An item that waits for a resource, or for budget: perhaps because its share was too small."""
    if draw(st.booleans()):
        update = {"reason": "MissingReference", "wake_at": moment}
        return status.model_copy(update=update)
    status = status.model_copy(update={"reason": "BudgetExceeded"})
    share = draw(SHARES)
    if share is None:
        return status
    at = timestamp(AT)
    name = draw(st.sampled_from(["tokens", "costUSD", "toolCalls"]))
    attempt = AttemptStatus(
        number=status.attempt or 1,
        job=f"job-scan/7-{status.attempt}",
        round=2,
        launched_at=at,
        finished_at=at,
        reason="BudgetExceeded",
        message=f"the attempt's share of spec.budget.{name}: it was too small",
        allotment=share,
    )
    return status.model_copy(update={"attempts": [attempt]})


@given(items())
def test_reading_is_the_inverse_of_writing(item: OpenItem) -> None:
    states = [ItemState("P")] * 7 + [state_of(item.status, PLACE.before)]
    read = from_text(to_text(item, PLACE, message=True), PLACE, states)
    shown = shown_message(item.status) or None
    assert read == replace(item, status=item.status.model_copy(update={"message": shown}))


@given(items())
def test_the_reason_is_read_from_the_text_alone(item: OpenItem) -> None:
    assert words_of(to_text(item, PLACE, message=True))[0] == item.status.reason


@given(items())
def test_a_text_is_short_and_stays_the_same(item: OpenItem) -> None:
    """A pass that changes nothing must write nothing."""
    states = [ItemState("P")] * 7 + [state_of(item.status, PLACE.before)]
    text = to_text(item, PLACE, message=True)
    assert len(text) <= 200
    assert to_text(from_text(text, PLACE, states), PLACE, message=True) == text


@given(items().filter(lambda item: item.identity))
def test_the_gateway_finds_the_identity_in_the_text(item: OpenItem) -> None:
    found = IDENTITY.search(to_text(item, PLACE, message=True))
    assert found is not None
    assert found[1] == item.identity


@pytest.mark.parametrize("text", ["", "7", "x +1", "9 +1", "0 +1"])
def test_a_text_that_no_operator_writes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="scan"):
        from_text(text, PLACE, [ItemState("S", 1)] * 8)


@pytest.mark.parametrize(("round_", "level"), [(2, None), (2, 1), (3, 2)])
def test_the_question_of_an_item_keeps_its_level(round_: int, level: int | None) -> None:
    status = NodeStatus(
        path="scan/7",
        phase="Waiting",
        round=round_,
        attempt=3,
        level=level,
        approval=f"approval-scan/7-{round_}-{level or 0}",
        started_at=timestamp(AT),
        wake_at=timestamp(AT + timedelta(seconds=30)),
    )
    text = to_text(OpenItem(7, status, 0, ""), PLACE, message=False)
    states = [ItemState("P")] * 7 + [state_of(status, PLACE.before)]
    assert from_text(text, PLACE, states).status == status, text
