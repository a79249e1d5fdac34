"""A whole notifier on the in-memory cluster: what is sent, how often, and after which troubles."""

import asyncio

import pytest
from waypost.notifier.core.answers import Answer
from waypost.notifier.core.ledger import GIVEN_UP_SECONDS, LAG_SECONDS
from waypost.notifier.state import Overwritten
from waypost.ports.cluster import Conflict, Kind, Rejected, Unavailable

from tests.notifier.place import NAMESPACE, RELEASE, SOON, STATE, place, sink

pytestmark = pytest.mark.looptime
CHAT = "https://chat.example/hook"
DOWN = Answer(None, "chat.example cannot be reached")


async def test_an_approval_and_a_failure_are_sent_once() -> None:
    """S729, S731"""
    p = place()
    async with p.serving():
        p.approval()
        p.failed_run()
        await asyncio.sleep(3 * LAG_SECONDS)
    assert sorted(one.what for one in p.received) == [
        ("ApprovalOpened", "ask"),
        ("RunFailed", "triage"),
    ]
    assert len({one.headers["webhook-id"] for one in p.received}) == 2
    assert "SECRET" not in repr(p.tried), "neither questions nor errors leave"
    assert p.counted("Delivered") == 2


async def test_a_blocked_schedule_is_sent() -> None:
    """S730"""
    p = place()
    async with p.serving():
        run = {"templateRef": {"name": "triage"}}
        spec = {"schedules": ["0 * * * *"], "template": {"spec": run}}
        p.put(Kind.AGENT_WORKFLOW_SCHEDULE, "hourly", spec=spec)
        blocked = {
            "type": "Blocked",
            "status": "True",
            "reason": "RunInProgress",
            "message": "",
            "lastTransitionTime": p.api.server.time(),
        }
        status = {"conditions": [blocked], "blockedBy": "hourly-1"}
        p.set_status(Kind.AGENT_WORKFLOW_SCHEDULE, "hourly", status)
        await asyncio.sleep(SOON)
    [one] = p.received
    assert one.what == ("ScheduleBlocked", "hourly")
    assert one.body["data"]["command"] == f"waypost schedules hourly -n {NAMESPACE}"


async def test_what_happened_before_the_first_start_is_not_sent() -> None:
    """S732"""
    p = place()
    p.approval("old")
    p.failed_run("older")
    await asyncio.sleep(60)
    async with p.serving():
        p.approval("new")
        await asyncio.sleep(SOON)
    assert [one.what for one in p.received] == [("ApprovalOpened", "new")]


async def test_what_happens_while_no_notifier_runs_is_sent_after() -> None:
    """S732"""
    p = place()
    async with p.serving():
        p.approval("first")
        await asyncio.sleep(SOON)
    p.approval("second")
    p.failed_run()
    await asyncio.sleep(20 * 3600)
    async with p.serving():
        await asyncio.sleep(SOON)
    assert [one.what[1] for one in p.received] == ["first", "second", "triage"]


async def test_a_restart_repeats_nothing_that_is_recorded() -> None:
    """S731"""
    p = place()
    async with p.serving():
        for number in range(20):
            p.failed_run(f"run-{number}")
        await asyncio.sleep(SOON)
    for _ in range(3):
        async with p.serving(crash=True):
            await asyncio.sleep(SOON)
    assert len(p.received) == 20


async def test_a_crash_between_sending_and_recording_repeats_with_the_same_id() -> None:
    """S731"""
    p = place()
    async with p.serving(crash=True):
        p.api.read_only = True
        p.failed_run()
        await asyncio.sleep(SOON)
    async with p.serving():
        await asyncio.sleep(SOON)
    first, second = p.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_a_dead_sink_delays_no_other() -> None:
    """S734"""
    p = place()
    hangs = asyncio.Event()
    inner = p.send

    async def send(url: str, headers: object, body: bytes) -> Answer:
        if url == CHAT:
            await hangs.wait()
        return await inner(url, headers, body)  # type: ignore[arg-type]

    p.send = send  # type: ignore[method-assign]
    async with p.serving(sink(), sink("pager")):
        for number in range(5):
            p.failed_run(f"run-{number}")
        await asyncio.sleep(SOON)
        assert {one.url for one in p.received} == {"https://pager.example/hook"}
        assert len(p.received) == 5
        hangs.set()
    assert len(p.received) >= 6


