"""`repeat`: iterations, their end, and what a crash, a round or a limit makes of them."""

import contextlib
import json
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.meta import ANNOTATION_PATH, ANNOTATION_REQUEST
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.timestamps import parse_timestamp
from waypost.protocol.work import Usage

from tests.support.builders import after, agent, container, http, python, spec
from tests.support.play import Crash, Play, evicted, raises, returns, uses, writes
from tests.unit.engine.nodes.test_agent import world

SCHEMA = {
    "type": "object",
    "properties": {"done": {"type": "boolean"}, "n": {"type": "number"}},
    "required": ["done"],
}
LOOP: JsonObject = {"until": "${self.output.done}", "max": 3}


def looped(repeat: Any = None, **fields: Any) -> JsonObject:
    fields = {"outputSchema": SCHEMA, **fields}
    return python("a", repeat={**LOOP, **(repeat or {})}, **fields)


def no(n: int = 0) -> Any:
    return returns({"done": False, "n": n})


def yes(n: int = 0) -> Any:
    return returns({"done": True, "n": n})


def paths(play: Play) -> list[tuple[str, int]]:
    return sorted(play.executions)


def test_s142_iterations_are_counted_over_attempts() -> None:
    play = Play(spec(looped()), endings={"a": [no(), raises(), no(), yes()]})
    play.spec["nodes"][0]["retry"] = {"limit": 1}
    play.finish()
    assert play.phases == {"a": "Succeeded"}
    assert paths(play) == [("a/0", 1), ("a/1", 2), ("a/1", 3), ("a/2", 4)]
    loop = play.node("a").loop
    assert loop is not None
    assert (loop.number, loop.done) == (2, "1 3 4")
    assert play.records[play.node("a").output_record or ""] == {"done": True, "n": 0}


def test_s142_retries_are_counted_per_iteration() -> None:
    node = looped(retry={"limit": 1})
    play = Play(spec(node), endings={"a": [raises(), no(), raises(), yes()]}).finish()
    assert play.phases == {"a": "Succeeded"}
    play = Play(spec(node), endings={"a": [no(), raises(), raises()]}).finish()
    assert play.reasons == {"a": "NodeError"}, "the limit holds within an iteration"
    assert paths(play) == [("a/0", 1), ("a/1", 2), ("a/1", 3)]


def test_s143_previous_and_index_reach_the_next_iteration() -> None:
    node = looped(inputs={"n": "${previous.?output.?n.orValue(-1.0)}", "at": "${index}"})
    play = Play(spec(node), endings={"a": [no(7), no(8), yes(9)]}).finish()
    inputs = [_request(play, path, number) for path, number in [("a/0", 1), ("a/1", 2), ("a/2", 3)]]
    assert inputs == [{"n": -1, "at": 0}, {"n": 7, "at": 1}, {"n": 8, "at": 2}]


def _request(play: Play, path: str, number: int) -> Any:
    return _document(play, path, number)["inputs"]


def _document(play: Play, path: str, number: int) -> Any:
    template = play.manifests[path, number]["spec"]["template"]["metadata"]["annotations"]
    return json.loads(template[ANNOTATION_REQUEST])


def test_s143_the_end_and_the_next_attempt_are_one_write() -> None:
    play = Play(spec(looped()), endings={"a": [no(), yes()]})
    play.step()
    play.advance()
    decision = play.step()
    status = decision.status.nodes[0]
    assert status.loop is not None
    assert (status.loop.done, status.loop.number, status.attempt) == ("1", 1, 2)
    assert [_put(one) for one in decision.before] == [status.loop.previous]
    assert status.phase == "Running"


def test_s144_a_pause_holds_no_pod_and_ends_at_a_recorded_time() -> None:
    play = Play(spec(looped({"pause": "30s"})), endings={"a": [no(), yes()]})
    play.step()
    play.advance()
    ended = play.now
    play.step()
    node = play.node("a")
    assert (node.phase, node.reason) == ("Backoff", "Repeating")
    assert "iteration 1 of 3 (a/0) succeeded, repeat.until is false" in (node.message or "")
    due = parse_timestamp(node.wake_at)
    assert due is not None
    assert due >= replace_seconds(ended, 30)
    play.now = replace_seconds(ended, 29.9)
    assert play.step().status.nodes[0].phase == "Backoff"
    play.now = due
    assert play.step().status.nodes[0].phase == "Running"


