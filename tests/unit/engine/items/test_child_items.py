"""Open items with child runs as texts, and whether the status of a parent waits for a child run."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waypost.api.items.states import ItemState
from waypost.api.items.status import ItemsStatus
from waypost.api.state.child import ChildStatus
from waypost.api.state.usage import Usage
from waypost.api.status import NodeStatus
from waypost.kube.facts.children import expects
from waypost.kube.items.child_items import child_of_kept, has_children, kept_child
from waypost.kube.items.open_items import OpenItem, from_text, state_of, to_text, with_stop
from waypost.kube.names import child_name
from waypost.kube.timestamps import timestamp
from waypost.protocol.reasons import Reason

from tests.unit.engine.items.test_open_items import MOMENTS, PLACE, REASONS, SHARES

DIGEST: Final = "sha256:0123456789ab"
COUNT = st.one_of(st.none(), st.integers(1, 9_000_000))
USAGES = st.one_of(
    st.none(),
    st.builds(
        Usage,
        model_calls=st.integers(1, 500),
        input_tokens=COUNT,
        total_tokens=COUNT,
        tool_calls=COUNT,
        estimated_model_calls=COUNT,
        costUSD=st.sampled_from([None, "0.25", "123.123456789"]),
    ),
)


@st.composite
def items(draw: st.DrawFn) -> OpenItem:
    """An item whose child run runs, is being stopped, or continues once it may start."""
    number, origin = draw(st.integers(1, 30)), draw(st.integers(0, 999))
    generation = draw(st.integers(1, 40))
    phase: Any = draw(st.sampled_from(["Running", "Superseding", "Pending"]))
    child = ChildStatus(
        name=PLACE.child_name(origin, generation),
        uid=draw(st.sampled_from([None, "6f0c1e0a-7b1d-4a43-8a52-0c8a5b7c9d10"])),
        generation=generation,
        round=draw(st.integers(1, 9)),
        stopping=draw(st.sampled_from([None, "Cancelled", "DeadlineExceeded"])),
        budget=draw(SHARES),
    )
    seen = draw(USAGES)
    status = NodeStatus(
        path="scan/7",
        phase=phase,
        round=2,
        attempt=3 + number,
        reason=draw(REASONS),
        message=draw(st.one_of(st.none(), st.text(max_size=90))),
        child=child,
        usage=seen,
        input_digest=draw(st.sampled_from([None, DIGEST])),
        started_at=timestamp(draw(MOMENTS)) if phase != "Pending" else None,
    )
    return OpenItem(7, status, origin=origin, seen=seen)


@given(item=items(), message=st.booleans())
def test_what_is_read_back_is_what_was_written(item: OpenItem, message: bool) -> None:
    text = to_text(item, PLACE, message=message)
    states = [ItemState("P")] * 7 + [state_of(item.status, PLACE.before)]
    read = from_text(text, PLACE, states)
    left_out = {"message": None} if not message else {"message": read.status.message}
    assert read.status == item.status.model_copy(update=left_out)
    assert (read.origin, read.seen) == (item.origin, item.seen)
    assert to_text(read, PLACE, message=message) == text
    assert len(text) <= 360
    assert has_children(ItemsStatus(round=1, total=8, open=[text]))


@given(item=items())
def test_a_round_stops_it(item: OpenItem) -> None:
    text = with_stop(to_text(item, PLACE, message=True), Reason.SUPERSEDED)
    states = [ItemState("P")] * 7 + [state_of(item.status, PLACE.before)]
    child, before = from_text(text, PLACE, states).status.child, item.status.child
    assert child is not None
    assert before is not None
    assert child.stopping == (before.stopping or "Superseded")


def test_what_the_results_keep_of_a_child_run() -> None:
    used = Usage(model_calls=2, total_tokens=30, tools={"search": 1})
    child = ChildStatus(name=PLACE.child_name(3, 2), uid="u", generation=2, round=4)
    kept = kept_child(NodeStatus(path="scan/5", phase="Failed", child=child, usage=used), 3)
    found = child_of_kept(kept, PLACE.child_name)
    assert found is not None
    assert (found[0].origin, found[0].child, found[1]) == (3, child, used)


@pytest.mark.parametrize(
    "kept",
    [None, 1, {}, {"uid": "u"}, {"uid": "u", "i": "x", "g": 1, "r": 1}, {"uid": "u", "i": 1}],
)
def test_other_content_continues_nothing(kept: Any) -> None:
    assert child_of_kept(kept, PLACE.child_name) is None


NAME: Final = child_name(run="brief", run_uid="run-1", path="scan/3", generation=2)
TEXT: Final = "5 +1.5 ~3/2/1/-/0123456789ab"


def parent(text: Any = TEXT, **changes: Any) -> Any:
    """A parent whose item 5 waits for the child run that item 3 has started."""
    items_ = {"states": "S*5 R", "open": [text], **changes.pop("items", {})}
    node = {"path": "scan", "phase": "Running", "items": items_, **changes}
    return {"metadata": {"name": "brief", "uid": "run-1"}, "status": {"nodes": [node]}}


@pytest.mark.parametrize(
    ("body", "waits"),
    [
        pytest.param(parent(), True, id="not seen yet"),
        pytest.param(parent("5 +1.5 ~3/2/1/u-1/01 =Stalled why"), True, id="seen"),
        pytest.param(parent("5 +1.5 ~3/2/1/u-2/01"), False, id="another one was seen"),
        pytest.param(parent("5 +1.5 ~3/3/1/-/01"), False, id="the next generation"),
        pytest.param(parent("5 +1.5 ~4/2/1/-/01"), False, id="that of another item"),
        pytest.param(parent(f"{TEXT} !Cancelled"), False, id="it is being stopped"),
        pytest.param(parent("5 +1.5 #0123 =Why ~3/2/1/-/01"), False, id="the text of a message"),
        pytest.param(parent(items={"states": "S*5 X"}), False, id="its list was replaced"),
        pytest.param(parent(items={"states": "S*5"}), False, id="no such item"),
        pytest.param(parent(items={"states": "?"}), False, id="invalid states"),
        pytest.param(parent(items={"open": None}), False, id="nothing is open"),
        pytest.param(parent(3), False, id="no text"),
        pytest.param(parent(phase="Superseding"), False, id="the map does not run"),
        pytest.param(parent(items={"states": "S*5 R2"}), True, id="a later attempt"),
    ],
)
def test_s202_a_child_run_starts_only_while_its_item_waits_for_it(body: Any, waits: bool) -> None:
    assert expects(body, path="scan/3", name=NAME, uid="u-1") is waits
