"""`first`: which candidate is chosen, what becomes of the others, and that nothing changes it."""

import contextlib
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.status import NodeStatus
from waypost.kube.facts.jobs import WriteProblem
from waypost.protocol.work import Usage

from tests.support.builders import agent, gate, python, spec, wait
from tests.support.maps import refuse_records, steps
from tests.support.play import Crash, Play, never_ends, raises, returns, uses
from tests.unit.engine.nodes.test_agent import world

SCORED = {
    "type": "object",
    "properties": {"score": {"type": "number"}},
    "required": ["score"],
}
GOOD = "${candidate.output.score >= 0.8}"


def first(*of: str, accept: str | None = None, others: str | None = None, **fields: Any) -> Any:
    block: JsonObject = {"of": list(of)}
    block |= {k: v for k, v in (("accept", accept), ("others", others)) if v is not None}
    return {"name": "best", "first": block, **fields}


def scored(name: str, **fields: Any) -> JsonObject:
    return python(name, outputSchema=SCORED, **fields)


def score(value: float) -> Any:
    return returns({"score": value})


def chosen(play: Play) -> str | None:
    state = play.node("best").first
    return state.chosen if state is not None else None


def race(*nodes: JsonObject, **endings: Any) -> Play:
    scripts = {name: [ending] for name, ending in endings.items()}
    return Play(spec(*nodes), endings=scripts)


def both_running(*nodes: JsonObject) -> Play:
    """`quick` and `deep` run; `quick` is about to be chosen, and `deep` continues."""
    play = race(*nodes, first("quick", "deep"), quick=never_ends(), deep=never_ends())
    play.step()
    play.endings = {"quick": [score(1)], "deep": [never_ends()]}
    play.advance()
    return play


def ends_while_stopped(play: Play, ending: Any) -> None:
    """`quick` is chosen in this pass; the program of `deep` ends as scripted all the same."""
    uid = next(uid for uid, pod in play.pods.items() if pod.path == "deep")
    running = play.pods[uid]
    play.step()
    play.pods[uid] = ending(running)
    play.finish()


ENDS = [
    pytest.param(
        {"quick": score(0.9), "deep": never_ends()},
        "quick",
        {"quick": "Succeeded", "deep": "Cancelled"},
        id="the first that is accepted",
    ),
    pytest.param(
        {"quick": score(0.1), "deep": score(0.9)},
        "deep",
        {"quick": "Succeeded", "deep": "Succeeded"},
        id="one that is not accepted falls out",
    ),
    pytest.param(
        {"quick": raises(), "deep": score(0.9)},
        "deep",
        {"quick": "Failed", "deep": "Succeeded"},
        id="one that fails falls out, and does not fail the run",
    ),
    pytest.param(
        {"quick": score(0.8), "deep": score(1.0)},
        "quick",
        {"quick": "Succeeded", "deep": "Succeeded"},
        id="ends of one write are judged in the order of the list",
    ),
]


@pytest.mark.parametrize(("endings", "winner", "phases"), ENDS)
def test_s222_the_first_accepted_candidate_is_chosen(
    endings: dict[str, Any], winner: str, phases: dict[str, str]
) -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep", accept=GOOD)]
    play = race(*nodes, python("use", inputs={"v": "${nodes.best.output.score}"}), **endings)
    play.finish()
    assert chosen(play) == winner
    assert play.phases == {**phases, "best": "Succeeded", "use": "Succeeded"}
    assert play.node("best").output == play.node(winner).output
    assert play.node("best").output_digest == play.node(winner).output_digest
    assert play.status.phase == "Succeeded"


def test_s222_the_order_is_that_of_recorded_ends_and_not_of_the_list() -> None:
    play = race(
        scored("slow"), scored("fast"), first("slow", "fast"), slow=never_ends(), fast=score(0.5)
    )
    play.finish()
    assert chosen(play) == "fast"
    assert play.reasons["slow"] == "NotChosen"
    assert play.node("slow").message == "stopped: best chose fast"


def test_s221_without_accept_every_success_is_accepted_and_no_fallback_is() -> None:
    quick = python("quick", onFailure="Continue", fallbackOutput={"score": 1})
    play = race(quick, scored("deep"), first("quick", "deep"), quick=raises(), deep=score(0.1))
    play.finish()
    assert chosen(play) == "deep"


