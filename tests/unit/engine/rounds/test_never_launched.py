"""Attempts that a round keeps for `effect: once` and that turn out never to have started."""

import pytest
from waypost.api.base import JsonObject
from waypost.engine.state.decision import Launch

from tests.support.builders import container, job_of, python, spec
from tests.support.play import Crash, Ending, Play, never_ends, writes

WRITES_NULL = writes("")
ONCE = spec(
    python("draft"),
    container("push", effect="once", inputs={"v": "${nodes.draft.output}"}),
    python("tell", dependsOn=["push"]),
)


def dispositions(play: Play) -> dict[str, str | None]:
    return {entry.path: entry.disposition for entry in play.status.nodes}


def never_launched(raw: JsonObject = ONCE) -> Play:
    """The operator died when it had recorded the attempt of `push`, before it created its Job."""
    play = Play(raw, endings={"push": [WRITES_NULL]})
    play.step()
    play.advance()
    with pytest.raises(Crash):
        play.step(crash_after=1)
    assert (play.phases["push"], list(play.jobs)) == ("Running", [job_of("draft")])
    return play


@pytest.mark.parametrize(
    ("asked", "edited", "phase", "reason"),
    [
        pytest.param({"skip": ["draft"]}, {}, "Skipped", "DependencySkipped", id="skipped"),
        pytest.param({"outputs": {"draft": 7}}, {}, "Succeeded", None, id="another-input"),
        pytest.param({"from": ["draft"]}, {}, "Succeeded", None, id="runs-again"),
        pytest.param({}, {"inputs": {"v": 8}}, "Succeeded", None, id="edited"),
        pytest.param({}, {"when": "${false}"}, "Skipped", "ConditionFalse", id="condition"),
    ],
)
def test_s53_a_once_attempt_that_was_never_launched_is_decided_on_again(
    asked: JsonObject, edited: JsonObject, phase: str, reason: str | None
) -> None:
    play = never_launched()
    play.edit_node("push", **edited)
    play.rerun(**asked).step()
    assert dispositions(play)["push"] == "Adopted", "it may have been launched"
    play.finish()
    push = play.node("push")
    assert (push.phase, push.reason) == (phase, reason)
    first = (push.attempts or [])[0]
    assert (first.reason, first.never_started) == ("Superseded", True)
    assert play.executions.get(("push", 1)) is None
    assert play.executions.get(("push", 2)) == (1 if phase == "Succeeded" else None)
    assert "its attempt had not started" in (push.disposition_message or "")


def test_s84_a_once_node_that_is_decided_on_again_has_a_fresh_checkpoint() -> None:
    """It waits for `draft`, which runs again: neither its deadline nor its inputs are known yet."""
    push = container("push", effect="once", inputs={"v": "${nodes.draft.output}"}, deadline="1h")
    play = never_launched(spec(python("draft"), push))
    assert play.node("push").deadline_at is not None
    play.rerun(**{"from": ["draft"]})
    play.endings = {**play.endings, "draft": [never_ends()]}
    for _ in range(3):
        play.step()
        play.advance(20)
    entry = play.node("push")
    assert entry.phase == "Pending"
    assert (entry.round, entry.attempt) == (2, 1)
    assert (entry.input_digest, entry.started_at, entry.deadline_at) == (None, None, None)
    assert (entry.fingerprint, entry.disruptions, entry.launch_retries) == (None, None, None)


def test_s53_a_once_attempt_that_nothing_has_changed_for_is_launched_in_the_new_round() -> None:
    play = never_launched()
    play.rerun(**{"from": ["tell"]}).finish()
    assert play.executions["push", 1] == 1
    assert play.node("push").attempt == 1


@pytest.mark.parametrize(
    ("ending", "phase", "reason"),
    [
        pytest.param(WRITES_NULL, "Succeeded", None, id="it-had-ended"),
        pytest.param(never_ends(), "Failed", "UnknownEffect", id="it-was-stopped"),
    ],
)
def test_s53_a_once_attempt_that_is_launched_at_last_is_not_repeated(
    ending: Ending, phase: str, reason: str | None
) -> None:
    """Another operator, frozen since its look, creates the Job when the stop is stored."""
    play = never_launched()
    launch = next(each for each in play.decisions[-1].after if isinstance(each, Launch))
    play.endings = {"push": [ending]}
    play.rerun(skip=["draft"]).step()
    assert play.node("push").open_attempt is not None
    play._apply(launch)
    play.advance()
    play.finish()
    assert (play.phases["push"], play.node("push").reason) == (phase, reason)
    assert [key for key in play.executions if key[0] == "push"] == [("push", 1)]
