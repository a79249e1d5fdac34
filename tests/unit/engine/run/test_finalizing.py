"""The stage of finally, pass by pass: what one write holds, what it waits for, and rounds."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.engine.state.decision import DeleteRun, StopAttempt
from waypost.kube.timestamps import parse_timestamp

from tests.support.builders import agent, gate, job, job_of, pod, python, running, spec
from tests.support.play import Crash, Play, launches, masked, never_ends, raises, returns
from tests.unit.engine.nodes.test_agent import play as with_agents

CLEAN: JsonObject = python(
    "clean", inputs={"phase": "${run.phase}", "failed": "${run.failures.map(f, f.node)}"}
)


def with_finally(*nodes: JsonObject, last: Any = (CLEAN,), **fields: Any) -> JsonObject:
    return spec(*nodes, **{"finally": list(last), **fields})


def in_finally(play: Play) -> Play:
    """Play until the verdict is there."""
    for _ in range(20):
        play.step()
        if play.status.verdict is not None:
            return play
        play.advance(1)
    raise AssertionError(play.phases)


def test_s120_one_write_holds_the_end_the_verdict_and_the_deadline() -> None:
    play = in_finally(Play(with_finally(python("a"), finallyDeadline="90s")))
    assert play.node("a").phase == "Succeeded"
    assert play.status.stage == "Finalizing"
    at = parse_timestamp(play.status.finally_deadline_at)
    assert at == play.now + timedelta(seconds=90)
    assert not launches(play.decisions[-1]), "finally starts only once that write has landed"
    assert [event.reason for event in play.decisions[-1].events] == ["FinallyBegun"]


def test_s120_runs_without_finally_have_no_stage() -> None:
    status = Play(spec(python("a"))).finish().status
    assert (status.stage, status.verdict, status.finally_deadline_at) == (None, None, None)
    assert not any(c.type == "FinallySucceeded" for c in status.conditions)


def test_s129_finally_starts_after_a_live_look() -> None:
    play = in_finally(Play(with_finally(python("a"))))
    assert play.planned().live, "a program of an earlier round may still run"
    play.step()
    assert [one.path for one in launches(play.decisions[-1])] == ["clean"]
    assert not play.planned().live, "once is enough"


@pytest.mark.parametrize(
    ("found", "waits"),
    [
        pytest.param({"pods": (running("old"),)}, True, id="runs"),
        pytest.param({"pods": (pod("old"),)}, True, id="will-run"),
        pytest.param(
            {"pods": (running("old", owned_by="Job/debug", held=False),)}, False, id="copy"
        ),
        pytest.param({"pods": (pod("old", phase="Failed", terminated=True),)}, False, id="over"),
        pytest.param({"jobs": {job_of("old"): job("old")}}, True, id="job-without-a-pod"),
        pytest.param({"jobs": {job_of("old"): job("old", halted=True)}}, False, id="stopped-job"),
    ],
)
def test_s129_finally_waits_for_what_a_round_removed(found: dict[str, Any], waits: bool) -> None:
    play = in_finally(Play(with_finally(python("a"))))
    play.overrides = {"pods": (), **found, "live": True, "live_at": play.now}
    if "jobs" not in found:
        play.overrides["jobs"] = {}
    decision = play.step()
    assert bool(launches(decision)) is not waits
    stops = [action.job for action in decision.after if isinstance(action, StopAttempt)]
    assert (job_of("old") in stops) is ("jobs" in found and waits)
    assert decision.requeue_at is not None


def test_s129_finally_waits_until_no_fence_of_the_last_round_holds() -> None:
    play = in_finally(Play(with_finally(python("a")))).finish()
    play.edit(nodes=[python("b")]).rerun()
    began = play.now
    in_finally(play)
    for _ in range(30):
        if launches(play.step()):
            break
        play.now = play.requeue or play.now
    assert launches(play.decisions[-1])
    assert (play.now - began).total_seconds() >= 12


def test_s125_a_cancel_does_not_change_the_verdict() -> None:
    play = in_finally(Play(with_finally(python("a")), endings={"clean": [never_ends()]}))
    verdict = play.status.verdict
    play.edit(cancel=True)
    for _ in range(3):
        play.step()
        play.advance(1)
    assert play.status.verdict == verdict
    assert play.phases["clean"] == "Running"
    assert play.status.cancelled_at is not None


def test_s120_finally_does_not_wait_for_a_node_that_paused_a_cancelled_run() -> None:
    last = python("clean", inputs={"v": "${nodes.a.phase}"})
    play = Play(
        with_finally(python("a", onFailure="Pause"), last=[last]), endings={"a": [raises()]}
    )
    for _ in range(4):
        play.step()
        play.advance(1)
    assert play.status.verdict is None, "it waits for a person"
    play.edit(cancel=True).finish()
    assert play.phases == {"a": "Failed", "clean": "Succeeded"}
    assert play.status.phase == "Cancelled"


def test_s122_the_deadline_of_the_run_does_not_count_in_finally() -> None:
    raw = with_finally(python("a"), deadline="30s")
    play = in_finally(Play(raw, endings={"clean": [never_ends()]}))
    play.step()
    play.advance(60)
    play.step()
    attempt = play.node("clean").open_attempt
    assert attempt is not None
    assert attempt.stopping is None


def test_s121_failures_are_listed_in_the_order_of_the_graph() -> None:
    nodes = [python(f"n{i}", onFailure="Continue") for i in range(25)]
    play = Play(
        with_finally(*nodes, last=[{**CLEAN, "outputSchema": {"type": "object"}}], parallelism=30),
        endings={**{f"n{i}": [raises()] for i in range(25)}, "clean": [returns({})]},
    ).finish()
    assert play.status.verdict is not None
    assert play.status.verdict.reason == "CompletedWithFailures"
    request = next(
        launch for d in play.decisions for launch in launches(d) if launch.path == "clean"
    )
    text = str(request.job)
    assert '"failed":["n0","n1"' in text.replace('\\"', '"')
    assert "n20" not in text, "the first 20"


def test_s127_a_round_during_the_graph_leaves_finally_pending() -> None:
    play = Play(with_finally(python("a"), python("b")), endings={"a": [never_ends()]})
    play.step()
    play.advance(1)
    play.rerun(**{"from": ["b"]}).step()
    clean = play.node("clean")
    assert (clean.phase, clean.disposition, clean.stage) == ("Pending", None, "Finalizing")
    assert clean.repeats == 1, "the round is in its idempotency key"


@pytest.mark.parametrize(
    ("first", "second", "path", "says"),
    [
        pytest.param(
            with_finally(python("a"), last=[python("x", effect="once")]),
            with_finally(python("a"), python("x", effect="once"), last=[CLEAN]),
            "x",
            "moved out of finally",
            id="out-of-finally",
        ),
        pytest.param(
            with_finally(python("a"), python("x", effect="once"), last=[CLEAN]),
            with_finally(python("a"), last=[CLEAN, python("x", effect="once")]),
            "x",
            "moved to finally",
            id="to-finally",
        ),
    ],
)
def test_s127_a_node_that_moves_is_new(
    first: JsonObject, second: JsonObject, path: str, says: str
) -> None:
    play = Play(first).finish()
    keys = [play.manifests[path, 1]]
    play.spec = second
    play.rerun().finish()
    assert says in (play.node(path).disposition_message or "")
    assert play.node(path).attempt == 2, "numbers continue"
    keys.append(play.manifests[path, 2])
    assert len({_key(one) for one in keys}) == 2
    assert play.status.phase == "Succeeded"


def _key(job_: JsonObject) -> str:
    return str(job_).split("idempotencyKey")[1][:60]


def test_s127_an_edit_of_finally_asks_no_approval_again() -> None:
    """A yes covers what follows from it; finally runs after a no, too (B1)."""
    last = python("clean", inputs={"v": "${nodes.ok.phase}"})
    play = Play(with_finally(gate("ok"), last=[last]), answers={"ok": {"decision": "Approved"}})
    play.finish()
    play.edit(**{"finally": [{**last, "timeout": "1m", "when": "${true}"}]}).rerun().finish()
    assert play.node("ok").disposition == "Reused"
    assert len(play.approvals) == 1
    assert play.node("clean").attempt == 2


def test_s128_a_running_node_that_moves_to_finally_is_stopped_before_the_verdict() -> None:
    """In its new place it starts when everything else has ended."""
    play = Play(with_finally(python("a"), python("x")), endings={"x": [never_ends(), returns(1)]})
    play.step()
    play.advance(1)
    play.spec = with_finally(python("a"), last=[CLEAN, python("x")])
    in_finally(play.rerun())
    assert play.phases["x"] == "Pending", "no main program runs from the verdict on (VF1)"
    play.finish()
    assert play.phases == dict.fromkeys(("a", "clean", "x"), "Succeeded")
    first, second = play.node("x").attempts or []
    assert first.reason == "Superseded"
    assert play.status.verdict is not None
    assert second.launched_at >= (first.finished_at or "")


@pytest.mark.parametrize(
    "update",
    [
        pytest.param({"nodes": [python("a", inputs={"v": "${nodes.x.output}"})]}, id="invalid"),
        pytest.param({"nodes": "none"}, id="unreadable"),
    ],
)
def test_s128_a_cancel_ends_a_run_whose_next_spec_is_refused(update: JsonObject) -> None:
    """Without the definitions of its nodes, finally can only be stopped. The verdict stays."""
    play = in_finally(Play(with_finally(python("a")), endings={"clean": [never_ends()]}))
    play.step()
    play.advance(1)
    play.edit(**update).rerun().step()
    assert play.status.finished_at is None
    play.edit(cancel=True).finish()
    assert play.status.phase == "Succeeded"
    assert play.phases == {"a": "Succeeded", "clean": "Cancelled"}
    assert not launches(play.decisions[-1])


def test_s128_an_invalid_round_is_reported_when_finally_has_ended() -> None:
    play = in_finally(Play(with_finally(python("a"))))
    play.step()
    play.advance(1)
    play.edit(nodes=[python("a", timeout="0s")]).rerun()
    assert "timeout" in str(play.observe().definition.problems)
    play.finish()
    assert play.phases["clean"] == "Succeeded"
    assert play.status.observed_generation == 1, "the status is about the round before"
    play.step()
    assert play.condition("Accepted")[0] == "False"
    assert "timeout" in play.condition("Accepted")[2]
    assert play.status.round == 1


def test_s128_a_refused_spec_never_starts_a_stand_in() -> None:
    """A cancelled run whose spec is refused ends without finally: nobody knows what it was."""
    play = Play(with_finally(python("a"), gate("ok")), endings={"a": [never_ends()]})
    play.step()
    play.advance(1)
    play.edit(nodes="none").rerun().step()
    since = len(play.decisions)
    play.edit(cancel=True).finish()
    assert play.phases["clean"] == "Cancelled"
    assert not any(launches(decision) for decision in play.decisions[since:])
    assert play.condition("FinallySucceeded")[:2] == ("False", "FinallySkipped")


def test_s128_the_run_is_not_deleted_between_the_rounds() -> None:
    """Finally ends in a pass in which no pod holds the run any more."""
    last = python("clean", when="${run.phase == 'Failed'}")
    play = in_finally(Play(with_finally(python("a"), last=[last], ttlSecondsAfterFinished=0)))
    play.rerun()
    for _ in range(30):
        decision = play.step()
        play.advance(1)
        if play.status.round == 2:
            break
        assert not any(isinstance(action, DeleteRun) for action in decision.after)
    assert play.status.round == 2


def test_s130_agents_of_finally_reserve_nothing_while_the_graph_runs() -> None:
    fields: dict[str, Any] = {"budget": {"tokens": 100}, "finally": [agent("report")]}
    play = with_agents(agent("think"), **fields)
    play.step()
    attempt = play.node("think").open_attempt
    assert attempt is not None
    assert attempt.allotment is not None
    assert attempt.allotment.tokens == 100


BUSY = with_finally(
    python("a"),
    python("b", onFailure="Continue"),
    last=[CLEAN, python("more", dependsOn=["clean"], retry={"limit": 1})],
    outputs={"phase": "${nodes.more.phase}"},
)
BUSY_ENDS = {"b": [raises()], "more": [raises(), returns(1)]}


@pytest.mark.parametrize("at", range(24))
def test_t2_a_crash_at_any_effect_changes_nothing(at: int) -> None:
    """The operator dies after each effect of each pass of a run with finally."""
    whole = Play(BUSY, endings=BUSY_ENDS).finish()
    play = Play(BUSY, endings=BUSY_ENDS)
    seen = 0
    for _ in range(200):
        before, effects = play.status, None
        try:
            probe = at - seen
            decision = play.step(crash_after=probe if probe >= 0 else None)
            effects = len(decision.before) + len(decision.after)
            seen += effects + (decision.status != before)
        except Crash:
            seen = at + 1
        if play.finished:
            break
        play.advance(0.2)
        if play.status == before and play.requeue is not None:
            play.now = max(play.now, play.requeue)
    assert masked(play.status) == masked(whole.status)
    assert all(count == 1 for count in play.executions.values())