def test_s223_the_choice_is_in_the_write_that_records_the_end() -> None:
    play = race(
        scored("quick"), scored("deep"), first("quick", "deep"), quick=score(1), deep=never_ends()
    )
    play.step()
    assert play.node("best").phase == "Waiting"
    play.advance()
    decision = play.step()
    status = {node.path: node for node in decision.status.nodes}
    assert status["quick"].phase == status["best"].phase == "Succeeded"
    attempt = status["deep"].open_attempt
    assert attempt is not None
    assert attempt.stopping == "NotChosen", "in the same write"


@pytest.mark.parametrize("crash_after", range(5))
def test_s223_a_crash_at_any_write_changes_nothing(crash_after: int) -> None:
    plain = race(
        scored("quick"),
        scored("deep"),
        first("deep", "quick", accept=GOOD),
        quick=score(1),
        deep=never_ends(),
    ).finish()
    play = race(
        scored("quick"),
        scored("deep"),
        first("deep", "quick", accept=GOOD),
        quick=score(1),
        deep=never_ends(),
    )
    for _ in range(8):
        with contextlib.suppress(Crash):
            play.step(crash_after=crash_after)
        play.advance(0.1)
    play.finish()
    assert chosen(play) == chosen(plain) == "quick"
    assert play.phases == plain.phases


def test_s222_a_candidate_that_ended_before_the_node_could_begin_is_judged_then() -> None:
    nodes = [
        scored("quick"),
        scored("deep"),
        python("gatekeeper"),
        first("deep", "quick", accept=GOOD, after=["gatekeeper"]),
    ]
    play = race(*nodes, quick=score(0.9), deep=never_ends(), gatekeeper=never_ends())
    play.step()
    play.advance()
    play.step()
    assert play.phases["quick"] == "Succeeded"
    assert play.phases["best"] == "Pending", "it waits for gatekeeper"
    play.endings = {**play.endings, "gatekeeper": [returns(None)]}
    play.finish()
    assert chosen(play) == "quick"
    assert play.phases["deep"] == "Cancelled"


def test_s222_candidates_that_ended_before_are_judged_in_the_order_of_their_ends() -> None:
    nodes = [
        scored("a"),
        scored("b"),
        python("gatekeeper"),
        first("a", "b", after=["gatekeeper"]),
    ]
    play = race(*nodes, a=never_ends(), b=score(0.2), gatekeeper=never_ends())
    play.step()
    play.advance(1)
    play.step()
    play.endings = {"a": [score(0.1)], "gatekeeper": [never_ends()]}
    play.advance(1)
    play.step()
    assert play.phases["a"] == play.phases["b"] == "Succeeded"
    play.endings = {"gatekeeper": [returns(None)]}
    play.finish()
    assert chosen(play) == "b"


def test_s222_a_candidate_is_judged_once() -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep", accept=GOOD)]
    play = race(*nodes, quick=score(0.1), deep=never_ends())
    play.step()
    play.advance()
    play.step()
    state = play.node("best").first
    assert state is not None
    assert state.rejected == ["quick"]


def test_s224_none_accepted() -> None:
    play = race(
        scored("quick"),
        scored("deep"),
        python("local", when="${false}"),
        first("quick", "deep", "local", accept="${candidate.name == 'local'}"),
        quick=score(0.1),
        deep=raises("no model"),
    )
    play.finish()
    best = play.node("best")
    assert (best.phase, best.reason) == ("Failed", "NoneAccepted")
    assert best.message == (
        "none of 3 candidates was accepted: quick: accept was false; "
        "deep: Failed (NodeError); local: Skipped (ConditionFalse)"
    )
    assert play.status.phase == "Failed"
    assert play.condition("Succeeded")[1] == "NoneAccepted"


def test_s224_on_failure_of_the_node_decides() -> None:
    best = first("quick", "deep", onFailure="Continue", fallbackOutput={"score": 0})
    play = race(scored("quick"), scored("deep"), best, quick=raises(), deep=raises())
    play.spec["outputs"] = {"score": "${nodes.best.output.score}"}
    play.finish()
    assert play.status.phase == "Succeeded"
    assert play.status.outputs == {"score": 0}