async def test_a_sink_that_comes_back_gets_everything() -> None:
    """S733"""
    p = place()
    p.answers[CHAT] = lambda _: DOWN
    async with p.serving():
        for number in range(5):
            p.failed_run(f"run-{number}")
        await asyncio.sleep(6 * 3600)
        tries = len(p.tried)
        assert 5 < tries < 60, "it is asked every ten minutes, and not for each message"
    del p.answers[CHAT]
    async with p.serving():
        await asyncio.sleep(SOON)
    assert sorted(one.what[1] for one in p.received) == [f"run-{n}" for n in range(5)]


async def test_after_a_day_a_message_is_given_up() -> None:
    """S733"""
    p = place()
    p.answers[CHAT] = lambda _: DOWN
    async with p.serving():
        p.failed_run()
        await asyncio.sleep(GIVEN_UP_SECONDS - 60)
        assert p.counted("GivenUp") == 0
        await asyncio.sleep(1200)
        assert p.counted("GivenUp") == 1
        tries = len(p.tried)
        del p.answers[CHAT]
        await asyncio.sleep(3600)
        assert len(p.tried) == tries
        p.failed_run("next")
        await asyncio.sleep(1200)
    assert [one.what[1] for one in p.received] == ["next"]


async def test_a_refused_message_delays_no_other() -> None:
    """S734"""
    p = place()
    p.answers[CHAT] = lambda one: Answer(400 if one.what[1] == "poison" else 200)
    async with p.serving():
        p.failed_run("poison")
        await asyncio.sleep(SOON)
        for number in range(5):
            p.failed_run(f"run-{number}")
        await asyncio.sleep(SOON)
        assert len(p.received) == 5
        del p.answers[CHAT]
        await asyncio.sleep(60)
    assert p.received[-1].what[1] == "poison"


async def test_retry_after_is_kept() -> None:
    """S733"""
    p = place()
    p.answers[CHAT] = lambda _: Answer(429, retry_after=300.0)
    async with p.serving():
        p.failed_run("one")
        await asyncio.sleep(SOON)
        del p.answers[CHAT]
        p.failed_run("two")
        await asyncio.sleep(600)
    assert [one.at - p.tried[0].at >= 300 for one in p.tried] == [False, True, True]
    assert len(p.received) == 2


async def test_an_answered_approval_is_not_sent_any_more() -> None:
    """S735"""
    p = place()
    p.answers[CHAT] = lambda _: DOWN
    async with p.serving():
        p.approval("answered")
        p.approval("deleted")
        p.approval("open")
        await asyncio.sleep(SOON)
        p.set_status(Kind.APPROVAL, "answered", {"state": "Approved"})
        await p.api.delete(Kind.APPROVAL, namespace=NAMESPACE, name="deleted")
        await asyncio.sleep(SOON)
        del p.answers[CHAT]
        await asyncio.sleep(600)
    assert [one.what[1] for one in p.received] == ["open"]
    assert p.counted("Withdrawn") == 2


async def test_a_warning_comes_when_a_tenth_of_the_time_is_left() -> None:
    """S730"""
    p = place()
    async with p.serving(sink(report=["ApprovalExpiring"])):
        p.approval(expiresAt=p.api.server.time(after=1000))
        began = p.clock.monotonic()
        await asyncio.sleep(1000)
    [one] = p.received
    assert one.at - began == pytest.approx(900, abs=2)


async def test_sinks_get_what_they_want() -> None:
    """S730"""
    p = place()
    async with p.serving(
        sink("a", namespaces=["oth*"]), sink("b", report=["RunFailed"]), sink("c", namespaces=["o"])
    ):
        p.approval()
        p.approval(namespace="other")
        p.failed_run()
        await asyncio.sleep(SOON)
    found = [(one.url[8], one.body["type"], one.body["data"]["namespace"]) for one in p.received]
    assert sorted(found) == [("a", "ApprovalOpened", "other"), ("b", "RunFailed", "default")]


async def test_only_the_served_namespaces_are_read() -> None:
    """S730"""
    p = place()
    async with p.serving(namespaces=("other",)):
        p.approval()
        p.approval("theirs", namespace="other")
        await asyncio.sleep(SOON)
    assert [one.what[1] for one in p.received] == ["theirs"]


async def test_a_kind_that_cannot_be_read_for_hours_loses_nothing() -> None:
    """S732: the time up to which all is delivered stays behind what was seen of every kind."""
    p = place()
    async with p.serving() as notifier:
        p.api.denied[Kind.APPROVAL] = Rejected("forbidden", code=403)
        p.approval()
        for number in range(6):
            p.failed_run(f"run-{number}")
            await asyncio.sleep(3600)
        assert notifier.ready
    assert [one.what[0] for one in p.received] == ["RunFailed"] * 6
    p.api.denied.clear()
    async with p.serving():
        await asyncio.sleep(60)
    assert p.received[-1].what == ("ApprovalOpened", "ask")
    assert len(p.received) == 7