def _put(before: Any) -> Any:
    return before.manifest["metadata"]["name"]


def replace_seconds(moment: Any, seconds: float) -> Any:
    return moment + (after(seconds) - after(0))


@pytest.mark.parametrize(
    ("on_limit", "phase", "reason"),
    [
        pytest.param(None, "Failed", "LoopLimit", id="fails"),
        pytest.param("Fail", "Failed", "LoopLimit", id="fails-as-declared"),
        pytest.param("Succeed", "Succeeded", None, id="succeeds"),
    ],
)
def test_s145_the_limit(on_limit: str | None, phase: str, reason: str | None) -> None:
    block = {"max": 2, **({"onLimit": on_limit} if on_limit else {})}
    play = Play(spec(looped(block)), endings={"a": [no(1), no(2)]}).finish()
    assert (play.node("a").phase, play.node("a").reason) == (phase, reason)
    assert len(play.executions) == 2


def test_s145_the_last_output_of_a_loop_that_failed_is_in_error_last() -> None:
    late = python("late", inputs={"n": "${nodes.a.error.?last.?n.orValue(0.0)}"})
    node = looped({"max": 2}, onFailure="Continue")
    play = Play(spec(node, late), endings={"a": [no(1), no(2)]}).finish()
    assert play.phases == {"a": "Failed", "late": "Succeeded"}
    assert _request(play, "late", 1) == {"n": 2}


@pytest.mark.parametrize(
    ("until", "says"),
    [
        pytest.param("${self.output.x.y}", "self.output.x", id="error"),
        pytest.param("${self.output.n}", "must be true or false, found a number", id="number"),
        pytest.param("${self.output.?gone}", "must be true or false, found absent", id="absent"),
        pytest.param("${self.output.word}", "must be true or false, found a string", id="text"),
    ],
)
def test_s146_until_that_is_not_true_or_false_fails_the_node(until: str, says: str) -> None:
    node = looped({"until": until}, outputSchema={"type": "object"}, retry={"limit": 3})
    play = Play(spec(node), endings={"a": [returns({"n": 1, "word": "true"})]}).finish()
    assert play.reasons == {"a": "InputInvalid"}
    assert says in (play.node("a").message or "")
    assert "repeat.until after iteration 1 of 3 (a/0)" in (play.node("a").message or "")
    assert len(play.executions) == 1, "a verdict is never retried"


def test_s147_a_failed_iteration_ends_the_loop_and_the_others_stay_readable() -> None:
    play = Play(spec(looped()), endings={"a": [no(1), raises()]}).finish()
    assert play.reasons == {"a": "NodeError"}
    loop = play.node("a").loop
    assert loop is not None
    assert play.records[loop.previous or ""] == {"done": False, "n": 1}


def test_s148_a_new_round_continues_after_the_last_iteration_that_succeeded() -> None:
    play = Play(spec(looped()), endings={"a": [no(1), raises(), no(2), no(3), yes(4)]}).finish()
    assert play.phases == {"a": "Failed"}
    play.rerun().finish()
    assert play.phases == {"a": "Succeeded"}
    assert paths(play) == [("a/0", 1), ("a/1", 2), ("a/1", 3), ("a/2", 4), ("a/3", 5)]


def test_s148_after_the_limit_the_count_of_max_is_fresh() -> None:
    play = Play(spec(looped({"max": 2})), endings={"a": [no(), no(), no(), no(), yes()]}).finish()
    assert play.reasons == {"a": "LoopLimit"}
    play.rerun().finish()
    assert play.reasons == {"a": "LoopLimit"}
    assert paths(play) == [("a/0", 1), ("a/1", 2), ("a/2", 3), ("a/3", 4)]
    play.rerun().finish()
    assert play.phases == {"a": "Succeeded"}


def test_s148_from_begins_again_and_attempt_numbers_run_on() -> None:
    play = Play(spec(looped()), endings={"a": [no(), yes(), no(), yes()]}).finish()
    first = _document(play, "a/0", 1)["idempotencyKey"]
    play.rerun(**{"from": ["a"]}).finish()
    assert paths(play) == [("a/0", 1), ("a/0", 3), ("a/1", 2), ("a/1", 4)]
    assert _document(play, "a/0", 3)["idempotencyKey"] != first