def test_s225_an_error_in_accept_fails_the_node_and_stops_the_candidates() -> None:
    accept = "${1 / int(candidate.output.score) > 0}"
    best = first("quick", "deep", accept=accept, onFailure="Continue")
    play = race(scored("quick"), scored("deep"), best, quick=score(0), deep=never_ends())
    play.finish()
    assert play.reasons["best"] == "InputInvalid"
    assert "candidate quick" in (play.node("best").message or "")
    assert play.reasons["deep"] == "NotChosen"
    assert play.node("deep").message == "stopped: best failed: InputInvalid"


def test_s226_a_loser_that_never_started_starts_nothing() -> None:
    play = race(
        scored("quick"),
        python("deep", dependsOn=["late"]),
        python("late"),
        first("quick", "deep"),
        quick=score(1),
    )
    play.spec["parallelism"] = 1
    play.finish()
    assert play.phases["deep"] == "Cancelled"
    assert (play.reasons["deep"], play.node("deep").message) == ("NotChosen", "best chose quick")
    assert "deep" not in play.launched
    assert play.phases["late"] == "Succeeded", "only candidates are stopped"
    assert play.status.phase == "Succeeded"


def test_s226_a_loser_in_backoff_is_not_retried() -> None:
    deep = scored("deep", retry={"limit": 3, "backoff": {"initial": "1h"}})
    play = race(scored("quick"), deep, first("quick", "deep"), quick=score(1), deep=raises())
    play.endings = {**play.endings, "quick": [never_ends()]}
    play.step()
    play.advance()
    play.step()
    assert play.phases["deep"] == "Backoff"
    play.endings = {**play.endings, "quick": [score(1)]}
    play.finish()
    assert play.reasons["deep"] == "NotChosen"
    assert play.node("deep").attempt == 1


def test_s226_a_wait_among_the_candidates_is_a_time_limit() -> None:
    nodes = [scored("deep"), wait("limit", duration="10m"), first("deep", "limit")]
    play = race(*nodes, deep=never_ends())
    play.finish()
    assert chosen(play) == "limit"
    assert play.node("best").output == play.node("limit").output
    assert play.reasons["deep"] == "NotChosen"


def test_s226_a_wait_that_is_over_at_once_keeps_a_loser_from_being_launched() -> None:
    nodes = [wait("past", until="2020-01-01T00:00:00Z"), scored("deep"), first("deep", "past")]
    play = race(*nodes, deep=never_ends())
    play.finish()
    assert chosen(play) == "past"
    assert play.launched == []


@pytest.mark.parametrize(
    "loop",
    [
        pytest.param({}, id="a node"),
        pytest.param({"repeat": {"until": "${true}", "max": 3}}, id="an iteration"),
    ],
)
def test_s226_a_choice_takes_back_the_launch_of_a_loser(loop: JsonObject) -> None:
    """One pass starts `deep`, ends `past` and chooses: all three wait for `late`."""
    nodes = [
        scored("quick"),
        python("late", dependsOn=["quick"]),
        scored("deep", dependsOn=["late"], **loop),
        wait("past", until="2020-01-01T00:00:00Z", dependsOn=["late"]),
        first("quick", "deep", dependsOn=["past"]),
    ]
    play = race(*nodes, quick=score(1), deep=never_ends())
    play.finish()
    assert (chosen(play), play.reasons["deep"]) == ("quick", "NotChosen")
    assert play.launched == ["quick", "late"]


def test_s227_an_open_question_is_withdrawn_before_its_node_ends() -> None:
    play = race(gate("ask"), scored("quick"), first("ask", "quick"), quick=never_ends())
    play.step()
    play.endings = {"quick": [score(1)]}
    play.advance()
    play.step()
    assert chosen(play) == "quick"
    assert play.phases["ask"] == "Waiting"
    play.step()
    (fact,) = play.approvals.values()
    assert fact.status.state == "Withdrawn"
    play.finish()
    assert (play.phases["ask"], play.reasons["ask"]) == ("Cancelled", "NotChosen")
    assert play.status.phase == "Succeeded"