async def test_a_change_while_the_watch_was_away_is_found_by_the_next_list() -> None:
    """S732"""
    p = place()
    async with p.serving():
        p.api.denied[Kind.AGENT_WORKFLOW] = Rejected("too old", code=410)
        await asyncio.sleep(120)
        p.failed_run()
        p.api.denied.clear()
        await asyncio.sleep(60)
    assert [one.what[1] for one in p.received] == ["triage"]


async def test_a_new_sink_starts_when_it_is_added() -> None:
    """S732: and one that was removed is forgotten."""
    p = place()
    async with p.serving(sink("a")):
        p.failed_run("first")
        await asyncio.sleep(60)
    async with p.serving(sink("b")):
        p.failed_run("second")
        await asyncio.sleep(SOON)
    assert [(one.url[8], one.what[1]) for one in p.received] == [("a", "first"), ("b", "second")]
    assert set(p.state()) == {"b"}


async def test_the_configmap_is_bounded_while_time_passes() -> None:
    """S732: what is older than an hour is a time and no list of ids."""
    p = place()
    async with p.serving():
        for number in range(12):
            p.failed_run(f"run-{number}")
            await asyncio.sleep(900)
        await asyncio.sleep(SOON)
        kept = p.state()["chat"]
        assert len(kept["delivered"]) <= 5
        assert p.now() - LAG_SECONDS - 900 <= kept["until"] <= p.now() - LAG_SECONDS
    assert len(p.received) == 12


async def test_the_first_start_waits_for_the_api_server() -> None:
    """S732"""
    p = place()
    p.api.fail_next("get", Kind.CONFIG_MAP, Unavailable("starting"), times=3)
    async with p.serving():
        await asyncio.sleep(60)
        p.failed_run()
        await asyncio.sleep(SOON)
    assert len(p.received) == 1


async def test_a_write_whose_answer_was_lost_is_no_other_program() -> None:
    """S731"""
    p = place()
    async with p.serving():
        p.api.fail_next("write", Kind.CONFIG_MAP, Unavailable("lost"), after_commit=True)
        p.failed_run()
        await asyncio.sleep(30)
        p.failed_run("second")
        await asyncio.sleep(30)
        assert len(p.state()["chat"]["delivered"]) == 2


async def test_a_second_notifier_ends_the_first() -> None:
    """S731: they would take turns to forget what the other has delivered."""
    p = place()
    task = asyncio.create_task(p.notifier().run(asyncio.Event()))
    await asyncio.sleep(SOON)
    data = {"data": {"chat": '{"until":0,"delivered":{},"open":{}}'}}
    p.api.server.update(
        Kind.CONFIG_MAP,
        namespace=RELEASE,
        name=STATE,
        change=lambda body: body.update(data),
        by="other",
    )
    p.failed_run()
    with pytest.raises(Overwritten, match=STATE):
        await task


async def test_a_change_of_labels_of_the_configmap_is_harmless() -> None:
    """S731: `helm upgrade` changes them."""
    p = place()
    async with p.serving():
        p.api.server.update(
            Kind.CONFIG_MAP,
            namespace=RELEASE,
            name=STATE,
            change=lambda body: body["metadata"].update(labels={"v": "2"}),
            by="helm",
        )
        p.failed_run()
        await asyncio.sleep(SOON)
        assert len(p.state()["chat"]["delivered"]) == 1


async def test_a_conflict_that_stays_is_an_error_of_the_request() -> None:
    p = place()
    async with p.serving():
        p.api.fail_next("write", Kind.CONFIG_MAP, Conflict("stale", code=409), times=2)
        p.failed_run()
        await asyncio.sleep(30)
        assert len(p.state()["chat"]["delivered"]) == 1


async def test_a_stop_finishes_what_is_being_sent() -> None:
    """S731"""
    p = place()
    async with p.serving():
        p.failed_run()
        await asyncio.sleep(0.001)
    assert len(p.received) == len(p.state()["chat"]["delivered"])


async def test_the_gauges_show_what_waits() -> None:
    p = place()
    p.answers[CHAT] = lambda _: DOWN
    async with p.serving():
        p.failed_run()
        await asyncio.sleep(100)
        value = p.metrics.registry.get_sample_value
        assert value("waypost_notifier_pending", {"sink": "chat"}) == 1
        assert value("waypost_notifier_oldest_seconds", {"sink": "chat"}) == pytest.approx(
            100, abs=1
        )
