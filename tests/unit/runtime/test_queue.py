"""The queue: what is pending is worked on once, by one worker, and never forgotten."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.runtime.queue import KeyedQueue

from tests.fakes.clock import VirtualClock, run_virtual

pytestmark = pytest.mark.looptime
SOON = 0.001


def make() -> tuple[KeyedQueue[str], VirtualClock]:
    clock = VirtualClock()
    return KeyedQueue(monotonic=clock.monotonic), clock


async def taken(queue: KeyedQueue[str], *, within: float = SOON) -> str | None:
    """The next key, or None if none is due in time."""
    try:
        async with asyncio.timeout(within):
            return await queue.get()
    except TimeoutError:
        return None


async def test_keys_are_handed_out_in_order_and_once() -> None:
    queue, _ = make()
    for key in "abac":
        queue.add(key)
    assert queue.depth == 3
    assert [await taken(queue) for _ in range(4)] == ["a", "b", "c", None]


async def test_s556_groups_take_turns_and_each_is_first_in_first_out() -> None:
    """W15: a thousand keys of one namespace do not make the key of another wait for all of them."""
    clock = VirtualClock()
    queue: KeyedQueue[str] = KeyedQueue(monotonic=clock.monotonic, group=lambda key: key[0])
    for key in ("a1", "a2", "a3", "a4", "b1", "c1", "b2"):
        queue.add(key)
    order = [await taken(queue) for _ in range(7)]
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


async def test_s556_a_busy_namespace_delays_the_key_of_another_by_one() -> None:
    clock = VirtualClock()
    queue: KeyedQueue[str] = KeyedQueue(monotonic=clock.monotonic, group=lambda key: key[0])
    for number in range(1000):
        queue.add(f"a{number}")
    queue.add("b")
    assert "b" in [await taken(queue), await taken(queue)]


async def test_a_key_in_work_is_nobody_elses_until_done() -> None:
    queue, _ = make()
    queue.add("a")
    assert await taken(queue) == "a"
    queue.add("a")
    queue.add("a")
    assert queue.depth == 0
    assert await taken(queue) is None
    queue.done("a")
    assert [await taken(queue), await taken(queue)] == ["a", None], "once more, and only once"


async def test_a_worker_waits_until_a_key_is_due() -> None:
    queue, clock = make()
    queue.add_at("a", 5.0)
    assert await queue.get() == "a"
    assert clock.monotonic() == pytest.approx(5.0)


async def test_a_waiting_worker_sees_an_earlier_timer() -> None:
    queue, clock = make()
    queue.add_at("late", 50.0)
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add_at("early", 3.0)
    assert await worker == "early"
    assert clock.monotonic() == pytest.approx(3.0)


async def test_of_several_timers_the_earliest_counts() -> None:
    queue, clock = make()
    for when in (9.0, 4.0, 7.0):
        queue.add_at("a", when)
    assert await queue.get() == "a"
    assert clock.monotonic() == pytest.approx(4.0)
    queue.done("a")
    assert await taken(queue, within=20) is None, "one timer, one pass"


async def test_an_add_leaves_the_timer_until_the_key_is_handed_out() -> None:
    queue, _ = make()
    queue.add_at("a", 10.0)
    queue.add("a")
    assert await taken(queue) == "a"
    queue.done("a")
    reason = "the pass saw everything, and did not ask to be called again"
    assert await taken(queue, within=20) is None, reason


async def test_a_timer_set_by_the_pass_survives_it() -> None:
    queue, clock = make()
    queue.add("a")
    assert await taken(queue) == "a"
    queue.add_at("a", 10.0)
    queue.done("a")
    assert await queue.get() == "a"
    assert clock.monotonic() == pytest.approx(10.0)


async def test_a_timer_that_passes_during_the_pass_is_kept_for_afterwards() -> None:
    queue, _ = make()
    queue.add("a")
    assert await taken(queue) == "a"
    queue.add_at("a", 1.0)
    assert await taken(queue, within=5) is None
    queue.done("a")
    assert await taken(queue) == "a"


async def test_backoff_doubles_up_to_a_minute_and_starts_anew() -> None:
    queue, clock = make()
    waits = []
    for _ in range(9):
        before = clock.monotonic()
        queue.retry("a")
        await queue.get()
        queue.done("a")
        waits.append(clock.monotonic() - before)
    assert waits == pytest.approx([0.5, 1, 2, 4, 8, 16, 32, 60, 60])
    queue.forget("a")
    queue.retry("a")
    assert await taken(queue, within=0.6) == "a"


async def test_a_failure_that_lasts_for_days_keeps_its_backoff() -> None:
    queue, clock = make()
    for _ in range(2000):
        queue.retry("a")
        assert await queue.get() == "a"
        queue.done("a")
    assert clock.monotonic() > 1900 * 60


async def test_a_failed_pass_waits_out_its_backoff_whatever_timer_it_had_set() -> None:
    queue, clock = make()
    queue.add("a")
    assert await taken(queue) == "a"
    queue.add_at("a", clock.monotonic())  # a requeue time that has passed
    assert await taken(queue, within=1) is None
    started = clock.monotonic()
    queue.retry("a")
    queue.done("a")
    assert await queue.get() == "a"
    assert clock.monotonic() - started == pytest.approx(0.5), "not a loop without a pause"


async def test_a_timer_of_a_failed_pass_counts_if_it_is_before_the_backoff() -> None:
    """S85: a deadline does not wait for the backoff of something that is refused."""
    queue, clock = make()
    for _ in range(9):
        queue.retry("a")
        await queue.get()
        queue.done("a")
    queue.add("a")
    assert await taken(queue) == "a"
    started = clock.monotonic()
    queue.add_at("a", started + 20)
    queue.retry("a")
    queue.done("a")
    assert await queue.get() == "a"
    assert clock.monotonic() - started == pytest.approx(20)
    queue.add_at("a", clock.monotonic())
    started = clock.monotonic()
    queue.retry("a")
    queue.done("a")
    assert await queue.get() == "a"
    assert clock.monotonic() - started == pytest.approx(5), "not a loop without a pause"


async def test_news_end_a_backoff() -> None:
    queue, _ = make()
    queue.retry("a")
    queue.add("a")
    assert await taken(queue) == "a"


async def test_a_cancelled_worker_passes_its_wake_up_on() -> None:
    queue, _ = make()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(SOON)
    queue.add("a")  # wakes the first
    first.cancel()
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_one_add_wakes_one_worker() -> None:
    queue, _ = make()
    woken: list[int] = []

    async def worker(number: int) -> None:
        await queue.get()
        woken.append(number)

    workers = [asyncio.create_task(worker(number)) for number in range(50)]
    await asyncio.sleep(SOON)
    queue.add("a")
    queue.add("b")
    await asyncio.sleep(SOON)
    assert woken == [0, 1]
    for task in workers:
        task.cancel()


async def test_spare_keys_come_after_all_others() -> None:
    queue, _ = make()
    queue.add("old", spare=True)
    queue.add("older", spare=True)
    queue.add("old", spare=True)
    queue.add("new")
    queue.add("news")
    assert queue.depth == 4
    assert [await taken(queue) for _ in range(4)] == ["new", "news", "old", "older"]


async def test_a_spare_key_that_is_needed_is_spare_no_more() -> None:
    queue, _ = make()
    queue.add("idle", spare=True)
    await asyncio.sleep(2)
    queue.add("old", spare=True)
    queue.add("old")
    queue.add("old", spare=True)
    assert queue.depth == 2
    assert await taken(queue) == "old"
    assert queue.oldest_seconds == pytest.approx(2)
    assert await taken(queue) == "idle"


async def test_a_spare_key_wakes_a_worker() -> None:
    queue, _ = make()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add("old", spare=True)
    assert await waiting == "old"


async def test_ages_are_those_of_keys_without_a_worker() -> None:
    queue, _ = make()
    queue.add("a")
    await asyncio.sleep(2)
    queue.add("b")
    await asyncio.sleep(3)
    assert queue.depth == 2
    assert queue.oldest_seconds == pytest.approx(5)
    await taken(queue)
    assert queue.depth == 1
    assert queue.oldest_seconds == pytest.approx(3)
    await taken(queue)
    await asyncio.sleep(60)
    assert (queue.depth, queue.oldest_seconds) == (0, 0.0)


async def test_a_key_ages_from_its_first_add() -> None:
    queue, _ = make()
    queue.add("a")
    await asyncio.sleep(4)
    queue.add("a")
    assert queue.oldest_seconds == pytest.approx(4)


async def test_a_timer_nobody_looks_at_ages_too() -> None:
    queue, _ = make()
    queue.add_at("a", 5.0)
    await asyncio.sleep(30)
    assert queue.depth == 1
    assert queue.stalled_seconds >= 0


async def test_a_long_queue_that_moves_is_not_stalled() -> None:
    queue, _ = make()
    for number in range(100):
        queue.add(str(number))
    for _ in range(99):
        key = await queue.get()
        await asyncio.sleep(2)
        queue.done(key)
    assert queue.oldest_seconds == pytest.approx(198)
    assert queue.stalled_seconds == 0
    await asyncio.sleep(7)
    assert queue.stalled_seconds == pytest.approx(7)


async def test_drain_waits_for_the_passes_under_way() -> None:
    queue, clock = make()
    for key in "abc":
        queue.add(key)
    keys = [await queue.get(), await queue.get()]
    for pause, key in enumerate(keys, start=1):
        asyncio.get_running_loop().call_later(pause, queue.done, key)
    queue.close()
    await queue.drain()
    assert clock.monotonic() == pytest.approx(2.0)
    assert await taken(queue, within=60) is None, "what is left is for the next process"


async def test_an_empty_queue_is_drained() -> None:
    queue, _ = make()
    await queue.drain()


async def test_replaced_timers_do_not_pile_up() -> None:
    queue, _ = make()
    for number in range(5000):
        queue.add("a")
        await queue.get()
        queue.add_at("a", 1e6 + number)
        queue.done("a")
    assert len(queue._heap) < 100


@dataclass
class Model:
    """What the queue promises, written down naively."""

    due: list[str] = field(default_factory=list)
    timers: dict[str, float] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, key: str) -> None:
        if key in self.busy:
            self.again.add(key)
        elif key not in self.due:
            self.due.append(key)

    def pass_time(self, now: float) -> None:
        for key, when in sorted(self.timers.items(), key=lambda item: item[1]):
            if when <= now and key not in self.busy:
                del self.timers[key]
                self.add(key)

    def take(self) -> str | None:
        if not self.due:
            return None
        key = self.due.pop(0)
        self.timers.pop(key, None)
        self.busy.add(key)
        return key

    def finish(self, key: str, now: float, *, failed: bool) -> None:
        if failed:
            self.timers[key] = now + min(0.5 * 2 ** self.failures[key], 60)
            self.failures[key] += 1
        else:
            self.failures[key] = 0
        self.busy.discard(key)
        if key in self.again:
            self.again.discard(key)
            self.add(key)
        self.pass_time(now)


KEYS = st.sampled_from("abcd")
STEPS = st.one_of(
    st.tuples(st.just("add"), KEYS),
    st.tuples(st.just("add_at"), KEYS, st.integers(-2, 40)),
    st.tuples(st.just("sleep"), st.integers(1, 30)),
    st.tuples(st.just("take")),
    st.tuples(st.just("done"), KEYS),
    st.tuples(st.just("fail"), KEYS),
)


async def _play(steps: list[tuple[Any, ...]]) -> None:
    queue, clock = make()
    model = Model()
    # Whole and odd seconds: no two timers of the model fall due at the same moment as a step.
    for number, (name, *arguments) in enumerate(steps):
        now = clock.monotonic()
        model.pass_time(now)
        if name == "sleep":
            await asyncio.sleep(arguments[0] + 0.013)
        elif name == "take":
            getter = asyncio.create_task(queue.get())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            found = getter.result() if getter.done() else None
            getter.cancel()
            assert found == model.take(), f"step {number}"
        elif name == "add":
            queue.add(arguments[0])
            model.add(arguments[0])
        elif name == "add_at":
            when = now + arguments[1] + number / 1000
            queue.add_at(arguments[0], when)
            model.timers[arguments[0]] = min(when, model.timers.get(arguments[0], when))
        elif arguments[0] in model.busy:
            _finish(queue, model, arguments[0], now, failed=name == "fail")
        model.pass_time(clock.monotonic())
        assert queue.depth == len(model.due), f"step {number}: {name}"


def _finish(queue: KeyedQueue[str], model: Model, key: str, now: float, *, failed: bool) -> None:
    act: Callable[[str], None] = queue.retry if failed else queue.forget
    act(key)
    queue.done(key)
    model.finish(key, now, failed=failed)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_it_does_what_the_model_does(steps: list[tuple[Any, ...]]) -> None:
    run_virtual(_play(steps))


async def _crowd(pauses: list[int], workers: int) -> None:
    """Workers over keys that keep coming: never two on one key, and no wake-up is lost."""
    queue, _ = make()
    working: set[str] = set()
    wanted, seen = Counter[str](), Counter[str]()

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in working, "two workers on one key"
            working.add(key)
            seen[key] = wanted[key]
            await asyncio.sleep(1.7)
            working.discard(key)
            queue.done(key)

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    for number, pause in enumerate(pauses):
        key = f"k{number % 5}"
        wanted[key] += 1
        queue.add(key)
        await asyncio.sleep(pause)
    await asyncio.sleep(2 * len(pauses) + 10)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert seen == wanted, "a pass began after the last wake-up of every key"


@settings(max_examples=40, deadline=None)
@given(pauses=st.lists(st.integers(0, 3), max_size=25), workers=st.integers(1, 4))
def test_many_workers_lose_nothing_and_share_nothing(pauses: list[int], workers: int) -> None:
    run_virtual(_crowd(pauses, workers))
