"""A run that stands still on a refused spec can be cancelled, whatever the spec says."""

import pytest
from waypost.api.base import JsonObject
from waypost.engine.state.decision import DeleteRun

from tests.support.builders import gate, python, spec, wait
from tests.support.play import Crash, Play, launches, never_ends, raises, returns

RUN = spec(
    python("done"),
    python("runs", effect="once"),
    gate("asks"),
    wait("waits", duration="1h"),
    python("fails", onFailure="Continue"),
    python("later", inputs={"v": "${nodes.runs.output}"}),
)
ENDINGS = {"runs": [never_ends()], "fails": [raises()]}
REFUSED = [
    pytest.param(
        spec(python("done", inputs={"v": "${nodes.x.output}"})), "there is no node 'x'", id="typo"
    ),
    pytest.param({"nodes": "none"}, "nodes", id="unreadable"),
    pytest.param(spec(gate("runs"), python("asks"), python("x")), "rerun.from", id="other-kinds"),
]
ROUND = {"round": 2, "from": ["nobody"]}


def standing(raw: JsonObject) -> Play:
    """A run with a node in every phase, its next round refused."""
    play = Play(RUN, endings=ENDINGS)
    for _ in range(3):
        play.step()
        play.advance()
    play.spec = {**raw, "rerun": ROUND}
    play.generation += 1
    play.step()
    assert play.condition("Accepted")[0] == "False"
    assert (play.phases["runs"], play.phases["asks"]) == ("Running", "Waiting")
    return play


@pytest.mark.parametrize(("raw", "says"), REFUSED)
def test_a_refused_round_does_not_keep_a_run_from_being_cancelled(
    raw: JsonObject, says: str
) -> None:
    play = standing(raw)
    before = {path: play.node(path) for path in ("done", "fails")}
    since = len(play.decisions)
    play.edit(cancel=True).finish()
    assert play.phases == {
        **dict.fromkeys(("runs", "asks", "waits", "later"), "Cancelled"),
        "done": "Succeeded",
        "fails": "Failed",
    }
    assert {path: play.node(path) for path in before} == before, "results that are in stay"
    assert play.status.phase == "Cancelled"
    assert play.status.cancelled_at is not None
    assert play.condition("Accepted")[0] == "False"
    assert says in play.condition("Accepted")[2]
    assert play.condition("Finished")[0] == "True"
    assert "create a new one" in play.condition("Stalled")[2]
    assert [fact.status.state for fact in play.approvals.values()] == ["Withdrawn"]
    assert all(pod.over and not pod.held for pod in play.pods.values())
    assert not any(launches(decision) for decision in play.decisions[since:])


@pytest.mark.parametrize(("raw", "says"), REFUSED)
def test_what_is_cancelled_stays_so(raw: JsonObject, says: str) -> None:
    play = standing(raw)
    play.edit(cancel=True).finish()
    ended = play.status
    play.step()
    assert play.status == ended, f"no write says again what is wrong with {says}"
    play.spec = {**RUN, "rerun": {"round": 2}}
    play.edit(ttlSecondsAfterFinished=1).step()
    assert play.status.phase == "Cancelled"
    assert "the run was cancelled, which is final" in play.condition("Accepted")[2]


def test_a_result_that_waited_on_its_pod_is_taken() -> None:
    """By the schema it was made under, whatever the spec asks for now."""
    play = standing(spec(python("runs", outputSchema={"type": "object"})))
    play.endings = {"runs": [returns("late")]}
    play.advance()
    play.edit(cancel=True).finish()
    assert play.node("runs").output == "late"


def test_s81_a_result_is_taken_though_its_node_has_become_one_without_a_pod() -> None:
    """The stand-in of a node with an open attempt has a pod, whatever the spec has now."""
    play = standing(spec(wait("runs", duration="1h"), python("x", inputs={"v": "${nodes.y}"})))
    play.endings = {"runs": [returns("late")]}
    play.advance()
    play.edit(cancel=True).finish()
    assert (play.node("runs").phase, play.node("runs").output) == ("Succeeded", "late")


def test_s84_a_superseded_program_ends_before_the_wait_that_replaces_it_begins() -> None:
    play = Play(spec(python("a")), endings={"a": [never_ends()]})
    for _ in range(3):
        play.step()
        play.advance()
    assert play.phases["a"] == "Running"
    play.spec = {**spec(wait("a", duration="5s")), "rerun": {"round": 2, "from": ["a"]}}
    play.generation += 1
    play.step()
    assert play.phases["a"] == "Superseding"
    play.finish()
    (attempt,) = play.node("a").attempts or []
    assert attempt.reason == "Superseded"
    assert all(pod.over and not pod.held for pod in play.pods.values())
    assert play.phases["a"] == "Succeeded"


def test_an_attempt_without_a_job_is_not_launched_from_what_the_spec_says_now() -> None:
    play = Play(spec(python("a"), python("b")))
    with pytest.raises(Crash):
        play.step(crash_after=1)
    assert play.phases["a"] == "Running"
    assert not play.jobs
    play.spec = {**spec(python("a", source="def run(): return 2")), "rerun": ROUND}
    play.edit(cancel=True).finish()
    assert not play.jobs
    assert play.status.phase == "Cancelled"


@pytest.mark.parametrize("crash_after", range(4))
def test_a_crash_while_it_is_cancelled_loses_nothing(crash_after: int) -> None:
    play = standing(spec(python("x")))
    play.edit(cancel=True)
    for _ in range(8):
        try:
            play.step(crash_after=crash_after)
        except Crash:
            play.advance(0.2)
    play.finish()
    assert play.status.phase == "Cancelled"
    assert all(pod.over and not pod.held for pod in play.pods.values())


def test_a_round_that_waits_for_a_word_on_a_once_node() -> None:
    raw = spec(python("a", effect="once", onFailure="Pause"), python("b"))
    play = Play(raw, endings={"a": [raises()], "b": [never_ends()]})
    for _ in range(3):
        play.step()
        play.advance()
    play.rerun().step()
    assert "node a has effect: once" in play.condition("Accepted")[2]
    play.edit(cancel=True).finish()
    assert play.phases == {"a": "Failed", "b": "Cancelled"}
    assert play.status.phase == "Cancelled"


def test_a_cancelled_run_is_deleted_when_its_time_is_up() -> None:
    play = standing(spec(python("x")))
    play.edit(cancel=True, ttlSecondsAfterFinished=60).finish()
    play.advance(61)
    assert any(isinstance(action, DeleteRun) for action in play.step().after)


def test_what_modifiers_have_begun_ends_too() -> None:
    """Of a map and of a loop the definition is not known: a stand-in ends what runs."""
    loop = {"until": "${self.output == 1}", "max": 3}
    raw = spec(python("map", forEach={"items": "${[1, 2]}"}), python("loop", repeat=loop))
    endings = {"map/0": [returns(0)], "map/1": [never_ends()], "loop/0": [never_ends()]}
    play = Play(raw, endings=endings)
    for _ in range(3):
        play.step()
        play.advance()
    play.spec = {**spec(python("x", after=["y"])), "rerun": ROUND}
    play.generation += 1
    play.step()
    assert play.condition("Accepted")[0] == "False"
    play.edit(cancel=True).finish()
    assert play.phases == {"map": "Cancelled", "loop": "Cancelled"}
    assert sorted(play.launched) == ["loop/0", "map/0", "map/1"], "nothing else starts"
