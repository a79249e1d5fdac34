"""What is due at a sink, and that its record stays small."""

from dataclasses import replace

import pytest
from waypost.notifier.core.ledger import (
    GIVEN_UP_SECONDS,
    LAG_SECONDS,
    MOST_DELIVERED,
    MOST_OPEN,
    Ledger,
    Record,
)
from waypost.notifier.settings import MOST_SINKS
from waypost.notifier.state import decoded, encoded

from tests.notifier.place import occurrence

START = 1772355600.0
CONFIG_MAP_BYTES = 1024 * 1024


def ledger_with(count: int, *, now: float = START + 10) -> Ledger:
    ledger = Ledger(Record(until=START))
    for number in range(count):
        ledger.offer(occurrence(id_=f"{number:024x}", at=START + 1 + number / 1e4), now=now)
    return ledger


def test_the_record_of_all_sinks_fits_a_config_map() -> None:
    """S732: with as much open and delivered as there can be."""
    ledger = ledger_with(MOST_OPEN)
    for number in range(MOST_OPEN):
        ledger.failed(f"{number:024x}", now=START + 11, down=False, retry_after=None)
    for number in range(MOST_OPEN, MOST_OPEN + 2 * MOST_DELIVERED):
        name = f"{number:024x}"
        ledger.failed(f"{number % MOST_OPEN:024x}", now=START + 11, down=False, retry_after=None)
        ledger._delivered[name] = START + 2
    record = ledger.record(seen=START + 20)
    assert len(record.open) == MOST_OPEN
    assert len(record.delivered) <= MOST_DELIVERED
    assert MOST_SINKS * (len(encoded(record)) + 100) < CONFIG_MAP_BYTES


def test_what_is_too_much_is_given_up_oldest_first() -> None:
    """S733"""
    ledger = ledger_with(MOST_OPEN)
    newest = occurrence(id_="newest", at=START + 99)
    [given_up] = ledger.offer(newest, now=START + 100)
    assert given_up.id == f"{0:024x}"
    assert ledger.due(START + 100) == MOST_OPEN


def test_a_message_of_a_later_time_takes_no_room() -> None:
    """S733: ApprovalExpiring waits for its time."""
    ledger = ledger_with(MOST_OPEN)
    later = occurrence("ApprovalExpiring", id_="later", at=START + 5000)
    assert ledger.offer(later, now=START + 100) == []
    assert ledger.due(START + 100) == MOST_OPEN


def test_more_deliveries_than_are_kept_move_the_time() -> None:
    """S732: none of them is delivered again."""
    ledger = ledger_with(0)
    for number in range(MOST_DELIVERED + 200):
        found = occurrence(id_=f"{number:024x}", at=START + 1 + number)
        ledger.offer(found, now=START + 5000)
        ledger.succeeded(found.id)
    record = ledger.record(seen=START + 5000 - LAG_SECONDS)
    assert len(record.delivered) == MOST_DELIVERED
    again = Ledger(record)
    for number in range(MOST_DELIVERED + 200):
        again.offer(occurrence(id_=f"{number:024x}", at=START + 1 + number), now=START + 5001)
    assert again.due(START + 5001) == 0


def test_a_record_survives_its_text() -> None:
    """S731: a fraction of a second must not make a message new."""
    ledger = Ledger(Record(until=START))
    found = occurrence(id_="a", at=START + LAG_SECONDS + 0.4)
    ledger.offer(found, now=START + LAG_SECONDS + 1)
    ledger.succeeded("a")
    kept = decoded(encoded(ledger.record(seen=START + 2 * LAG_SECONDS + 0.2)))
    assert kept is not None
    again = Ledger(kept)
    again.record(seen=START + 2 * LAG_SECONDS + 0.2)
    again.offer(found, now=START + 3 * LAG_SECONDS)
    assert again.due(START + 3 * LAG_SECONDS) == 0


def test_what_is_open_survives_a_restart_however_old() -> None:
    """S732, S733"""
    ledger = ledger_with(2)
    ledger.failed(f"{0:024x}", now=START + 10, down=True, retry_after=None)
    record = ledger.record(seen=START + 2 * LAG_SECONDS)
    assert set(record.open) == {f"{0:024x}", f"{1:024x}"}
    again, now = Ledger(record), START + 10 * GIVEN_UP_SECONDS
    for number in range(3):
        again.offer(occurrence(id_=f"{number:024x}", at=START + 1), now=now)
    assert again.due(now) == 2, "what is neither open nor later than the time is delivered"
    over = again.failed(f"{0:024x}", now=now, down=True, retry_after=None)
    assert len(over) == 2, "given up only after one more attempt"


def test_what_is_open_and_gone_is_forgotten() -> None:
    """S732"""
    again = Ledger(Record(until=START, open={"gone": START}))
    assert again.record(seen=START).open == {"gone": START}
    again.forget_unseen()
    assert again.record(seen=START).open == {}


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"until":"x","delivered":{},"open":{}}'])
def test_a_text_that_is_no_record(text: str) -> None:
    assert decoded(text) is None


def test_what_was_tried_least_is_next() -> None:
    """S734"""
    ledger = ledger_with(2)
    first = ledger.next(START + 10)
    assert first is not None
    ledger.failed(first.occurrence.id, now=START + 10, down=False, retry_after=None)
    second = ledger.next(START + 1000)
    assert second is not None
    assert second.occurrence.id != first.occurrence.id


def test_a_clock_that_is_behind_loses_nothing() -> None:
    """S732: the clock of the operator may differ by minutes."""
    ledger = Ledger(Record(until=START))
    ledger.record(seen=START + LAG_SECONDS + 300)
    late = replace(occurrence(id_="late"), at=START + 600)
    ledger.offer(late, now=START + LAG_SECONDS + 301)
    assert ledger.due(START + LAG_SECONDS + 301) == 1