def test_s148_a_changed_definition_begins_again() -> None:
    play = Play(spec(looped()), endings={"a": [no(), raises(), yes()]}).finish()
    play.edit_node("a", inputs={"x": 1}).rerun().finish()
    assert paths(play) == [("a/0", 1), ("a/0", 3), ("a/1", 2)]


def test_s148_max_pause_and_on_limit_may_change_in_a_round() -> None:
    play = Play(spec(looped({"max": 1})), endings={"a": [no(), no(), yes()]}).finish()
    play.edit_node("a", repeat={**LOOP, "max": 5, "pause": "1s"}).rerun().finish()
    assert play.phases == {"a": "Succeeded"}
    assert paths(play) == [("a/0", 1), ("a/1", 2), ("a/2", 3)]


def test_s148_a_cancelled_pause_continues_with_the_iteration_that_was_due() -> None:
    """A failure elsewhere cancels a node that pauses between two iterations."""
    other = python("b", dependsOn=["c"])
    play = Play(
        spec(looped({"pause": "1h"}), other, python("c")),
        endings={"a": [no(), yes()], "b": [raises(), returns(1)]},
    ).finish()
    assert play.phases["a"] == "Cancelled"
    play.rerun().finish()
    assert [key for key in paths(play) if key[0].startswith("a/")] == [("a/0", 1), ("a/1", 2)]


def test_s148_a_loop_that_a_round_cancels_before_it_starts_continues_in_the_next() -> None:
    """The failure of a once node is kept, so the second round ends as it begins."""
    limited = python(
        "b",
        repeat={**LOOP, "max": 1},
        outputSchema=SCHEMA,
        effect="once",
        inputs={"p": "${nodes.a.phase}"},
    )
    play = Play(
        spec(looped(onFailure="Continue"), limited),
        endings={"a": [no(), raises(), yes()], "b": [no()]},
    ).finish()
    assert play.reasons == {"a": "NodeError", "b": "LoopLimit"}
    play.rerun().finish()
    assert play.phases == {"a": "Cancelled", "b": "Failed"}
    play.rerun(skip=["b"]).finish()
    assert play.phases == {"a": "Succeeded", "b": "Skipped"}
    assert [key for key in paths(play) if key[0][0] == "a"] == [("a/0", 1), ("a/1", 2), ("a/1", 3)]


def test_s149_effect_once_holds_for_one_iteration() -> None:
    node = looped(effect="once")
    play = Play(spec(node), endings={"a": [no(), yes()]}).finish()
    assert play.phases == {"a": "Succeeded"}
    play = Play(spec(node), endings={"a": [no(), evicted(), yes()]}).finish()
    assert play.reasons == {"a": "UnknownEffect"}
    play.rerun().step()
    assert play.condition("Accepted")[0] == "False", "a person must decide"
    assert len(play.executions) == 2


def test_s149_a_loop_of_once_is_not_begun_again_by_an_edit() -> None:
    play = Play(spec(looped({"max": 1}, effect="once")), endings={"a": [no(), yes()]}).finish()
    play.edit_node("a", inputs={"x": 1}).rerun().finish()
    assert play.reasons == {"a": "LoopLimit"}
    assert len(play.executions) == 1, "its first iteration would take effect twice"


def test_s149_a_loop_of_once_that_reached_its_limit_continues() -> None:
    play = Play(spec(looped({"max": 1}, effect="once")), endings={"a": [no(), yes()]}).finish()
    play.rerun().finish()
    assert play.phases == {"a": "Succeeded"}
    assert paths(play) == [("a/0", 1), ("a/1", 2)]


def test_s150_iterations_have_own_idempotency_keys_and_attempts_share_them() -> None:
    node = looped(retry={"limit": 1})
    play = Play(spec(node), endings={"a": [no(), raises(), yes()]}).finish()
    keys = [_document(play, *at)["idempotencyKey"] for at in [("a/0", 1), ("a/1", 2), ("a/1", 3)]]
    assert keys[0] != keys[1] == keys[2]