@pytest.mark.parametrize(
    ("answer", "winner", "reason"),
    [
        pytest.param({"decision": "Approved"}, "ask", None, id="approved"),
        pytest.param({"decision": "Denied"}, "limit", "ApprovalDenied", id="denied falls out"),
        pytest.param(None, "limit", "NotChosen", id="the wait is first"),
    ],
)
def test_s227_approved_or_expired(answer: Any, winner: str, reason: str | None) -> None:
    nodes = [gate("ask"), wait("limit", duration="10m"), first("ask", "limit")]
    play = Play(spec(*nodes), answers={} if answer is None else {"ask": answer})
    play.finish()
    assert chosen(play) == winner
    assert play.reasons["ask"] == reason
    assert play.status.phase == "Succeeded"


def test_s228_a_result_that_a_loser_has_recorded_stays() -> None:
    play = both_running(scored("quick"), scored("deep"))
    ends_while_stopped(play, score(0.7))
    assert play.phases["deep"] == "Succeeded"
    assert chosen(play) == "quick"


@pytest.mark.parametrize("on_failure", ["Fail", "Continue"])
def test_s228_a_loser_that_fails_while_it_is_stopped_is_cancelled(on_failure: str) -> None:
    deep = scored("deep", onFailure=on_failure, retry={"limit": 2})
    play = both_running(scored("quick"), deep)
    ends_while_stopped(play, raises())
    assert (play.phases["deep"], play.reasons["deep"]) == ("Cancelled", "NotChosen")
    assert play.node("deep").attempt == 1
    assert play.status.phase == "Succeeded"


def test_s229_others_that_finish() -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep", others="Finish")]
    play = race(*nodes, quick=score(1), deep=never_ends())
    play.step()
    play.advance()
    play.step()
    assert chosen(play) == "quick"
    assert play.phases["deep"] == "Running"
    play.endings = {**play.endings, "deep": [score(0)]}
    play.finish()
    assert play.phases["deep"] == "Succeeded"
    assert chosen(play) == "quick"


def test_s230_the_cost_of_losers_counts() -> None:
    used = Usage(input_tokens=100, output_tokens=10)
    nodes = [agent("quick"), agent("deep"), first("quick", "deep")]
    play = Play(spec(*nodes), endings={"quick": [never_ends()]}, overrides=world())
    play.endings = {"quick": [never_ends()], "deep": [never_ends()]}
    play.step()
    play.endings = {"quick": [uses(used, output="yes")], "deep": [never_ends()]}
    play.advance()
    ends_while_stopped(play, uses(used, fails="Disrupted", message="SIGTERM"))
    assert play.reasons["deep"] == "NotChosen"
    assert play.status.usage is not None
    assert (play.status.usage.input_tokens, play.status.usage.output_tokens) == (200, 20)


@pytest.mark.parametrize(
    ("field", "phases"),
    [
        pytest.param(
            {"cancel": True},
            {"quick": "Cancelled", "deep": "Cancelled", "best": "Cancelled"},
            id="cancel",
        ),
        pytest.param(
            {"suspend": True},
            {"quick": "Succeeded", "deep": "Cancelled", "best": "Succeeded"},
            id="a choice starts nothing, so a suspended run makes it",
        ),
    ],
)
def test_s231_control(field: JsonObject, phases: dict[str, str]) -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep")]
    play = race(*nodes, quick=never_ends(), deep=never_ends())
    play.step()
    play.advance()
    play.edit(**field)
    play.step()
    play.endings = {**play.endings, "quick": [score(1)]}
    play.finish()
    assert play.phases == phases


def test_s231_another_failure_cancels_the_choice() -> None:
    nodes = [scored("quick"), scored("deep"), python("other"), first("quick", "deep")]
    play = race(*nodes, quick=never_ends(), deep=never_ends(), other=raises())
    play.step()
    play.advance()
    play.step()
    assert play.phases["best"] == "Cancelled"
    play.endings = {"quick": [score(1)], "deep": [score(1)]}
    play.finish()
    assert play.status.phase == "Failed"


def test_s233_a_large_output_is_not_stored_twice() -> None:
    big = {"score": 1, "text": "x" * 3000}
    play = race(python("quick"), python("deep"), first("quick", "deep"), quick=returns(big))
    play.finish()
    assert play.node("best").output_record == play.node("quick").output_record
    assert play.node("best").output is None
    assert len(play.records) == 1


def full() -> Play:
    """A status so full that the output of `quick` fits in it once."""
    many = [f"c{at}" for at in range(32)]
    nodes = [*map(python, many), python("quick", after=many), wait("never", duration="99h")]
    endings = {name: [returns("y" * 2000)] for name in many}
    endings["quick"] = [returns("z" * 1200)]
    return Play(spec(*nodes, first("quick", "never"), parallelism=40), endings=endings)


def test_s233_an_output_that_does_not_fit_twice_is_in_a_record_of_the_chosen() -> None:
    play = full().finish()
    best = play.node("best")
    assert play.node("quick").output == "z" * 1200, "inline"
    assert best.output is None
    assert play.records[best.output_record or ""] == "z" * 1200
    assert best.output_digest == play.node("quick").output_digest


def test_s233_a_record_that_cannot_be_written_keeps_the_choice_open() -> None:
    record = full().finish().node("best").output_record
    play = full()
    problem = WriteProblem("quota", permanent=False, since=play.now)
    play.overrides = {"write_problems": {record or "": problem}}
    steps(play, 6)
    assert (play.phases["best"], play.reasons["best"]) == ("Waiting", "RecordRejected")
    assert play.phases["never"] == "Waiting", "nothing is stopped before the choice is recorded"
    play.overrides = {}
    play.finish()
    assert chosen(play) == "quick"
    assert play.reasons["never"] == "NotChosen"


def test_s220_it_begins_when_its_condition_and_its_dependencies_allow() -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep", when="${inputs.race}")]
    play = race(*nodes, quick=score(0.1), deep=score(0.2))
    play.spec["inputs"] = {"race": False}
    play.finish()
    assert play.phases == {"quick": "Succeeded", "deep": "Succeeded", "best": "Skipped"}
    nodes = [scored("quick"), scored("deep"), python("gone"), first("quick", "deep")]
    nodes[2] |= {"when": "${false}"}
    nodes[3] |= {"dependsOn": ["gone"]}
    play = race(*nodes, quick=score(0.1), deep=score(0.2)).finish()
    assert play.phases["deep"] == "Succeeded", "nothing stops it"
    assert play.reasons["best"] == "DependencySkipped"


@pytest.mark.parametrize(
    ("on_failure", "phase"),
    [
        pytest.param(None, "Succeeded", id="the default of candidates"),
        pytest.param("Continue", "Succeeded", id="Continue"),
        pytest.param("Fail", "Failed", id="Fail"),
    ],
)
def test_s234_failures_of_candidates(on_failure: str | None, phase: str) -> None:
    weak = scored("weak", **({"onFailure": on_failure} if on_failure else {}))
    play = race(weak, scored("deep"), first("weak", "deep"), weak=raises(), deep=never_ends())
    play.step()
    play.advance()
    play.step()
    play.endings = {**play.endings, "deep": [score(1)]}
    play.finish()
    assert play.status.phase == phase
    assert chosen(play) == ("deep" if phase == "Succeeded" else None)


def test_s231_a_failure_in_the_same_write_comes_before_the_choice() -> None:
    nodes = [scored("quick"), scored("deep"), python("other"), first("quick", "deep")]
    play = race(*nodes, quick=score(1), deep=score(1), other=raises())
    play.finish()
    assert (play.phases["quick"], play.phases["best"]) == ("Succeeded", "Cancelled")
    assert play.status.phase == "Failed"


def test_s231_a_pause_elsewhere_is_seen_although_a_choice_waits() -> None:
    """S42: nothing can continue, for the candidates wait for a person too."""
    held = python("held", onFailure="Pause")
    nodes = [held, python("a", after=["held"]), python("b", after=["held"]), first("a", "b")]
    play = race(*nodes, held=raises())
    steps(play, 3)
    assert play.phases["best"] == "Waiting"
    assert play.status.phase == "Paused"


# --- rounds --------------------------------------------------------------------------------------