def test_s151_suspend_and_cancel_between_iterations() -> None:
    play = Play(spec(looped({"pause": "10s"})), endings={"a": [no(), yes()]})
    play.step()
    play.advance()
    play.step()
    play.edit(suspend=True)
    play.now = after(60)
    assert play.step().status.nodes[0].phase == "Backoff"
    play.edit(suspend=False)
    play.finish()
    assert play.phases == {"a": "Succeeded"}
    play = Play(spec(looped({"pause": "10s"})), endings={"a": [no(), yes()]})
    play.step()
    play.advance()
    play.step()
    play.edit(cancel=True).finish()
    assert play.phases == {"a": "Cancelled"}
    assert len(play.executions) == 1


def test_s151_the_deadline_covers_the_whole_loop() -> None:
    play = Play(spec(looped({"pause": "1m"}, deadline="90s")), endings={"a": [no()]}).finish()
    assert play.reasons == {"a": "DeadlineExceeded"}
    assert len(play.executions) == 2


def test_s142_a_container_reads_the_index_in_its_arguments() -> None:
    node = container("a", repeat=LOOP, args=["${index}"])
    ends = [writes('{"done": false}'), writes('{"done": true}')]
    play = Play(spec(node), endings={"a": ends}).finish()
    assert play.phases == {"a": "Succeeded"}
    made = [job["spec"]["template"]["spec"]["containers"][0] for job in play.manifests.values()]
    assert [one["args"] for one in made] == [["0"], ["1"]]


@pytest.mark.parametrize("crash_after", range(6))
def test_s143_a_crash_after_any_effect_repeats_nothing(crash_after: int) -> None:
    """The pass that ends the first iteration is broken off after each of its effects."""
    node = looped(inputs={"n": "${previous.?output.?n.orValue(-1.0)}"})
    play = Play(spec(node), endings={"a": [no(1), yes(2)]})
    play.step()
    play.advance()
    with contextlib.suppress(Crash):
        play.step(crash_after=crash_after)
    play.finish()
    assert play.phases == {"a": "Succeeded"}
    assert play.executions == {("a/0", 1): 1, ("a/1", 2): 1}


def test_s143_an_iteration_whose_output_cannot_be_stored_waits() -> None:
    play = Play(spec(looped()), endings={"a": [no(1), yes(2)]})
    play.step()
    play.advance()
    decision = play.step()
    name = decision.before[0].manifest["metadata"]["name"]  # type: ignore[union-attr]
    fresh = Play(spec(looped()), endings={"a": [no(1), yes(2)]})
    fresh.step()
    fresh.advance()
    problem = WriteProblem(message="quota", permanent=False)
    fresh.overrides = {"write_problems": {name: problem}}
    assert fresh.step().status.nodes[0].reason == "RecordRejected"
    fresh.overrides = {}
    fresh.finish()
    assert fresh.phases == {"a": "Succeeded"}


def test_s152_limits_of_an_agent_hold_over_all_iterations() -> None:
    node = agent("a", repeat=LOOP, limits={"requests": 5, "tokens": 100}, outputSchema=SCHEMA)
    calls = [
        uses(Usage(model_calls=2, input_tokens=tokens, output_tokens=0), output={"done": False})
        for tokens in (40, 70)
    ]
    play = Play(spec(node), endings={"a": calls}, overrides=world()).finish()
    assert play.reasons == {"a": "BudgetExceeded"}
    assert "agent.limits.tokens is 100" in (play.node("a").message or "")
    limits = [_document(play, f"a/{at}", at + 1)["agent"]["limits"] for at in (0, 1)]
    assert limits == [{"requests": 5, "tokens": 100}, {"requests": 3, "tokens": 60}]


def test_paths_of_iterations_are_on_their_objects() -> None:
    play = Play(spec(looped()), endings={"a": [no(), yes()]}).finish()
    paths_ = [job["metadata"]["annotations"][ANNOTATION_PATH] for job in play.manifests.values()]
    assert paths_ == ["a/0", "a/1"]


def test_polling_is_a_loop_of_requests() -> None:
    node = http(
        "a",
        repeat={"until": "${self.output.body.state == 'ready'}", "max": 60, "pause": "10s"},
    )
    answers = [
        returns({"status": 200, "headers": {}, "body": {"state": state}})
        for state in ("new", "new", "ready")
    ]
    play = Play(spec(node), endings={"a": answers}).finish()
    assert play.phases == {"a": "Succeeded"}
    assert play.now >= after(20)