def decided(**fields: Any) -> Play:
    nodes = [
        scored("quick"),
        scored("deep"),
        scored("weak"),
        first("quick", "deep", "weak", accept=GOOD),
        python("after_it", inputs={"v": "${nodes.best.output.score}"}),
    ]
    endings = {
        "quick": [score(0.9)],
        "deep": [never_ends()],
        "weak": [raises()],
        "after_it": [raises(), returns(1)],
    }
    play = Play(spec(*nodes, **fields), endings=endings).finish()
    assert play.phases == {
        "quick": "Succeeded",
        "deep": "Cancelled",
        "weak": "Failed",
        "best": "Succeeded",
        "after_it": "Failed",
    }
    return play


def dispositions(play: Play) -> dict[str, str | None]:
    return {entry.path: entry.disposition for entry in play.status.nodes}


def checkpoint(play: Play, path: str) -> NodeStatus:
    return play.node(path).model_copy(update={"disposition": None, "disposition_message": None})


def test_s232_a_round_keeps_the_choice_and_its_losers() -> None:
    play = decided()
    before = [checkpoint(play, path) for path in ("quick", "deep", "weak", "best")]
    play.rerun().finish()
    assert play.status.phase == "Succeeded"
    assert dispositions(play) == {
        **dict.fromkeys(("quick", "deep", "weak", "best"), "Reused"),
        "after_it": "Rerun",
    }
    assert [checkpoint(play, path) for path in ("quick", "deep", "weak", "best")] == before


def test_s232_an_edit_of_a_loser_does_not_begin_the_race_again() -> None:
    play = decided()
    play.edit_node("deep", python={"source": "def run():\n    return {'score': 1}\n"})
    play.rerun().finish()
    assert dispositions(play)["deep"] == "Reused"
    assert chosen(play) == "quick"
    assert play.launched.count("deep") == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("from", id="the chosen one is named in from"),
        pytest.param("edit", id="the chosen one is edited"),
    ],
)
def test_s232_a_change_of_the_chosen_candidate_begins_the_race_again(change: str) -> None:
    play = decided()
    play.endings = {
        "quick": [score(0.9), score(0.2)],
        "deep": [never_ends(), score(0.95)],
        "weak": [raises(), score(0.1)],
        "after_it": [returns(1)],
    }
    asked: JsonObject = {"from": ["quick"]} if change == "from" else {}
    if change == "edit":
        play.edit_node("quick", python={"source": "def run():\n    return {'score': 0.2}\n"})
    play.rerun(**asked).finish()
    assert dispositions(play)["best"] == dispositions(play)["deep"] == "Rerun"
    assert chosen(play) == "deep"
    assert play.status.phase == "Succeeded"


def test_s232_a_race_whose_definition_changed_is_judged_again_from_recorded_ends() -> None:
    play = decided()
    play.edit_node("best", first={"of": ["quick", "deep", "weak"], "accept": "${true}"})
    play.endings = {**play.endings, "deep": [never_ends()], "after_it": [returns(1)]}
    play.rerun().finish()
    assert dispositions(play)["best"] == "Rerun"
    assert chosen(play) == "quick", "it ended first"
    assert play.launched.count("deep") == 1, "its race was decided before it could start"
    assert play.reasons["deep"] == "NotChosen"


def test_s232_others_that_now_finish_run_again() -> None:
    play = decided()
    play.edit_node(
        "best", first={"of": ["quick", "deep", "weak"], "accept": GOOD, "others": "Finish"}
    )
    play.endings = {**play.endings, "deep": [never_ends(), score(1)], "after_it": [returns(1)]}
    play.rerun().finish()
    assert dispositions(play)["best"] == "Reused"
    assert play.phases["deep"] == "Succeeded"
    assert chosen(play) == "quick"


def test_s232_none_accepted_is_judged_again() -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep", accept=GOOD)]
    play = race(*nodes, quick=score(0.5), deep=raises()).finish()
    assert play.reasons["best"] == "NoneAccepted"
    play.edit_node("best", first={"of": ["quick", "deep"], "accept": "${true}"})
    play.rerun().finish()
    assert chosen(play) == "quick"
    assert play.launched.count("quick") == 1
    assert play.status.phase == "Succeeded"


def test_s232_a_loser_with_effect_once_holds_up_no_round() -> None:
    nodes = [
        scored("quick"),
        scored("deep", effect="once"),
        first("quick", "deep"),
        python("use", inputs={"v": "${nodes.best.output.score}"}),
    ]
    play = race(*nodes, quick=score(1), deep=never_ends(), use=raises()).finish()
    assert play.reasons["deep"] == "NotChosen"
    play.endings = {**play.endings, "use": [returns(1)]}
    play.rerun().finish()
    assert play.status.phase == "Succeeded"
    play.endings = {**play.endings, "quick": [raises()]}
    play.rerun(**{"from": ["quick"]}).finish()
    assert play.launched.count("deep") == 1, "only from names it"
    assert play.reasons["best"] == "NoneAccepted"


def test_s232_a_round_that_meets_a_loser_being_stopped() -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep")]
    play = race(*nodes, quick=score(0.9), deep=never_ends())
    play.step()
    play.advance()
    play.step()
    attempt = play.node("deep").open_attempt
    assert attempt is not None
    assert attempt.stopping == "NotChosen"
    play.endings = {"quick": [score(0.9), raises()], "deep": [never_ends(), score(0.7)]}
    play.rerun(**{"from": ["quick"]}).finish()
    assert chosen(play) == "deep"
    assert play.node("deep").attempt == 2


def test_s231_the_output_of_a_person_chooses_nothing() -> None:
    nodes = [scored("quick"), scored("deep"), first("quick", "deep", accept=GOOD)]
    play = race(*nodes, quick=score(0.1), deep=raises()).finish()
    play.endings = {"deep": [raises()]}
    play.rerun(outputs={"best": {"score": 1}}).finish()
    assert chosen(play) is None
    assert play.node("best").output == {"score": 1}
    assert play.status.phase == "Succeeded"


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(["quick", "deep"], id="the first node is removed"),
        pytest.param(["quick", "deep", "best"], id="the others finish"),
    ],
)
def test_s232_a_loser_being_stopped_runs_again_outside_its_race(kept: list[str]) -> None:
    nodes = {
        "quick": scored("quick"),
        "deep": scored("deep"),
        "best": first("quick", "deep", others="Finish"),
    }
    play = race(scored("quick"), scored("deep"), first("quick", "deep"), deep=never_ends())
    play.endings = {"quick": [score(0.9)], "deep": [never_ends(), score(0.7)]}
    play.step()
    play.advance()
    play.step()
    attempt = play.node("deep").open_attempt
    assert attempt is not None
    assert attempt.stopping == "NotChosen"
    play.edit(nodes=[nodes[name] for name in kept]).rerun().finish()
    assert play.phases["deep"] == "Succeeded"
    assert play.node("deep").attempt == 2


def test_s227_a_question_that_cannot_be_withdrawn_is_looked_at_each_second() -> None:
    play = race(gate("ask"), scored("quick"), first("ask", "quick"), quick=never_ends())
    play.step()
    play.endings = {"quick": [score(1)]}
    play.advance()
    play.step()
    (name,) = play.approvals
    problem = WriteProblem(message="no", permanent=False, since=play.now)
    play.overrides = {"write_problems": {name: problem}}
    play.step()
    assert play.phases["ask"] == "Waiting"
    assert play.requeue is not None
    assert (play.requeue - play.now).total_seconds() >= 1


def test_s85_a_choice_waits_for_a_result_that_it_reads() -> None:
    """An unread result is no error of `accept`: the other candidates continue."""
    accept = "${candidate.output.text.size() > 9}"
    text = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    nodes = [python("quick", outputSchema=text), python("deep", outputSchema=text)]
    play = race(*nodes, python("late"), first("quick", "deep", accept=accept, after=["late"]))
    play.endings = {
        "quick": [returns({"text": "x" * 3000})],
        "deep": [never_ends()],
        "late": [never_ends()],
    }
    play.step()
    play.advance()
    play.step()
    record = play.node("quick").output_record
    assert record is not None
    refuse_records(play, record)
    play.endings = {**play.endings, "late": [returns(1)]}
    for _ in range(3):
        play.advance(0.2)
        play.step()
    assert (play.phases["best"], play.reasons["best"]) == ("Waiting", "ReadRejected")
    assert play.phases["deep"] == "Running"
    play.overrides = {}
    play.finish()
    assert chosen(play) == "quick"
    assert play.reasons["best"] is None
